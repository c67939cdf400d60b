// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// applies applies YAML as kubectl does, and returns what that says.
func applies(t *testing.T, content string, flags ...string) string {
	t.Helper()
	g := NewWithT(t)
	file := filepath.Join(t.TempDir(), "exported.yaml")
	g.Expect(os.WriteFile(file, []byte(content), 0o600)).To(Succeed())
	kubectl := exec.CommandContext(t.Context(), plane.KubectlPath(), append([]string{"apply", "-f", file}, flags...)...)
	kubectl.Env = append(os.Environ(), "KUBECONFIG="+plane.Kubeconfig(), "KUBERC=off")
	out, err := kubectl.CombinedOutput()
	g.Expect(err).NotTo(HaveOccurred(), string(out)+content)
	return string(out)
}

// noSchool returns the number of an institution that there is not, its namespace and its prefix.
func noSchool() (id, namespace, prefix string) {
	id = fmt.Sprint(500 + nextID.Add(1))
	return id, "institution-" + id, "i" + id + "-"
}

func TestCreateInstitution(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	id, namespace, prefix := noSchool()
	boss := administrator(t)
	args := []string{"create", "institution", id, "--namespace-prefix", prefix, "--host", "completions.example.com",
		"--time-zone", "America/Manaus", "--retention-days", "365", "--privacy", "name=drop,email=Mask",
		"--allowed-cidrs", "127.0.0.0/8,::1/128", "--revocation-budget", "3", "--timeout", "3m"}
	got := boss.course(args...)
	g.Expect(got.code).To(BeZero(), got.String())
	g.Expect(got.out).To(MatchRegexp(`^https://completions\.example\.com/webhooks/%s/[A-Z2-7]{52}\n$`, id))
	compareGolden(t, "create-institution", named(got.err, id, prefix))
	g.Eventually(answers(t, got.out), soon, often).Should(Equal(http.StatusOK))
	var institution v1alpha1.Institution
	key := client.ObjectKey{Namespace: namespace, Name: namespace}
	g.Expect(admin.Get(t.Context(), key, &institution)).To(Succeed())
	spec := institution.Spec
	g.Expect([]any{spec.TimeZone, spec.RetentionDays, *spec.RevocationBudget, spec.Privacy.Name, spec.Privacy.Email,
		spec.Privacy.CPF, spec.Privacy.UUID}).To(Equal([]any{"America/Manaus", int32(365), int32(3), v1alpha1.DataDrop,
		v1alpha1.DataMask, v1alpha1.DataMask, v1alpha1.DataKeep}))

	exported := boss.does(append(slices.Clone(args), "--export")...)
	g.Expect(applies(t, exported)).To(Equal("namespace/" + namespace + " unchanged\n" +
		"rolebinding.rbac.authorization.k8s.io/completion-institution unchanged\n" +
		"institution.completions.lxp.dev/" + namespace + " unchanged\n"))

	// Again: nothing changes, and the URL is not shown once more.
	before := institution.Generation
	got = boss.course(args...)
	g.Expect(got.code).To(BeZero(), got.String())
	g.Expect(got.out).To(BeEmpty())
	g.Expect(got.err).To(And(ContainSubstring("already exists"), ContainSubstring("kubectl course token rotate")))
	g.Expect(admin.Get(t.Context(), key, &institution)).To(Succeed())
	g.Expect(institution.Generation).To(Equal(before))

	// What is another's is left alone.
	g.Expect(boss.fails("create", "institution", id, "--namespace-prefix", prefix, "--time-zone", "UTC")).
		To(ContainSubstring("with another --time-zone and was not changed"))
	g.Expect(
		boss.fails("create", "institution", id, "--namespace-prefix", prefix+"x-"),
	).To(
		ContainSubstring("another institution"),
	)
	other, _, _ := noSchool()
	g.Expect(
		boss.fails("create", "institution", other, "--namespace-prefix", prefix),
	).To(
		ContainSubstring("overlaps with"),
	)
	_, _, free := noSchool()
	g.Expect(boss.fails("create", "institution", other, "-n", namespace, "--namespace-prefix", free)).
		To(ContainSubstring("namespace " + namespace + " belongs to another institution"))
	g.Expect(boss.fails("create", "institution", other, "-n", "default", "--namespace-prefix", free)).
		To(ContainSubstring("kubectl annotate namespace default"))
}

// A run that was interrupted after any of its steps is completed by the next one.
func TestCreateInstitutionAfterAnInterruption(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	boss := administrator(t)
	id, namespace, prefix := noSchool()
	applies(t, fmt.Sprintf(`{apiVersion: v1, kind: Namespace, metadata: {name: %s, annotations: {
		completions.lxp.dev/institution-id: "%s", completions.lxp.dev/namespace-prefix: %s}}}`, namespace, id, prefix))
	g.Expect(admin.Create(t.Context(), &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "webhook-token"}, Type: v1alpha1.SecretTypeWebhookToken,
		StringData: map[string]string{"token": "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"},
	})).To(Succeed())
	got := boss.course("create", "institution", id, "--namespace-prefix", prefix, "--timeout", "3m")
	g.Expect(got.code).To(BeZero(), got.String())
	g.Expect(got.out).To(Equal("/webhooks/" + id + "/ABCDEFGHIJKLMNOPQRSTUVWXYZ234567\n"))
	g.Expect(got.err).To(And(ContainSubstring("secret/webhook-token already exists"), ContainSubstring("is Ready")))

	// A Secret that is no token is not one.
	id, namespace, prefix = noSchool()
	applies(t, fmt.Sprintf(`{apiVersion: v1, kind: Namespace, metadata: {name: %s, annotations: {
		completions.lxp.dev/institution-id: "%s", completions.lxp.dev/namespace-prefix: %s}}}`, namespace, id, prefix))
	g.Expect(admin.Create(t.Context(), &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "webhook-token"},
		StringData: map[string]string{"token": "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"},
	})).To(Succeed())
	g.Expect(
		boss.fails("create", "institution", id, "--namespace-prefix", prefix),
	).To(
		ContainSubstring("that is not a token"),
	)
}

// What is exported is applied, and the same command then makes the token.
func TestExportedInstitution(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	id, namespace, prefix := noSchool()
	args := []string{"create", "institution", id, "--namespace-prefix", prefix}
	nobody := &person{t: t, kubeconfig: filepath.Join(scratch, "none")}
	exported := nobody.does(append(args, "--export")...)
	g.Expect(exported).NotTo(Or(ContainSubstring("kind: Secret"), ContainSubstring("status:"), ContainSubstring("null")))
	applies(t, exported)
	got := administrator(t).course(append(args, "--timeout", "3m")...)
	g.Expect(got.code).To(BeZero(), got.String())
	g.Expect(
		got.err,
	).To(
		And(ContainSubstring("namespace/"+namespace+" already exists"), ContainSubstring("secret/webhook-token created")),
	)
	g.Eventually(answers(t, got.out), soon, often).Should(Equal(http.StatusOK))
}

func TestCreateInstitutionIsForAdministrators(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	s := openSchool(t)
	id, _, prefix := noSchool()
	staff := s.with(institutionAdmin)
	g.Expect(staff.fails("create", "institution", id, "--namespace-prefix", prefix)).To(And(
		ContainSubstring("forbidden"), ContainSubstring("Ask a cluster administrator: this requires the rights")))
	for want, args := range map[string][]string{
		"--namespace-prefix is required": {id},
		"ends in -":                      {id, "--namespace-prefix", "grad"},
		"is not a valid institution id":  {"school", "--namespace-prefix", prefix},
		"is not a time zone":             {id, "--namespace-prefix", prefix, "--time-zone", "Brasilia"},
		"--privacy phone=Drop":           {id, "--namespace-prefix", prefix, "--privacy", "phone=Drop"},
		"use 203.0.113.0/24":             {id, "--namespace-prefix", prefix, "--allowed-cidrs", "203.0.113.7/24"},
		"is not a network":               {id, "--namespace-prefix", prefix, "--allowed-cidrs", "203.0.113.7"},
		"--retention-days=0: must be at": {id, "--namespace-prefix", prefix, "--retention-days", "0"},
		"is not a valid name":            {id, "--namespace-prefix", prefix, "--name", "A b"},
	} {
		g.Expect(staff.fails(append([]string{"create", "institution"}, args...)...)).To(ContainSubstring(want))
	}
}

func TestCreatePolicyAndSeatPool(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	s := openSchool(t)
	author := s.with("completion-policy-author")
	g.Expect(author.does("create", "seatpool", "tutors", "--capacity", "2", "--timeout", "3m")).To(Equal(
		"seatpool.completions.lxp.dev/tutors created\n"))
	lab := []string{
		"create",
		"policy",
		"lab",
		"--course",
		"123456",
		"--namespace-name",
		s.prefix() + "${user.id}",
		"--subject",
		"oidc:${user.email}",
		"--quota",
		"requests.cpu=1,count/pods=10",
		"--seat",
		"tutors",
		"--max-days",
		"18000",
		"--grace-days",
		"0",
		"--grant-per",
		"user",
		"--timeout",
		"3m",
	}
	g.Expect(author.does(append(lab, "--dry-run=server", "-o", "jsonpath={.spec.lifetime.graceDays}")...)).To(Equal("0"))
	exported := author.does(append(lab, "--export")...)
	g.Expect(
		exported,
	).NotTo(
		Or(ContainSubstring("status:"), ContainSubstring("null"), ContainSubstring("creationTimestamp")),
	)
	got := author.course(lab...)
	g.Expect(got.code).To(BeZero(), got.String())
	g.Expect(got.out).To(Equal("completionpolicy.completions.lxp.dev/lab created\n"))
	var policy v1alpha1.CompletionPolicy
	g.Expect(admin.Get(t.Context(), client.ObjectKey{Namespace: s.Namespace, Name: "lab"}, &policy)).To(Succeed())
	created := policy.Spec
	// The file of it can be applied, in either way, without a warning. To kubectl a list of which the API server has
	// filled in defaults is another one.
	g.Expect(applies(t, exported)).To(MatchRegexp(
		`^completionpolicy\.completions\.lxp\.dev/lab (configured|unchanged)\n$`))
	g.Expect(applies(t, exported, "--server-side")).To(
		Equal("completionpolicy.completions.lxp.dev/lab serverside-applied\n"))
	g.Expect(admin.Get(t.Context(), client.ObjectKeyFromObject(&policy), &policy)).To(Succeed())
	g.Expect(policy.Spec).To(Equal(created))

	s.deliver(1)
	grant := s.awaitGrant(s.grantOf(1), v1alpha1.GrantActive)
	g.Expect(grant.Spec.Namespaces[0].Access[0].Subjects[0].Name).To(Equal("oidc:user-1@example.edu"))
	g.Expect(grant.Status.Seats).To(HaveLen(1))

	// There is one of that name; and one that is wrong is created, and said to be.
	g.Expect(author.fails(lab...)).To(ContainSubstring("already has a policy lab"))
	g.Expect(
		author.fails(
			"create",
			"policy",
			"typo",
			"--course",
			"1",
			"--namespace-name",
			s.prefix()+"${user.idd}",
			"--timeout",
			"3m",
		),
	).
		To(
			And(ContainSubstring("was created and is not Ready (InvalidPolicy)"), ContainSubstring("idd")),
		)
	got = author.course(
		"create",
		"policy",
		"foreign",
		"--course",
		"1",
		"--namespace-name",
		"kube-${user.id}",
		"--timeout",
		"3m",
	)
	g.Expect(got.err).To(And(ContainSubstring("Warning: AccessReady (Refused)"), ContainSubstring(
		"Nothing is granted until that is corrected: `kubectl edit completionpolicy foreign -n "+s.Namespace+"`")))
	// What the API server refuses is said as it says it.
	g.Expect(author.fails("create", "policy", "refused", "--course", "1", "--seat", "tutors", "--until", "2026-02-31")).
		To(ContainSubstring("spec.lifetime.until"))
}

func TestCreatePolicyWrongUse(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	s := openSchool(t)
	author := s.with("completion-policy-author")
	for want, args := range map[string][]string{
		"select the completions":         {"p", "--seat", "tutors"},
		"must grant or revoke something": {"p", "--course", "1"},
		"need --namespace-name":          {"p", "--course", "1", "--seat", "tutors", "--subject", "x"},
		"--cluster-role needs --sub":     {"p", "--course", "1", "--namespace-name", "a-x", "--cluster-role", "view"},
		"--require-all needs --grant":    {"p", "--course", "1", "--seat", "a", "--require-all", "--grant-per", "Completion"},
		"--grant-per=Course":             {"p", "--course", "1", "--seat", "a", "--grant-per", "Course"},
		"is not a valid name":            {"P P", "--course", "1", "--seat", "a"},
		"are positive numbers":           {"p", "--course", "0", "--seat", "a"},
		"has no Institution":             {"p", "--course", "1", "--seat", "a", "-n", "default"},
	} {
		who := author
		if strings.HasPrefix(want, "has no") {
			who = administrator(t)
		}
		g.Expect(who.fails(append([]string{"create", "policy"}, args...)...)).To(ContainSubstring(want))
	}
	g.Expect(author.fails("create", "seatpool", "tutors")).To(ContainSubstring("--capacity is required"))
	g.Expect(author.fails("create", "seatpool", "tutors", "--capacity", "-1")).To(ContainSubstring("0 to 100000"))
	g.Expect(author.fails("create", "grant")).To(ContainSubstring("use institution, policy or seatpool"))
	g.Expect(s.with("completion-viewer").fails("create", "seatpool", "tutors", "--capacity", "1")).
		To(ContainSubstring("The ClusterRole completion-policy-author allows it"))
	g.Expect(s.withLess("completion-policy-author", "create", "completionpolicies").
		fails("create", "policy", "p", "--course", "1", "--seat", "a")).
		To(ContainSubstring("The ClusterRole completion-policy-author allows it"))
}
