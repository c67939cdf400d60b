// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/test/system"
)

// nextID gives each institution a number of its own.
var nextID atomic.Int64

// school is an institution whose deliveries are taken.
type school struct {
	*system.Institution
	t *testing.T
}

// openSchool makes an institution, in a namespace of its own, with changes to its spec.
func openSchool(t *testing.T, change ...func(*v1alpha1.InstitutionSpec)) *school {
	t.Helper()
	g := NewWithT(t)
	institution, err := operator.OpenInstitution(t.Context(), admin, v1alpha1.PlatformID(500+nextID.Add(1)), change...)
	g.Expect(err).NotTo(HaveOccurred())
	return &school{Institution: institution, t: t}
}

// prefix is what the names of its granted namespaces start with.
func (s *school) prefix() string { return fmt.Sprintf("i%d-", s.ID) }

// labPolicy grants a namespace with access to everybody who completes course 123456, and is applied by apply.
func (s *school) labPolicy(change ...func(*v1alpha1.CompletionPolicy)) *v1alpha1.CompletionPolicy {
	policy := &v1alpha1.CompletionPolicy{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.Namespace, Name: "lab"},
		Spec: v1alpha1.CompletionPolicySpec{
			Match:    v1alpha1.PolicyMatch{CourseIDs: []v1alpha1.PlatformID{123456}},
			GrantPer: v1alpha1.GrantPerUser,
			Namespaces: []v1alpha1.NamespaceTemplate{{
				Name: v1alpha1.Template(s.prefix() + "${user.id}"),
				Access: []v1alpha1.AccessTemplate{{ClusterRole: "completion-learner", Subjects: []v1alpha1.SubjectTemplate{
					{Kind: v1alpha1.SubjectUser, Name: "oidc:${user.email}"},
				}}},
			}},
		},
	}
	for _, apply := range change {
		apply(policy)
	}
	return policy
}

// apply makes a policy and waits until it is Ready.
func (s *school) apply(policy *v1alpha1.CompletionPolicy) {
	s.t.Helper()
	g := NewWithT(s.t)
	g.Expect(admin.Create(s.t.Context(), policy)).To(Succeed())
	g.Eventually(func(g Gomega) {
		g.Expect(admin.Get(s.t.Context(), client.ObjectKeyFromObject(policy), policy)).To(Succeed())
		g.Expect(meta.IsStatusConditionTrue(policy.Status.Conditions, v1alpha1.ConditionReady)).To(BeTrue())
	}, soon, often).Should(Succeed())
}

// deliver posts the completion of a user, with other values than the contract's example where there are any, and
// returns its name.
func (s *school) deliver(user int64, values ...map[string]any) string {
	s.t.Helper()
	return path.Base(s.answer(user, values...).Completion)
}

// answer is what such a delivery is answered, which is 200.
func (s *school) answer(user int64, values ...map[string]any) system.Answer {
	s.t.Helper()
	g := NewWithT(s.t)
	all := map[string]any{
		"institution.id": int64(s.ID), "user.id": user, "enrollment.id": user + 1000,
		"user.email": fmt.Sprintf("user-%d@example.edu", user), "event.send_at": "2026-10-01 12:00:00",
		"enrollment.date_expire": "2046-12-31",
	}
	for _, more := range values {
		maps.Copy(all, more)
	}
	body, err := system.Variant(all)
	g.Expect(err).NotTo(HaveOccurred())
	answer, err := system.Deliver(s.t.Context(), s.URLs[0], body)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(answer.Status).To(Equal(200), answer.String())
	return answer
}

// taken is the outcome of a delivery that is stored: an API server that is busy takes it a moment later.
var taken = BeElementOf("created", "queued")

// awaitGrant waits until a Grant is in a phase.
func (s *school) awaitGrant(name string, phase v1alpha1.GrantPhase) *v1alpha1.Grant {
	s.t.Helper()
	g := NewWithT(s.t)
	grant := &v1alpha1.Grant{}
	g.Eventually(func(g Gomega) {
		g.Expect(admin.Get(s.t.Context(), client.ObjectKey{Namespace: s.Namespace, Name: name}, grant)).To(Succeed())
		g.Expect(grant.Status.Phase).To(Equal(phase))
	}, soon, often).Should(Succeed())
	return grant
}

// person is somebody with a kubeconfig.
type person struct {
	t          *testing.T
	kubeconfig string
}

// administrator is somebody who may do everything; the namespace of the context is default.
func administrator(t *testing.T) *person { return &person{t: t, kubeconfig: plane.Kubeconfig()} }

// with is a person who has ClusterRoles in the institution's namespace, which is that of the context.
func (s *school) with(roles ...string) *person {
	s.t.Helper()
	name := "person-" + fmt.Sprint(nextID.Add(1))
	p := newPerson(s.t, s.Namespace, name)
	for _, role := range roles {
		p.bind(s.Namespace, role)
	}
	return p
}

// newPerson makes a ServiceAccount without any rights, and its kubeconfig.
func newPerson(t *testing.T, namespace, name string) *person {
	t.Helper()
	g := NewWithT(t)
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	g.Expect(admin.Create(t.Context(), account)).To(Succeed())
	p := &person{t: t, kubeconfig: filepath.Join(scratch, namespace+"."+name)}
	g.Expect(plane.ServiceAccountKubeconfig(t.Context(), namespace, name, p.kubeconfig)).To(Succeed())
	return p
}

// bind binds the person to a ClusterRole in a namespace.
func (p *person) bind(namespace, role string) {
	p.t.Helper()
	home, name, _ := strings.Cut(filepath.Base(p.kubeconfig), ".")
	NewWithT(p.t).Expect(admin.Create(p.t.Context(), &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name + "-" + role},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: home, Name: name}},
	})).To(Succeed())
}

// result is what came of a command.
type result struct {
	out, err string
	code     int
}

// String is for messages of tests.
func (r result) String() string {
	return fmt.Sprintf("exit code %d\nstdout:\n%s\nstderr:\n%s", r.code, r.out, r.err)
}

// course runs `kubectl course` with arguments and returns what came of it.
func (p *person) course(args ...string) result { return p.courseInput("", args...) }

// courseInput is course with something on stdin.
func (p *person) courseInput(stdin string, args ...string) result {
	p.t.Helper()
	cmd := p.command(args...)
	var out, errOut bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &errOut
	err := cmd.Run()
	if cmd.ProcessState == nil {
		p.t.Fatalf("kubectl course %s: %v", strings.Join(args, " "), err)
	}
	return result{out.String(), errOut.String(), cmd.ProcessState.ExitCode()}
}

// command is `kubectl course` with arguments, for tests that stop it on its way.
func (p *person) command(args ...string) *exec.Cmd {
	cmd := exec.CommandContext(p.t.Context(), plugin, args...)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+p.kubeconfig, "HOME="+scratch, "NO_COLOR=1")
	return cmd
}

// does runs a command that has to succeed, and returns its stdout.
func (p *person) does(args ...string) string {
	p.t.Helper()
	got := p.course(args...)
	if got.code != 0 {
		p.t.Fatalf("kubectl course %s: %s", strings.Join(args, " "), got)
	}
	return got.out
}

// fails runs a command that has to fail with exit code 1, and returns its stderr.
func (p *person) fails(args ...string) string {
	p.t.Helper()
	got := p.course(args...)
	if got.code != 1 {
		p.t.Fatalf("kubectl course %s was to fail: %s", strings.Join(args, " "), got)
	}
	return got.err
}
