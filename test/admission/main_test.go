// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package admission tests what config/admission has the API server refuse, with the credentials that somebody would
// really hold, and what it has to let through. Neither of the programs runs.
package admission

import (
	"context"
	"os"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/test/cluster"
	"github.com/lxp-dev/course-completion-operator/test/system"
)

const (
	soon  = 60 * time.Second
	often = 50 * time.Millisecond
)

var (
	plane *cluster.Cluster
	admin client.WithWatch
)

func TestMain(m *testing.M) {
	os.Exit(cluster.Main(m, cluster.Options{}, func(c *cluster.Cluster) {
		plane = c
		if err := install(context.Background()); err != nil {
			panic(err)
		}
	}))
}

func install(ctx context.Context) (err error) {
	if err = system.Install(ctx, plane); err != nil {
		return err
	}
	if admin, err = system.NewClient(plane.AdminConfig()); err != nil {
		return err
	}
	return nil
}

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

// user returns a client of somebody without any rights so far.
func user(t *testing.T, name string) client.Client {
	t.Helper()
	config := plane.AdminConfig()
	config.Impersonate.UserName = name
	c, err := system.NewClient(config)
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	return c
}

// person returns a client of somebody who may do in the whole cluster what the rules say.
func person(t *testing.T, name string, rules ...rbacv1.PolicyRule) client.Client {
	t.Helper()
	g := NewWithT(t)
	role := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{GenerateName: name + "-"}, Rules: rules}
	g.Expect(admin.Create(t.Context(), role)).To(Succeed())
	g.Expect(admin.Create(t.Context(), &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: role.Name},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role.Name},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: role.Name}},
	})).To(Succeed())
	return user(t, role.Name)
}

// bound returns a client of somebody who has a ClusterRole in a namespace, once the API server knows.
func bound(t *testing.T, namespace, role string) client.Client {
	t.Helper()
	g := NewWithT(t)
	binding := &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, GenerateName: role + "-"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: role + "@" + namespace}},
	}
	g.Expect(admin.Create(t.Context(), binding)).To(Succeed())
	return user(t, role+"@"+namespace)
}

// bindingOf lets a user do what learners may.
func bindingOf(namespace, name string) *rbacv1.RoleBinding {
	return &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, GenerateName: "learner-"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: learnerRole},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: name}},
	}
}

func rule(group string, resources ...string) rbacv1.PolicyRule {
	return rbacv1.PolicyRule{APIGroups: []string{group}, Resources: resources, Verbs: []string{"*"}}
}

// makeNamespace makes a namespace that carries labels and annotations.
func makeNamespace(t *testing.T, labels, annotations map[string]string) *corev1.Namespace {
	t.Helper()
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		GenerateName: "n-", Labels: labels, Annotations: annotations}}
	NewWithT(t).Expect(admin.Create(t.Context(), ns)).To(Succeed())
	return ns
}

func granted(t *testing.T) *corev1.Namespace {
	t.Helper()
	return makeNamespace(t, map[string]string{v1alpha1.LabelGrant: "0123",
		"pod-security.kubernetes.io/enforce": "restricted"}, nil)
}

// refuses expects that a policy refuses an attempt. A right that was just given, and a policy that was just made, take
// the API server a moment, so that it is repeated while something else is said; nothing may succeed.
func refuses(t *testing.T, policy string, attempt func(context.Context) error) {
	t.Helper()
	NewWithT(t).Eventually(func(g Gomega) {
		err := attempt(t.Context())
		g.Expect(err).To(MatchError(ContainSubstring("ValidatingAdmissionPolicy '" + policy + "'")))
		g.Expect(err).NotTo(MatchError(ContainSubstring("resulted in error")))
		g.Expect(apierrors.IsForbidden(err) || apierrors.IsInvalid(err)).To(BeTrue(), "%v", err)
	}, soon, often).Should(Succeed())
}

// fails expects that a policy refuses an attempt because it cannot be worked out.
func fails(t *testing.T, policy string, attempt func(context.Context) error) {
	t.Helper()
	NewWithT(t).Eventually(func() error { return attempt(t.Context()) }, soon, often).
		Should(MatchError(ContainSubstring("ValidatingAdmissionPolicy '" + policy + "'")))
}

// allows expects that an attempt succeeds once the API server knows of the rights that were given for it.
func allows(t *testing.T, attempt func(context.Context) error) {
	t.Helper()
	NewWithT(t).Eventually(func() error { return attempt(t.Context()) }, soon, often).Should(Succeed())
}

// creates is an attempt to create an object, which is not stored: it can be repeated.
func creates(c client.Client, object client.Object) func(context.Context) error {
	return func(ctx context.Context) error {
		return c.Create(ctx, object.DeepCopyObject().(client.Object), client.DryRunAll)
	}
}

// updates is an attempt to write an object, which is not stored.
func updates(c client.Client, object client.Object) func(context.Context) error {
	return func(ctx context.Context) error {
		return c.Update(ctx, object.DeepCopyObject().(client.Object), client.DryRunAll)
	}
}

// patches is an attempt to change an object by a merge patch, which is not stored.
func patches(c client.Client, object client.Object, patch string) func(context.Context) error {
	return func(ctx context.Context) error {
		return c.Patch(ctx, object.DeepCopyObject().(client.Object), client.RawPatch(types.MergePatchType, []byte(patch)),
			client.DryRunAll)
	}
}
