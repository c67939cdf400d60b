// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"context"
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/test/system"
)

const enforce = "pod-security.kubernetes.io/enforce"

// Whoever takes over the controller-manager makes himself no namespace in which pods may do more than learners' may.
func TestTakenOverControllerManagerKeepsToThePodSecurityLevel(t *testing.T) {
	const policy = "completion-provisioned-objects"
	manager := as(t, "completion-controller-manager")
	made := func(labels map[string]string) *corev1.Namespace {
		labels[v1alpha1.LabelGrant] = "0123"
		return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "zz-", Labels: labels}}
	}
	for name, labels := range map[string]map[string]string{
		"privileged":              {enforce: "privileged"},
		"baseline":                {enforce: "baseline"},
		"no level":                {},
		"an old version of it":    {enforce: "restricted", enforce + "-version": "v1.8"},
		"a misspelt level's name": {"pod-security.kubernetes.io/enforced": "restricted"},
	} {
		t.Run(name, func(t *testing.T) { refuses(t, policy, creates(manager, made(labels))) })
	}
	allows(t, creates(manager, made(map[string]string{enforce: "restricted"})))
	ns := granted(t)
	t.Run("a change", func(t *testing.T) {
		refuses(t, policy, patches(manager, ns, `{"metadata":{"labels":{"`+enforce+`":"privileged"}}}`))
		refuses(t, policy, patches(manager, ns, `{"metadata":{"labels":{"`+enforce+`":null}}}`))
		refuses(t, policy, patches(manager, ns, `{"metadata":{"labels":{"`+enforce+`-version":"v1.8"}}}`))
	})
	t.Run("what people chose is left to them", func(t *testing.T) {
		chosen := makeNamespace(t, map[string]string{v1alpha1.LabelGrant: "0123", enforce: "restricted",
			enforce + "-version": "v1.36"}, nil)
		allows(t, patches(manager, chosen, `{"metadata":{"annotations":{"a":"b"}}}`))
		loose := makeNamespace(t, map[string]string{v1alpha1.LabelGrant: "0123", enforce: "privileged"}, nil)
		allows(t, patches(manager, loose, `{"metadata":{"labels":{"`+enforce+`":"restricted"}}}`))
		allows(t, func(ctx context.Context) error { return manager.Delete(ctx, loose) })
	})
}

// Nor does he give access to whom no policy could give it.
func TestTakenOverControllerManagerKeepsToSubjectsOfPolicies(t *testing.T) {
	const policy = "completion-provisioned-objects"
	manager := as(t, "completion-controller-manager")
	ns := granted(t)
	bind := func(subjects ...rbacv1.Subject) *rbacv1.RoleBinding {
		return &rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{Namespace: ns.Name, Name: "taken-over",
				Labels: map[string]string{v1alpha1.LabelGrant: "0123"}},
			RoleRef:  rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "completion-learner"},
			Subjects: subjects,
		}
	}
	named := func(kind, name string) rbacv1.Subject {
		return rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: kind, Name: name}
	}
	account := func(namespace string) rbacv1.Subject {
		return rbacv1.Subject{Kind: rbacv1.ServiceAccountKind, Namespace: namespace, Name: "completion-controller-manager"}
	}
	good := []rbacv1.Subject{named(rbacv1.UserKind, "ana@example.org"), account(ns.Name)}
	for name, subject := range map[string]rbacv1.Subject{
		"a user of the system":         named(rbacv1.UserKind, "system:anonymous"),
		"a ServiceAccount as a user":   named(rbacv1.UserKind, "system:serviceaccount:"+system.Namespace+":default"),
		"everybody":                    named(rbacv1.GroupKind, "system:authenticated"),
		"a group":                      named(rbacv1.GroupKind, "students"),
		"his own ServiceAccount":       account(system.Namespace),
		"another ServiceAccount there": account("default"),
	} {
		t.Run(name, func(t *testing.T) {
			refuses(t, policy, creates(manager, bind(append(good[:2:2], subject)...)))
		})
	}
	allows(t, creates(manager, bind(good...)))
	allows(t, creates(manager, bind()))
	t.Run("a change", func(t *testing.T) {
		binding := bind(good...)
		g := NewWithT(t)
		g.Expect(admin.Create(t.Context(), binding)).To(Succeed())
		refuses(t, policy, patches(manager, binding,
			`{"subjects":[{"kind":"Group","apiGroup":"rbac.authorization.k8s.io","name":"system:authenticated"}]}`))
	})
}

// A RoleBinding that a template made may be deleted, and nothing else be done to it.
func TestControllerManagerDeletesTemplatedAccess(t *testing.T) {
	const policy = "completion-provisioned-objects"
	manager := as(t, "completion-controller-manager")
	ns := makeNamespace(t, nil, nil)
	binding := &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: ns.Name, Name: "templated"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "view"},
	}
	g := NewWithT(t)
	g.Expect(admin.Create(t.Context(), binding)).To(Succeed())
	remove := func(ctx context.Context) error { return manager.Delete(ctx, binding) }
	refuses(t, policy, remove)
	binding.Labels = map[string]string{v1alpha1.LabelAppliedFor: "0123"}
	g.Expect(admin.Update(t.Context(), binding)).To(Succeed())
	refuses(t, policy, patches(manager, binding, `{"subjects":[]}`))
	allows(t, remove)
}
