// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"context"
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// selfService may make namespaces and everything that a Grant provisions, as self-service platforms let people.
func selfService(t *testing.T, more ...rbacv1.PolicyRule) client.Client {
	t.Helper()
	return person(t, "eve", append(more, rule("", "namespaces", "namespaces/status", "namespaces/finalize",
		"resourcequotas", "resourcequotas/status", "limitranges"), rule("networking.k8s.io", "networkpolicies"),
		rule(rbacv1.GroupName, "rolebindings"), rbacv1.PolicyRule{
			APIGroups: []string{rbacv1.GroupName}, Resources: []string{"clusterroles"}, Verbs: []string{"bind"}})...)
}

func TestAdmissionTheOwnerLabelIsSetByTheControllerManagerAlone(t *testing.T) {
	const policy = "completion-owner-label"
	eve := selfService(t)
	own := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "eve-"}}
	allows(t, func(ctx context.Context) error { return eve.Create(ctx, own) })
	named := func(labels map[string]string) metav1.ObjectMeta {
		return metav1.ObjectMeta{Namespace: own.Name, Name: "eve", Labels: labels}
	}
	forged := map[string]string{v1alpha1.LabelGrant: "0123"}
	role := rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "view"}
	for kind, object := range map[string]client.Object{
		"a namespace":      &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "eve-"}},
		"a quota":          &corev1.ResourceQuota{ObjectMeta: named(nil)},
		"limits":           &corev1.LimitRange{ObjectMeta: named(nil)},
		"a network policy": &networkingv1.NetworkPolicy{ObjectMeta: named(nil)},
		"a role binding":   &rbacv1.RoleBinding{ObjectMeta: named(nil), RoleRef: role},
	} {
		t.Run(kind, func(t *testing.T) {
			g := NewWithT(t)
			labelled := object.DeepCopyObject().(client.Object)
			labelled.SetLabels(forged)
			refuses(t, policy, creates(eve, labelled))
			allows(t, func(ctx context.Context) error { return eve.Create(ctx, object) })
			label := func(value string) func(context.Context) error {
				return func(ctx context.Context) error {
					patch := client.RawPatch(types.MergePatchType,
						[]byte(`{"metadata":{"labels":{"`+v1alpha1.LabelGrant+`":`+value+`}}}`))
					return eve.Patch(ctx, object, patch)
				}
			}
			refuses(t, policy, label(`"0123"`))
			// Who may do everything may restore; people may take the label off.
			g.Expect(admin.Patch(t.Context(), object, client.RawPatch(types.MergePatchType,
				[]byte(`{"metadata":{"labels":{"`+v1alpha1.LabelGrant+`":"0123"}}}`)))).To(Succeed())
			refuses(t, policy, label(`"4567"`))
			allows(t, label(`null`))
			refuses(t, policy, label(`"0123"`))
		})
	}
	for name, attempt := range map[string]func(context.Context) error{
		"together with the status of a namespace": func(ctx context.Context) error {
			changed := own.DeepCopy()
			changed.Labels[v1alpha1.LabelGrant] = "0123"
			return eve.Status().Update(ctx, changed)
		},
		"when a namespace is finalized": func(ctx context.Context) error {
			changed := own.DeepCopy()
			changed.Labels[v1alpha1.LabelGrant] = "0123"
			return eve.SubResource("finalize").Update(ctx, changed)
		},
	} {
		t.Run(name, func(t *testing.T) {
			NewWithT(t).Expect(admin.Get(t.Context(), client.ObjectKeyFromObject(own), own)).To(Succeed())
			refuses(t, policy, attempt)
		})
	}
	t.Run("by who may do everything in one namespace alone", func(t *testing.T) {
		g := NewWithT(t)
		g.Expect(admin.Create(t.Context(), &rbacv1.Role{
			ObjectMeta: metav1.ObjectMeta{Namespace: own.Name, Name: "all"},
			Rules:      []rbacv1.PolicyRule{rule("*", "*")},
		})).To(Succeed())
		g.Expect(admin.Create(t.Context(), &rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{Namespace: own.Name, Name: "all"},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: "all"},
			Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: "owner@example.org"}},
		})).To(Succeed())
		refuses(t, policy, creates(user(t, "owner@example.org"), &corev1.LimitRange{ObjectMeta: metav1.ObjectMeta{
			Namespace: own.Name, Name: "restored", Labels: forged}}))
	})
	t.Run("by who may restore everywhere", func(t *testing.T) {
		restorer := selfService(t, rbacv1.PolicyRule{
			APIGroups: []string{v1alpha1.GroupName}, Resources: []string{"grants"}, Verbs: []string{"restore"}})
		allows(t, creates(restorer, &corev1.LimitRange{ObjectMeta: metav1.ObjectMeta{
			Namespace: own.Name, Name: "restored", Labels: forged}}))
	})
}
