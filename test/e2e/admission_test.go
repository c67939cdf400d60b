// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/test/cluster"
	"github.com/lxp-dev/course-completion-operator/test/system"
)

// as returns a client with the credentials of one of the programs: what somebody has who takes the program over.
func as(t *testing.T, serviceAccount string) client.Client {
	t.Helper()
	g := NewWithT(t)
	config, err := plane.ServiceAccountConfig(t.Context(), system.Namespace, serviceAccount)
	g.Expect(err).NotTo(HaveOccurred())
	c, err := system.NewClient(config)
	g.Expect(err).NotTo(HaveOccurred())
	return c
}

// member returns a client of somebody who has one of the shipped roles in the school's namespace.
func (s *school) member(t *testing.T, name, role string) client.Client {
	t.Helper()
	g := NewWithT(t)
	g.Expect(admin.Create(t.Context(), &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: name},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: name + "@example.org"}},
	})).To(Succeed())
	config := plane.AdminConfig()
	config.Impersonate.UserName = name + "@example.org"
	c, err := system.NewClient(config)
	g.Expect(err).NotTo(HaveOccurred())
	return c
}

// refused expects that admission, and not the lack of a right, refuses a write.
func refused(err error, policy string) func(Gomega) {
	return func(g Gomega) {
		g.Expect(apierrors.IsForbidden(err)).To(BeTrue(), "%v", err)
		g.Expect(err).To(MatchError(ContainSubstring("ValidatingAdmissionPolicy '" + policy + "'")))
	}
}

func TestAdmissionTheWebhookServerSetsNoOwnersOrFinalizers(t *testing.T) {
	g := NewWithT(t)
	s := openSchool(t)
	u := s.student()
	u.complete(t)
	server := as(t, "completion-webhook-server")
	stored := &v1alpha1.CourseCompletion{}
	g.Expect(server.Get(t.Context(), u.completion, stored)).To(Succeed())
	owner := metav1.OwnerReference{APIVersion: "v1", Kind: "ConfigMap", Name: "none", UID: "none"}
	for name, edit := range map[string]func(*metav1.ObjectMeta){
		"an owner":    func(m *metav1.ObjectMeta) { m.OwnerReferences = []metav1.OwnerReference{owner} },
		"a finalizer": func(m *metav1.ObjectMeta) { m.Finalizers = []string{"example.com/hold"} },
	} {
		changed := stored.DeepCopy()
		edit(&changed.ObjectMeta)
		t.Run(name+" in an update", func(t *testing.T) {
			// The controller-manager may write the status meanwhile.
			NewWithT(t).Eventually(func(g Gomega) {
				now := &v1alpha1.CourseCompletion{}
				g.Expect(server.Get(t.Context(), u.completion, now)).To(Succeed())
				edit(&now.ObjectMeta)
				refused(server.Update(t.Context(), now), "completion-recorded-completions")(g)
			}, soon, often).Should(Succeed())
		})
		t.Run(name+" in a create", func(t *testing.T) {
			fresh := changed.DeepCopy()
			fresh.ResourceVersion, fresh.UID = "", ""
			fresh.Spec.Course.ID++
			fresh.Name = fresh.Spec.Name()
			refused(server.Create(t.Context(), fresh), "completion-recorded-completions")(NewWithT(t))
		})
	}
	// What people have added does not keep the webhook server from recording.
	held := client.MergeFrom(stored.DeepCopy())
	stored.Finalizers = []string{"example.com/hold"}
	g.Expect(admin.Patch(t.Context(), stored, held)).To(Succeed())
	g.Expect(u.deliver(t, "event.send_at", "2023-07-04 08:00:00").Outcome).To(Equal("updated"))
	g.Expect(admin.Get(t.Context(), u.completion, stored)).To(Succeed())
	release := client.MergeFrom(stored.DeepCopy())
	stored.Finalizers = nil
	g.Expect(admin.Patch(t.Context(), stored, release)).To(Succeed())
}

func TestAdmissionPlannedGrantsBelongToTheControllerManager(t *testing.T) {
	g := NewWithT(t)
	u := grantedStudent(t)
	s := u.school
	grants, err := u.grants(t.Context())
	g.Expect(err).NotTo(HaveOccurred())
	later := metav1.NewTime(time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC))
	for name, edit := range map[string]func(*v1alpha1.GrantSpec){
		"causes":     func(s *v1alpha1.GrantSpec) { s.Causes[0].SendAt = "2099-01-01 00:00:00" },
		"namespaces": func(s *v1alpha1.GrantSpec) { s.Namespaces[0].PodSecurity = v1alpha1.PodSecurityPrivileged },
		"access":     func(s *v1alpha1.GrantSpec) { s.Namespaces[0].Access[0].Subjects[0].Name = "eve@example.com" },
		"seats":      func(s *v1alpha1.GrantSpec) { s.Seats = []v1alpha1.GrantedSeat{{Pool: "desks"}} },
		"takes": func(s *v1alpha1.GrantSpec) {
			s.Revokes = v1alpha1.GrantRevocation{Completion: s.Causes[0].Completion, SendAt: s.Causes[0].SendAt,
				SentAt: s.Causes[0].SentAt, Digest: s.Causes[0].Digest, Seats: []v1alpha1.RevokedSeat{{Pool: "desks"}}}
		},
		"requiredCourseIDs": func(s *v1alpha1.GrantSpec) { s.RequiredCourseIDs = []v1alpha1.PlatformID{123456} },
		"lifetime":          func(s *v1alpha1.GrantSpec) { s.Lifetime.GraceDays = new(int32(7)) },
		"onRevoke":          func(s *v1alpha1.GrantSpec) { s.OnRevoke = v1alpha1.RemovalRetain },
		"onPolicyRemoval":   func(s *v1alpha1.GrantSpec) { s.OnPolicyRemoval = v1alpha1.RemovalDelete },
		"approval":          func(s *v1alpha1.GrantSpec) { s.Approval = v1alpha1.ApprovalManual },
		"accessEndsAt":      func(s *v1alpha1.GrantSpec) { s.AccessEndsAt = &later },
	} {
		t.Run(name, func(t *testing.T) {
			changed := grants[0].DeepCopy()
			edit(&changed.Spec)
			err := admin.Patch(t.Context(), changed, client.MergeFrom(&grants[0]))
			refused(err, "completion-planned-grants")(NewWithT(t))
		})
	}
	t.Run("a planned grant made by hand", func(t *testing.T) {
		forged := &v1alpha1.Grant{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: "forged"}}
		forged.Spec.Policy, forged.Spec.Holder = "lab", grants[0].Spec.Holder
		author := s.member(t, "author", "completion-institution-admin")
		refused(author.Create(t.Context(), forged), "completion-planned-grants")(NewWithT(t))
	})
	t.Run("a planned grant restored from a backup", func(t *testing.T) {
		g := NewWithT(t)
		restored := &v1alpha1.Grant{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: "lab.restored"}}
		restored.Spec = *grants[0].Spec.DeepCopy()
		restored.Spec.Holder.UserID++
		// Who may do everything may restore.
		g.Expect(admin.Create(t.Context(), restored)).To(Succeed())
		g.Expect(admin.Delete(t.Context(), restored)).To(Succeed())
	})
	t.Run("the override is for people", func(t *testing.T) {
		g := NewWithT(t)
		changed := grants[0].DeepCopy()
		changed.Spec.Override = v1alpha1.GrantOverride{Revoked: new(true), Reason: "left the school"}
		g.Expect(admin.Patch(t.Context(), changed, client.MergeFrom(&grants[0]))).To(Succeed())
		u.awaitGrant(t, v1alpha1.ReasonRevoked)
	})
}

// The rule on planned Grants names every field but override; a field that is new and not named would be open to all.
func TestAdmissionNamesEveryFieldOfAPlannedGrant(t *testing.T) {
	g := NewWithT(t)
	root, err := cluster.RepositoryRoot()
	g.Expect(err).NotTo(HaveOccurred())
	rule, err := os.ReadFile(filepath.Join(root, "config", "admission", "planned_grants.yaml"))
	g.Expect(err).NotTo(HaveOccurred())
	text, err := os.ReadFile(filepath.Join(root, "config", "crd", "bases", "completions.lxp.dev_grants.yaml"))
	g.Expect(err).NotTo(HaveOccurred())
	crd := map[string]any{}
	g.Expect(yaml.Unmarshal(text, &crd)).To(Succeed())
	versions, _, err := unstructured.NestedSlice(crd, "spec", "versions")
	g.Expect(err).NotTo(HaveOccurred())
	fields, _, err := unstructured.NestedMap(versions[0].(map[string]any),
		"schema", "openAPIV3Schema", "properties", "spec", "properties")
	g.Expect(err).NotTo(HaveOccurred())
	var missing []string
	for field := range fields {
		if field != "override" && !strings.Contains(string(rule), "object.spec.?"+field+" == oldObject.spec.?"+field) {
			missing = append(missing, field)
		}
	}
	slices.Sort(missing)
	g.Expect(missing).To(BeEmpty())
}

func TestAdmissionTheControllerManagerTouchesOnlyWhatIsOwned(t *testing.T) {
	manager := as(t, "completion-controller-manager")
	const policy = "completion-provisioned-objects"
	g := NewWithT(t)
	foreign := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "foreign-"}}
	g.Expect(admin.Create(t.Context(), foreign)).To(Succeed())
	labels := map[string]string{v1alpha1.LabelGrant: "0123"}
	binding := func(namespace string, labels map[string]string) *rbacv1.RoleBinding {
		return &rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "taken-over", Labels: labels},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "completion-learner"},
		}
	}
	label := func(ctx context.Context, name string) error {
		ns := &corev1.Namespace{}
		if err := manager.Get(ctx, client.ObjectKey{Name: name}, ns); err != nil {
			return err
		}
		before := client.MergeFrom(ns.DeepCopy())
		ns.Labels[v1alpha1.LabelGrant] = "0123"
		return manager.Patch(ctx, ns, before)
	}
	for name, attempt := range map[string]func(context.Context) error{
		"deletes a foreign namespace": func(ctx context.Context) error { return manager.Delete(ctx, foreign) },
		"labels a foreign namespace":  func(ctx context.Context) error { return label(ctx, foreign.Name) },
		"labels a system namespace":   func(ctx context.Context) error { return label(ctx, "kube-system") },
		"makes an unlabelled namespace": func(ctx context.Context) error {
			return manager.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "unlabelled"}})
		},
		"makes an unlabelled binding": func(ctx context.Context) error {
			return manager.Create(ctx, binding(foreign.Name, nil))
		},
		"makes a labelled binding in a system namespace": func(ctx context.Context) error {
			return manager.Create(ctx, binding("kube-system", labels))
		},
		"makes a labelled binding in its own namespace": func(ctx context.Context) error {
			return manager.Create(ctx, binding(system.Namespace, labels))
		},
	} {
		t.Run(name, func(t *testing.T) { refused(attempt(t.Context()), policy)(NewWithT(t)) })
	}
	g.Expect(admin.Get(t.Context(), client.ObjectKeyFromObject(foreign), foreign)).To(Succeed())
	g.Expect(foreign.DeletionTimestamp.IsZero()).To(BeTrue())
	g.Expect(foreign.Labels).NotTo(HaveKey(v1alpha1.LabelGrant))

	// What its owners let completions take away may be deleted, and not changed.
	t.Run("a namespace that may be taken away", func(t *testing.T) {
		g := NewWithT(t)
		foreign.Labels[v1alpha1.LabelRevocable] = "12345"
		g.Expect(admin.Update(t.Context(), foreign)).To(Succeed())
		refused(label(t.Context(), foreign.Name), policy)(g)
		refused(manager.Create(t.Context(), binding(foreign.Name, labels)), policy)(g)
		g.Expect(manager.Delete(t.Context(), foreign)).To(Succeed())
	})
	t.Run("a system namespace that may be taken away", func(t *testing.T) {
		g := NewWithT(t)
		own := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
			GenerateName: "kube-revocable-", Labels: map[string]string{v1alpha1.LabelRevocable: "12345"}}}
		g.Expect(admin.Create(t.Context(), own)).To(Succeed())
		refused(manager.Delete(t.Context(), own), policy)(g)
		g.Expect(admin.Delete(t.Context(), own)).To(Succeed())
	})
}
