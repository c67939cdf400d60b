// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"context"
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

const annotationInstitution = v1alpha1.GroupName + "/institution-id"

func tokenOf(namespace string) *corev1.Secret {
	const account = "texts"
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "token-of-" + account,
			Annotations: map[string]string{corev1.ServiceAccountNameKey: account}},
		Type: corev1.SecretTypeServiceAccountToken,
	}
}

// Whoever runs an institution writes its webhook tokens, and does not get the rights of its ServiceAccounts by that.
func TestInstitutionAdminGetsNoTokenOfAServiceAccount(t *testing.T) {
	const policy = "completion-institution-secrets"
	g := NewWithT(t)
	ns := makeNamespace(t, nil, map[string]string{annotationInstitution: "12345"})
	g.Expect(admin.Create(t.Context(), &corev1.ServiceAccount{
		ObjectMeta: metav1.ObjectMeta{Namespace: ns.Name, Name: "texts"}})).To(Succeed())
	ida := bound(t, ns.Name, "completion-institution-admin")
	refuses(t, policy, creates(ida, tokenOf(ns.Name)))
	// One that is there already shows itself in no answer.
	there := tokenOf(ns.Name)
	there.Name = "there"
	g.Expect(admin.Create(t.Context(), there)).To(Succeed())
	refuses(t, policy, patches(ida, there, `{}`))
	refuses(t, policy, func(ctx context.Context) error {
		return ida.Delete(ctx, there.DeepCopy(), client.DryRunAll,
			client.PropagationPolicy(metav1.DeletePropagationForeground))
	})
	for name, read := range map[string]func(context.Context) error{
		"get": func(ctx context.Context) error {
			return ida.Get(ctx, client.ObjectKeyFromObject(there), &corev1.Secret{})
		},
		"list": func(ctx context.Context) error {
			return ida.List(ctx, &corev1.SecretList{}, client.InNamespace(ns.Name))
		},
	} {
		err := read(t.Context())
		g.Expect(apierrors.IsForbidden(err)).To(BeTrue(), "%s: %v", name, err)
	}
	webhook := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: ns.Name, Name: "token"},
		Type: v1alpha1.SecretTypeWebhookToken, Data: map[string][]byte{v1alpha1.SecretKeyToken: []byte("0123")}}
	allows(t, creates(ida, webhook))

	t.Run("unless one may make tokens there anyway", func(t *testing.T) {
		trusted := person(t, "trusted", rule("", "secrets"), rbacv1.PolicyRule{
			APIGroups: []string{""}, Resources: []string{"serviceaccounts/token"}, Verbs: []string{"create"}})
		allows(t, creates(trusted, tokenOf(ns.Name)))
	})
	t.Run("where no institution is, nothing changes", func(t *testing.T) {
		other := makeNamespace(t, nil, nil)
		g := NewWithT(t)
		g.Expect(admin.Create(t.Context(), &corev1.ServiceAccount{
			ObjectMeta: metav1.ObjectMeta{Namespace: other.Name, Name: "texts"}})).To(Succeed())
		allows(t, creates(person(t, "elsewhere", rule("", "secrets")), tokenOf(other.Name)))
	})
}
