// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"os"
	"strings"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/test/system"
)

// expectNone fails for each secret that stands in a text, without repeating it.
func expectNone(t *testing.T, where, text string, secrets map[string]string) {
	t.Helper()
	for what, secret := range secrets {
		if strings.Contains(strings.ToLower(text), strings.ToLower(secret)) {
			t.Errorf("the %s stands in %s", what, where)
		}
	}
}

// secrets are the student's data and the school's token, by what they are.
func (u *student) secrets() map[string]string {
	personal := u.personal()
	return map[string]string{
		"name": personal[0], "email": personal[1], "cpf": personal[2], "cpf without signs": personal[3],
		"first name": "graciliano", "token": u.school.token,
	}
}

func TestColumnsHaveNoPersonalData(t *testing.T) {
	g := NewWithT(t)
	u := grantedStudent(t)
	s := u.school
	g.Eventually(func() (string, error) { return u.ready(t.Context()) }, soon, often).
		Should(Equal(v1alpha1.ReasonGranted))

	output, err := plane.Kubectl(t.Context(), "get", "cc", "-n", s.namespace)
	g.Expect(err).NotTo(HaveOccurred())
	lines := strings.Split(strings.TrimSpace(output), "\n")
	g.Expect(lines).To(HaveLen(2))
	g.Expect(strings.Fields(lines[0])).To(Equal(
		[]string{"NAME", "INSTITUTION", "COURSE", "USER", "READY", "REASON", "AGE"}))
	g.Expect(strings.Fields(lines[1])[:6]).To(Equal([]string{
		u.completion.Name, s.id.String(), "123456", u.id.String(), "True", v1alpha1.ReasonGranted,
	}))
	wide, err := plane.Kubectl(t.Context(), "get", "completions", "-n", s.namespace, "-o", "wide", "--show-labels")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(wide).To(ContainSubstring(u.completion.Name))
	expectNone(t, "the columns", wide, u.secrets())
}

// What goes wrong is where data slips out, so this makes much go wrong first.
func TestLogsStatusAndEventsHaveNeitherTokensNorPersonalData(t *testing.T) {
	g := NewWithT(t)
	s := openSchool(t)
	policy := s.labPolicy()
	// The rendered subject is refused, and the condition must not quote it.
	refused := s.labPolicy()
	refused.Name = "refused"
	refused.Spec.Namespaces[0].Name += "-refused"
	refused.Spec.Namespaces[0].Access[0].Subjects[0].Name = "system:${user.email}"
	s.apply(t, policy)
	g.Expect(admin.Create(t.Context(), refused)).To(Succeed())

	u := s.student()
	u.complete(t)
	u.deliver(t)
	u.deliver(t, "event.send_at", "2023-07-05 00:00:00")
	u.awaitAnyGrant(t, v1alpha1.ReasonActive)
	good := string(u.delivery(t))
	for body, want := range map[string]int{
		"{": 400, good + "x": 400, string(s.student().delivery(t, "user.id", nil)): 422,
		// Another event is ignored.
		strings.Replace(good, "completed", "x", 1): 200,
	} {
		answer, err := system.Deliver(t.Context(), s.url(), []byte(body))
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(answer.Status).To(Equal(want), answer.String())
		expectNone(t, "an answer", answer.Body, u.secrets())
	}
	for _, url := range []string{
		s.url() + "x", operator.WebhookURL(4, s.token), operator.URL + "/" + s.token, s.url() + "/more",
		operator.URL + "/webhooks/" + s.token,
	} {
		_, err := system.Deliver(t.Context(), url, u.delivery(t))
		g.Expect(err).NotTo(HaveOccurred(), "only the way to it differs")
	}
	u.withdraw(t)
	u.awaitNamespaceGone(t)

	for _, path := range []string{operator.ControllerManager.Log, operator.WebhookServer.Log, auditLog} {
		content, err := os.ReadFile(path)
		g.Expect(err).NotTo(HaveOccurred())
		if path != operator.WebhookServer.Log {
			g.Expect(string(content)).To(ContainSubstring(s.namespace), "%s tells of this school", path)
		}
		expectNone(t, path, string(content), u.secrets())
	}
	for _, args := range [][]string{
		{"get", "events", "-A", "-o", "json"},
		{"get", "cc,grants,cpol,inst", "-n", s.namespace, "-o", "jsonpath={.items[*].status}"},
		{"get", "namespaces", "-o", "json"},
	} {
		output, err := plane.Kubectl(t.Context(), args...)
		g.Expect(err).NotTo(HaveOccurred())
		expectNone(t, "kubectl "+strings.Join(args, " "), output, u.secrets())
	}
	metrics, err := readMetrics(t, operator.WebhookServerMetrics)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(metrics).To(ContainSubstring("completion"))
	expectNone(t, "the metrics of the webhook server", metrics, u.secrets())
}
