// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/test/system"
)

// answers asks the webhook server whether it takes a token, by the URL that a command printed.
func answers(t *testing.T, webhookURL string) func() (int, error) {
	t.Helper()
	g := NewWithT(t)
	printed, err := url.Parse(strings.TrimSpace(webhookURL))
	g.Expect(err).NotTo(HaveOccurred())
	return func() (int, error) {
		answer, err := http.Get(operator.Replicas[0].URL + printed.Path)
		if err != nil {
			return 0, err
		}
		return answer.StatusCode, answer.Body.Close()
	}
}

func TestTokenRotation(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	s := openSchool(t)
	staff := s.with(institutionAdmin)
	g.Expect(
		s.with("completion-viewer").does("token", "list"),
	).To(
		MatchRegexp(`SECRET +STATE +WHAT TO DO\ntoken +Accepted`),
	)

	got := staff.course("token", "rotate", "institution", "--host", "completions.example.com", "--timeout", "3m")
	g.Expect(got.code).To(BeZero(), got.String())
	g.Expect(got.out).To(MatchRegexp(`^https://completions\.example\.com/webhooks/%d/[A-Z2-7]{52}\n$`, s.ID))
	added := regexpFind(t, got.err, `secret/(webhook-token-[0-9]{8}-[a-z2-7]{6}) created`)
	g.Expect(got.err).To(And(ContainSubstring("It is accepted."),
		ContainSubstring("kubectl course token remove institution token -n "+s.Namespace)))
	token := got.out[strings.LastIndex(got.out, "/")+1:]
	g.Expect(got.err).NotTo(ContainSubstring(strings.TrimSpace(token)))
	g.Eventually(answers(t, got.out), soon, often).Should(Equal(http.StatusOK))
	g.Expect(staff.does("token", "list", "institution", "-o", "json")).To(MatchJSON(fmt.Sprintf(
		`{"apiVersion":"cli.completions.lxp.dev/v1alpha1","kind":"TokenList","items":[{"secret":"token","state":"Accepted"},
			{"secret":%q,"state":"Accepted"}]}`, added)))
	g.Expect(staff.does("token", "list", "-o", "name")).To(Equal("secret/token\nsecret/" + added + "\n"))

	// Both are taken until the old one is removed, which is asked for.
	g.Eventually(answers(t, s.URLs[0]), soon, often).Should(Equal(http.StatusOK))
	g.Expect(staff.fails("token", "remove", "institution", "token")).To(ContainSubstring("give --yes"))
	asked := staff.talk("token", "remove", "institution", "token").answer("n")
	g.Expect(asked.err).To(And(ContainSubstring("gets 401 and is lost"), ContainSubstring("nothing was changed"),
		ContainSubstring("You may not read the audit log (ClusterRole completion-operations in")))
	g.Expect(staff.does("token", "remove", "institution", "secret/token", "--yes")).To(Equal(
		"institution/institution no longer names secret/token\nsecret/token deleted\n"))
	g.Eventually(answers(t, s.URLs[0]), soon, often).Should(Equal(http.StatusUnauthorized))
	g.Expect(answers(t, got.out)()).To(Equal(http.StatusOK))
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: s.Namespace, Name: "token"}}
	g.Expect(apierrors.IsNotFound(admin.Get(t.Context(), client.ObjectKeyFromObject(secret), secret))).To(BeTrue())

	// The last one stays, unless that is meant.
	g.Expect(staff.fails("token", "remove", "institution", added, "--yes")).To(ContainSubstring("add another one first"))
	g.Expect(staff.fails("token", "remove", "institution", "token", "--yes")).To(ContainSubstring("has no token token"))
	g.Expect(
		staff.does("token", "remove", "institution", added, "--yes", "--force"),
	).To(
		Equal("secret/" + added + " deleted\n"),
	)
	g.Eventually(answers(t, got.out), soon, often).Should(Equal(http.StatusUnauthorized))
	g.Eventually(func() string { return staff.does("token", "list") }, soon, often).Should(ContainSubstring("NotFound"))

	// And from there back again.
	staff.does("token", "add", "--host", "completions.example.com", "--timeout", "3m", "--secret", "newest")
	g.Expect(staff.does("token", "remove", "institution", added, "--yes")).To(Equal(
		"institution/institution no longer names secret/" + added + "\n"))
	g.Expect(staff.does("token", "list", "-o", "name")).To(Equal("secret/newest\n"))
}

// A token that the platform uses is not removed by mistake.
func TestTokenInUse(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	startKubelet(t)
	s := openSchool(t)
	staff := s.with(institutionAdmin)
	staff.bind(system.Namespace, "completion-operations")
	staff.does("token", "add", "--secret", "next", "--timeout", "3m")
	// Who only checks the URL uses nothing.
	g.Eventually(answers(t, s.URLs[0]), soon, often).Should(Equal(http.StatusOK))
	g.Expect(staff.fails("token", "remove", "institution", "token")).To(And(
		ContainSubstring("The audit log has no delivery with it within the last day"), ContainSubstring("give --yes")))

	s.deliver(1)
	g.Eventually(func() string { return staff.fails("token", "remove", "institution", "token") }, soon, often).Should(
		MatchRegexp(`the platform still uses token token: the last delivery with it came \S+ ago`))
	g.Expect(staff.fails("token", "remove", "institution", "token", "--yes", "--force")).To(
		ContainSubstring("--even-if-used"))
	g.Expect(staff.does("token", "list", "-o", "name")).To(ContainSubstring("secret/token\n"))
	// The other one is not in use.
	g.Expect(staff.fails("token", "remove", "institution", "next")).To(
		ContainSubstring("The audit log has no delivery with it within the last day"))
	g.Expect(staff.does("token", "remove", "institution", "token", "--yes", "--even-if-used")).To(
		ContainSubstring("secret/token deleted"))
}

func TestTokenWrongUse(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	s := openSchool(t)
	staff := s.with(institutionAdmin)
	g.Expect(staff.fails("token", "add", "--secret", "token")).To(ContainSubstring("there is a Secret token in namespace"))
	g.Expect(staff.fails("token", "add", "--secret", "No Name")).To(ContainSubstring("is not a valid Secret name"))
	g.Expect(staff.fails("token", "add", "--host", "https://a?b")).To(ContainSubstring("is not a host"))
	g.Expect(staff.fails("token", "add", "other")).To(ContainSubstring("has no Institution other: there is institution"))
	g.Expect(staff.fails("token", "drop")).To(ContainSubstring("use list, add, rotate or remove"))
	g.Expect(s.with().fails("token", "list")).To(ContainSubstring("The ClusterRole completion-viewer allows it"))

	// Where the Institution cannot be written no Secret is left, and where none can be made nothing is written.
	for _, right := range [][2]string{{"patch", "institutions"}, {"create", "secrets"}} {
		less := s.withLess(institutionAdmin, right[0], right[1])
		g.Expect(less.fails("token", "add")).To(ContainSubstring("The ClusterRole completion-institution-admin allows it"))
		var secrets corev1.SecretList
		g.Expect(admin.List(t.Context(), &secrets, client.InNamespace(s.Namespace))).To(Succeed())
		g.Expect(secrets.Items).To(HaveLen(1))
	}
	staff.does("token", "add", "--secret", "second", "--timeout", "3m")
	less := s.withLess(institutionAdmin, "delete", "secrets")
	g.Expect(less.fails("token", "remove", "institution", "second", "--yes")).To(And(
		ContainSubstring("kubectl delete secret second"), ContainSubstring("completion-institution-admin")))

	// Without a host there is the path only.
	got := staff.course("token", "add", "--secret", "third", "--timeout", "3m")
	g.Expect(got.out).To(MatchRegexp(`^/webhooks/%d/[A-Z2-7]{52}\n$`, s.ID))
	g.Expect(got.err).To(ContainSubstring("This is only the path"))
	for _, name := range []string{"fourth", "fifth"} {
		staff.does("token", "add", "--secret", name, "--timeout", "3m")
	}
	g.Expect(
		staff.fails("token", "add"),
	).To(
		ContainSubstring("it already has 4 tokens (token, third, fourth, fifth), the maximum"),
	)
}

// Who may read the Ingress of the webhook server need not say its host. Another test must not find this one's.
func TestTokenURLHasTheHostOfTheIngress(t *testing.T) {
	g := NewWithT(t)
	s := openSchool(t)
	ingress := &networkingv1.Ingress{
		ObjectMeta: metav1.ObjectMeta{Namespace: system.Namespace, Name: "completion-webhook-server"},
		Spec: networkingv1.IngressSpec{
			TLS: []networkingv1.IngressTLS{{Hosts: []string{"hooks.example.edu"}}},
			Rules: []networkingv1.IngressRule{{Host: "hooks.example.edu", IngressRuleValue: networkingv1.IngressRuleValue{
				HTTP: &networkingv1.HTTPIngressRuleValue{Paths: []networkingv1.HTTPIngressPath{{
					Path: "/webhooks", PathType: new(networkingv1.PathTypePrefix),
					Backend: networkingv1.IngressBackend{Service: &networkingv1.IngressServiceBackend{
						Name: "completion-webhook-server", Port: networkingv1.ServiceBackendPort{Name: "http"}}},
				}}}}}},
		},
	}
	g.Expect(admin.Create(t.Context(), ingress)).To(Succeed())
	defer func() { g.Expect(admin.Delete(t.Context(), ingress)).To(Succeed()) }()
	g.Expect(administrator(t).does("token", "add", "-n", s.Namespace, "--timeout", "3m")).To(
		HavePrefix(fmt.Sprintf("https://hooks.example.edu/webhooks/%d/", s.ID)))
}

func TestSuspendAndResume(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	s := openSchool(t)
	s.apply(s.labPolicy())
	staff, author := s.with(institutionAdmin), s.with("completion-policy-author")
	suspended := func() (bool, bool) {
		var institution v1alpha1.Institution
		g.Expect(
			admin.Get(t.Context(), client.ObjectKey{Namespace: s.Namespace, Name: "institution"}, &institution),
		).To(
			Succeed(),
		)
		var policy v1alpha1.CompletionPolicy
		g.Expect(admin.Get(t.Context(), client.ObjectKey{Namespace: s.Namespace, Name: "lab"}, &policy)).To(Succeed())
		is := func(b *bool) bool { return b != nil && *b }
		return is(institution.Spec.Suspend), is(policy.Spec.Suspend)
	}
	g.Expect(staff.does("suspend", "institution", "--dry-run")).To(Equal(
		"institution.completions.lxp.dev/institution suspended (dry run)\n"))
	g.Expect(first(suspended())).To(BeFalse())
	g.Expect(
		staff.does("suspend", "institution", s.ID.String()),
	).To(
		Equal("institution.completions.lxp.dev/institution suspended\n"),
	)
	g.Expect(first(suspended())).To(BeTrue())
	got := staff.course("suspend", "institution")
	g.Expect(got.code).To(BeZero())
	g.Expect(got.err).To(Equal("institution is suspended already\n"))
	staff.does("resume", "institution")
	g.Expect(first(suspended())).To(BeFalse())

	g.Expect(author.does("suspend", "policy", "lab", "-o", "jsonpath={.spec.suspend}")).To(Equal("true"))
	_, policy := suspended()
	g.Expect(policy).To(BeTrue())
	g.Expect(author.does("resume", "policies", "lab")).To(Equal("completionpolicy.completions.lxp.dev/lab resumed\n"))
	_, policy = suspended()
	g.Expect(policy).To(BeFalse())

	// Two are asked for, and one that there is not keeps from all.
	s.apply(s.labPolicy(func(policy *v1alpha1.CompletionPolicy) { policy.Name = "other" }))
	g.Expect(author.fails("suspend", "policy", "lab", "other")).To(ContainSubstring("give --yes"))
	g.Expect(author.fails("suspend", "policy", "lab", "none", "--yes")).To(ContainSubstring("has no policy none"))
	_, policy = suspended()
	g.Expect(policy).To(BeFalse())
	g.Expect(strings.Count(author.does("suspend", "policy", "lab", "other", "--yes"), "suspended\n")).To(Equal(2))

	g.Expect(
		author.fails("suspend", "institution"),
	).To(
		ContainSubstring("The ClusterRole completion-institution-admin allows it"),
	)
	g.Expect(s.withLess("completion-policy-author", "patch", "completionpolicies").fails("resume", "policy", "lab")).
		To(ContainSubstring("The ClusterRole completion-policy-author allows it"))
	g.Expect(staff.fails("suspend", "pool")).To(ContainSubstring("use institution or policy"))
}

func first(a, _ bool) bool { return a }
