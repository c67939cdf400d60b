// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

func TestNamespaceThatWasThereBeforeStaysUntouched(t *testing.T) {
	g := NewWithT(t)
	u := labStudent(t)
	foreign := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name: u.namespace, Labels: map[string]string{"belongs-to": "somebody-else"},
	}}
	g.Expect(admin.Create(t.Context(), foreign)).To(Succeed())

	u.complete(t)
	u.awaitGrant(t, v1alpha1.ReasonConflict)
	g.Eventually(func() (string, error) { return u.ready(t.Context()) }, soon, often).
		Should(Equal(v1alpha1.ReasonGrantNotReady))
	grants, err := u.grants(t.Context())
	g.Expect(err).NotTo(HaveOccurred())
	condition := meta.FindStatusCondition(grants[0].Status.Conditions, v1alpha1.ConditionReady)
	g.Expect(condition.Message).To(ContainSubstring(u.namespace), "the condition names what is in the way")

	var now corev1.Namespace
	g.Expect(admin.Get(t.Context(), client.ObjectKeyFromObject(foreign), &now)).To(Succeed())
	if diff := cmp.Diff(foreign, &now); diff != "" {
		t.Errorf("the namespace was touched (-before +after):\n%s", diff)
	}
	for _, list := range []client.ObjectList{
		&corev1.ResourceQuotaList{}, &corev1.LimitRangeList{}, &networkingv1.NetworkPolicyList{}, &rbacv1.RoleBindingList{},
	} {
		g.Expect(admin.List(t.Context(), list, client.InNamespace(u.namespace))).To(Succeed())
		g.Expect(meta.LenList(list)).To(BeZero(), "%T", list)
	}

	g.Expect(admin.Delete(t.Context(), foreign)).To(Succeed())
	u.awaitGrant(t, v1alpha1.ReasonActive)
	g.Expect(admin.Get(t.Context(), client.ObjectKeyFromObject(foreign), &now)).To(Succeed())
	g.Expect(now.UID).NotTo(Equal(foreign.UID))
	g.Expect(now.Labels).To(HaveKeyWithValue(v1alpha1.LabelGrant, grants[0].OwnerDigest()))
}

func TestEndOfAGrantInConflictLeavesTheForeignNamespace(t *testing.T) {
	g := NewWithT(t)
	u := labStudent(t)
	foreign := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: u.namespace}}
	g.Expect(admin.Create(t.Context(), foreign)).To(Succeed())
	u.complete(t)
	u.awaitGrant(t, v1alpha1.ReasonConflict)

	u.withdraw(t)
	u.awaitGrant(t, v1alpha1.ReasonEnded)
	var now corev1.Namespace
	g.Expect(admin.Get(t.Context(), client.ObjectKeyFromObject(foreign), &now)).To(Succeed())
	if diff := cmp.Diff(foreign, &now); diff != "" {
		t.Errorf("the namespace was touched (-before +after):\n%s", diff)
	}
}
