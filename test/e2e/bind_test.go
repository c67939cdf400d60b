// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"testing"

	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// RBAC lets everybody bind what they hold themselves, and the controller-manager holds a lot: whoever writes policies
// must not get it by that way.
func TestPolicyBindsOnlyTheRolesThatTheInstallationAllows(t *testing.T) {
	for _, tc := range []struct {
		role, want string
		bindings   int
	}{
		{"completion-controller-manager", v1alpha1.ReasonForbidden, 0},
		{"completion-institution", v1alpha1.ReasonForbidden, 0},
		{"cluster-admin", v1alpha1.ReasonForbidden, 0},
		{"completion-learner", v1alpha1.ReasonActive, 1},
	} {
		t.Run(tc.role, func(t *testing.T) {
			g := NewWithT(t)
			s := openSchool(t)
			policy := s.labPolicy()
			policy.Spec.Namespaces[0].Access[0].ClusterRole = tc.role
			s.apply(t, policy)
			u := s.student()
			u.complete(t)
			u.awaitGrant(t, tc.want)
			var bindings rbacv1.RoleBindingList
			g.Expect(admin.List(t.Context(), &bindings, client.InNamespace(u.namespace))).To(Succeed())
			g.Expect(bindings.Items).To(HaveLen(tc.bindings))
			if tc.bindings == 0 {
				g.Eventually(func() (string, error) { return u.ready(t.Context()) }, soon, often).
					Should(Equal(v1alpha1.ReasonGrantNotReady))
				return
			}
			g.Expect(bindings.Items[0].RoleRef.Name).To(Equal(tc.role))
			g.Expect(bindings.Items[0].Subjects).To(HaveLen(1))
			g.Expect(bindings.Items[0].Subjects[0].Name).To(Equal(u.values["user.email"]))
		})
	}
}
