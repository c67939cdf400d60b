// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"crypto/rand"
	"encoding/hex"
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/test/system"
)

// landlord is who has all the rights in a namespace that the cluster's own roles give, and ours for people.
func landlord(t *testing.T, namespace string) client.Client {
	t.Helper()
	g := NewWithT(t)
	user := namespace + "-admin@example.org"
	for _, role := range []string{"admin", "completion-institution-admin"} {
		g.Expect(admin.Create(t.Context(), &rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "landlord-" + role},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
			Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: user}},
		})).To(Succeed())
	}
	config := plane.AdminConfig()
	config.Impersonate.UserName = user
	c, err := system.NewClient(config)
	g.Expect(err).NotTo(HaveOccurred())
	return c
}

// Whoever has a namespace of their own becomes no institution by that, let alone another one.
func TestAttacksOfANamespaceAdmin(t *testing.T) {
	g, ctx := NewWithT(t), t.Context()
	victim := openSchool(t)
	bytes := make([]byte, 4)
	_, err := rand.Read(bytes)
	g.Expect(err).NotTo(HaveOccurred())
	own := "mallory-" + hex.EncodeToString(bytes)
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: own}}
	g.Expect(admin.Create(ctx, namespace)).To(Succeed())
	mallory := landlord(t, own)
	binding := victim.binding()
	binding.Namespace = own

	g.Eventually(func() error { return mallory.List(ctx, &corev1.SecretList{}, client.InNamespace(own)) }, soon, often).
		Should(Succeed(), "she has her rights by now")
	err = mallory.Create(ctx, binding)
	g.Expect(apierrors.IsForbidden(err)).To(BeTrue(), "she binds completion-institution: %v", err)
	g.Expect(err).To(MatchError(ContainSubstring("use")))

	changed := namespace.DeepCopy()
	changed.Annotations = system.InstitutionNamespace(own, victim.id, victim.prefix).Annotations
	err = mallory.Patch(ctx, changed, client.MergeFrom(namespace))
	g.Expect(apierrors.IsForbidden(err)).To(BeTrue(), "she changes her Namespace: %v", err)

	// Even where somebody bound the role for her.
	g.Expect(admin.Create(ctx, binding)).To(Succeed())
	g.Expect(mallory.Create(ctx, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: own, Name: "token"}, Type: v1alpha1.SecretTypeWebhookToken,
		StringData: map[string]string{v1alpha1.SecretKeyToken: victim.token},
	})).To(Succeed())
	pretender := victim.institution()
	pretender.Namespace = own
	g.Expect(mallory.Create(ctx, pretender)).To(Succeed())
	squatter := &v1alpha1.Grant{
		ObjectMeta: metav1.ObjectMeta{Namespace: own, Name: "squat"},
		Spec: v1alpha1.GrantSpec{
			Holder:     v1alpha1.GrantHolder{InstitutionID: victim.id, UserID: 1},
			Namespaces: []v1alpha1.GrantedNamespace{{Name: victim.prefix + "squatted"}},
		},
	}
	g.Expect(mallory.Create(ctx, squatter)).To(Succeed())
	g.Eventually(func(g Gomega) {
		g.Expect(admin.Get(ctx, client.ObjectKeyFromObject(pretender), pretender)).To(Succeed())
		g.Expect(reasonOf(pretender.Status.Conditions)).To(Equal(v1alpha1.ReasonNotAllowed))
		g.Expect(admin.Get(ctx, client.ObjectKeyFromObject(squatter), squatter)).To(Succeed())
		g.Expect(reasonOf(squatter.Status.Conditions)).To(Equal(v1alpha1.ReasonNotAllowed))
	}, eventually, often).Should(Succeed())
	g.Expect(pretender.Status.Tokens).To(BeEmpty())
	err = admin.Get(ctx, client.ObjectKey{Name: victim.prefix + "squatted"}, &corev1.Namespace{})
	g.Expect(apierrors.IsNotFound(err)).To(BeTrue())

	// The one whose name and token she used notices nothing.
	g.Expect(victim.reason(ctx)).To(Equal(v1alpha1.ReasonReady))
	victim.apply(t, victim.labPolicy())
	u := victim.student()
	u.complete(t)
	u.awaitGrant(t, v1alpha1.ReasonActive)
}
