// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/test/cluster"
	"github.com/lxp-dev/course-completion-operator/test/system"
)

// scrape is what one program showed at a moment, as TestQueries of test/alerts reads it.
type scrape struct {
	At             time.Time
	Job, Pod, Text string
}

// A panel about a metric that was renamed is empty, and an alert about one never fires. So both programs are given a
// little of everything to do, and every query is run over what they show, which docs/metrics.md has to describe.
func TestEveryQueryHasData(t *testing.T) {
	g := NewWithT(t)
	reader, err := operator.MetricsReader(t.Context())
	g.Expect(err).NotTo(HaveOccurred())
	defer reader.Close()
	var scrapes []scrape
	read := func(job, pod, url string) {
		text, err := reader.Read(t.Context(), url)
		g.Expect(err).NotTo(HaveOccurred())
		scrapes = append(scrapes, scrape{time.Now(), job, pod, text})
	}
	do := openBusySchool(t)
	// What is counted from its first time on has a rate from the second scrape after it on.
	for range 3 {
		do(t)
		read("completion-webhook-server-metrics", "completion-webhook-server-0", operator.WebhookServerMetrics)
		read("completion-controller-manager-metrics", "completion-controller-manager-0", operator.ControllerManagerMetrics)
	}
	t.Run("and each metric is described", func(t *testing.T) {
		describes(t, scrapes[len(scrapes)-2].Text, scrapes[len(scrapes)-1].Text)
	})
	text, err := json.Marshal(scrapes)
	g.Expect(err).NotTo(HaveOccurred())
	file := filepath.Join(t.TempDir(), "scrapes.json")
	g.Expect(os.WriteFile(file, text, 0o600)).To(Succeed())

	root, err := cluster.RepositoryRoot()
	g.Expect(err).NotTo(HaveOccurred())
	ask := exec.CommandContext(t.Context(), "go", "test", "-count=1", "-run", "^TestQueries$", "-v", ".")
	ask.Dir = filepath.Join(root, "test", "alerts")
	ask.Env = append(os.Environ(), "SCRAPES="+file, "GOWORK=off")
	said, err := ask.CombinedOutput()
	g.Expect(err).NotTo(HaveOccurred(), string(said))
	g.Expect(string(said)).To(MatchRegexp(`[1-9]\d+ queries were run`))
}

// openBusySchool makes institutions in which there is something of everything. What it returns does more of it.
func openBusySchool(t *testing.T) func(*testing.T) {
	t.Helper()
	g := NewWithT(t)
	s := openSchool(t, func(spec *v1alpha1.InstitutionSpec) { spec.RevocationBudget = new(int32(0)) })
	slow := openSchool(t, func(spec *v1alpha1.InstitutionSpec) {
		spec.Limits = v1alpha1.LimitsSpec{DeliveriesPerSecond: 1, Burst: 1}
	})
	lab, desk := s.labPolicy(), s.seatPolicy()
	lab.Spec.Lifetime.MaxDays = 3
	desk.Name, desk.Spec.Match.CourseIDs = "desk", []v1alpha1.PlatformID{123457}
	g.Expect(admin.Create(t.Context(), s.pool(1))).To(Succeed())
	s.apply(t, lab)
	s.apply(t, desk)
	refuse := refuseSome(t)

	withdrawn := s.recent()
	withdrawn.complete(t)
	withdrawn.awaitGrant(t, v1alpha1.ReasonActive)
	withdrawn.withdraw(t)
	withdrawn.awaitGrant(t, v1alpha1.ReasonRevocationPaused)

	return func(t *testing.T) {
		t.Helper()
		refuse()
		_, err := inbox(t, "retry", "--inbox-socket="+operator.Replicas[0].Socket, "--all")
		g.Expect(err).NotTo(HaveOccurred())
		last := s.recent()
		last.complete(t)
		for _, course := range []int{123457, 654321} {
			s.student().deliver(t, "course.id", course, "enrollment.course_id", course)
		}
		for range 3 {
			slow.student().deliver(t)
		}
		s.student().deliver(t, "event.slug", "activities.course.started")
		s.student().deliver(t, "user.id", 0)
		wrong, err := system.Deliver(t.Context(), operator.WebhookURL(s.id, "wrong-"+s.token), last.delivery(t))
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(wrong.Status).To(Equal(401))
		last.awaitGrant(t, v1alpha1.ReasonActive)
	}
}

// recent returns a student who completes the course with a delivery of yesterday.
func (s *school) recent() *student {
	u := s.student()
	u.values["event.send_at"] = time.Now().UTC().Add(-24 * time.Hour).Format(time.DateTime)
	return u
}

// refuseSome has the API server refuse the completions of one school for good, and of another one for now. What it
// returns delivers one of each: the inbox holds the one, and waits with the other.
func refuseSome(t *testing.T) (deliver func()) {
	t.Helper()
	g := NewWithT(t)
	forGood, forNow := openSchool(t), openSchool(t)
	named := metav1.ObjectMeta{Name: "refuse-some-" + forGood.namespace}
	unlike := func(s *school, reason metav1.StatusReason) admissionv1.Validation {
		return admissionv1.Validation{
			Expression: fmt.Sprintf("object.spec.institution.id != %d", s.id), Reason: new(reason)}
	}
	policy := &admissionv1.ValidatingAdmissionPolicy{ObjectMeta: named, Spec: admissionv1.ValidatingAdmissionPolicySpec{
		MatchConstraints: &admissionv1.MatchResources{ResourceRules: []admissionv1.NamedRuleWithOperations{{
			RuleWithOperations: admissionv1.RuleWithOperations{
				Operations: []admissionv1.OperationType{admissionv1.Create},
				Rule: admissionv1.Rule{
					APIGroups: []string{v1alpha1.GroupName}, APIVersions: []string{"*"}, Resources: []string{"coursecompletions"},
				},
			},
		}}},
		Validations: []admissionv1.Validation{
			unlike(forGood, metav1.StatusReasonInvalid), unlike(forNow, metav1.StatusReasonForbidden),
		},
	}}
	binding := &admissionv1.ValidatingAdmissionPolicyBinding{
		ObjectMeta: named, Spec: admissionv1.ValidatingAdmissionPolicyBindingSpec{
			PolicyName: named.Name, ValidationActions: []admissionv1.ValidationAction{admissionv1.Deny},
		},
	}
	// Cleaned up last: other tests find the inbox empty.
	t.Cleanup(func() { emptyInbox(t) })
	for _, object := range []client.Object{policy, binding} {
		g.Expect(admin.Create(t.Context(), object)).To(Succeed())
		t.Cleanup(func() { g.Expect(admin.Delete(context.WithoutCancel(t.Context()), object)).To(Succeed()) })
	}
	outcomes := func() []string {
		return []string{forGood.student().deliver(t).Outcome, forNow.student().deliver(t).Outcome}
	}
	// An API server needs a moment until it refuses anything.
	g.Eventually(outcomes, eventually, time.Second).Should(Equal([]string{"held", "queued"}))
	return func() { outcomes() }
}

// emptyInbox has everything in the inbox stored, dead letters too, once nothing refuses it any more.
func emptyInbox(t *testing.T) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	run := func(args ...string) (string, error) {
		command := operator.WebhookServer.Command(ctx, append([]string{"inbox"}, args...)...)
		out, err := command.CombinedOutput()
		return string(out), err
	}
	socket := "--inbox-socket=" + operator.Replicas[0].Socket
	NewWithT(t).Eventually(func(g Gomega) {
		// Each of them says by its exit code if something is left, which the status tells as well.
		_, _ = run("retry", socket, "--all")
		_, _ = run("drain", socket, "--timeout=10s")
		out, err := run("status", socket)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(out).To(MatchRegexp(`waiting: +0\n(.|\n)*dead letters: +0\n`))
	}, eventually, time.Second).Should(Succeed())
}
