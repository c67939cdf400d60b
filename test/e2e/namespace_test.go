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
	"k8s.io/apimachinery/pkg/api/resource"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/installation"
)

// quantities makes a map of one resource.
func quantities(name string, quantity v1alpha1.QuantityTemplate) map[string]v1alpha1.QuantityTemplate {
	return map[string]v1alpha1.QuantityTemplate{name: quantity}
}

// only returns the only object of its kind in a namespace.
func only[T any](t *testing.T, namespace string, list client.ObjectList, items func() []T) T {
	t.Helper()
	g := NewWithT(t)
	g.Expect(admin.List(t.Context(), list, client.InNamespace(namespace))).To(Succeed())
	g.Expect(items()).To(HaveLen(1), "%T in %s", list, namespace)
	return items()[0]
}

func TestGrantedNamespaceHasAllThatThePolicyGrants(t *testing.T) {
	g := NewWithT(t)
	u := grantedStudent(t)
	grants, err := u.grants(t.Context())
	g.Expect(err).NotTo(HaveOccurred())
	owner := grants[0].OwnerDigest()
	g.Expect(grants[0].Status.Phase).To(Equal(v1alpha1.GrantActive))
	g.Expect(grants[0].Spec.Policy).To(BeEquivalentTo("lab"))

	var namespace corev1.Namespace
	g.Expect(admin.Get(t.Context(), client.ObjectKey{Name: u.namespace}, &namespace)).To(Succeed())
	g.Expect(namespace.Labels).To(And(
		HaveKeyWithValue("purpose", "graduate-lab"),
		HaveKeyWithValue("pod-security.kubernetes.io/enforce", "restricted"),
		HaveKeyWithValue(v1alpha1.LabelGrant, owner),
		HaveKeyWithValue(v1alpha1.LabelPolicy, "lab"),
		HaveKeyWithValue(v1alpha1.LabelCourseID, "123456"),
	))
	g.Expect(namespace.OwnerReferences).To(BeEmpty())

	var quotas corev1.ResourceQuotaList
	quota := only(t, u.namespace, &quotas, func() []corev1.ResourceQuota { return quotas.Items })
	// What the policy does not bound is bound by the installation.
	standard, err := installation.Load("")
	g.Expect(err).NotTo(HaveOccurred())
	wantHard := standard.Quota
	wantHard["count/pods"] = resource.MustParse("10")
	if diff := cmp.Diff(wantHard, quota.Spec.Hard); diff != "" {
		t.Errorf("quota (-want +got):\n%s", diff)
	}

	var ranges corev1.LimitRangeList
	limits := only(t, u.namespace, &ranges, func() []corev1.LimitRange { return ranges.Items })
	wantLimits := []corev1.LimitRangeItem{{
		Type: corev1.LimitTypeContainer,
		Default: corev1.ResourceList{
			"cpu": resource.MustParse("1"), "memory": resource.MustParse("512Mi")},
		DefaultRequest: corev1.ResourceList{
			"cpu": resource.MustParse("50m"), "memory": resource.MustParse("128Mi")},
	}}
	if diff := cmp.Diff(wantLimits, limits.Spec.Limits); diff != "" {
		t.Errorf("limits (-want +got):\n%s", diff)
	}

	var policies networkingv1.NetworkPolicyList
	isolation := only(t, u.namespace, &policies, func() []networkingv1.NetworkPolicy { return policies.Items })
	g.Expect(isolation.Spec.PodSelector.Size()).To(BeZero(), "it is for every pod")
	g.Expect(isolation.Spec.PolicyTypes).To(ConsistOf(networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress))

	var bindings rbacv1.RoleBindingList
	binding := only(t, u.namespace, &bindings, func() []rbacv1.RoleBinding { return bindings.Items })
	g.Expect(binding.RoleRef).To(Equal(rbacv1.RoleRef{
		APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: v1alpha1.DefaultClusterRole,
	}))
	g.Expect(binding.Subjects).To(Equal([]rbacv1.Subject{{
		APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: u.values["user.email"].(string),
	}}))

	for _, object := range []client.Object{&quota, &limits, &isolation, &binding} {
		g.Expect(object.GetLabels()).To(HaveKeyWithValue(v1alpha1.LabelGrant, owner), "%T", object)
	}
	// The namespace and the four objects in it.
	g.Expect(grants[0].Status.Inventory).To(HaveLen(5))
}

func TestLearnerMayWorkAndNotWidenTheBounds(t *testing.T) {
	u := grantedStudent(t)
	s := u.school
	for _, tc := range []struct {
		verb, group, resource, subresource string
		want                               bool
	}{
		{"create", "", "pods", "", true},
		{"get", "", "pods", "log", true},
		{"create", "", "pods", "exec", true},
		{"create", "apps", "deployments", "", true},
		{"create", "", "services", "", true},
		{"create", "", "configmaps", "", true},
		{"get", "", "secrets", "", true},
		{"create", "batch", "jobs", "", true},
		{"create", "", "persistentvolumeclaims", "", true},
		{"get", "", "resourcequotas", "", true},
		{"update", "", "resourcequotas", "", false},
		{"delete", "", "limitranges", "", false},
		{"delete", "networking.k8s.io", "networkpolicies", "", false},
		{"create", "networking.k8s.io", "networkpolicies", "", false},
		{"create", "rbac.authorization.k8s.io", "rolebindings", "", false},
		{"create", "rbac.authorization.k8s.io", "roles", "", false},
		{"create", "", "serviceaccounts", "", false},
		{"create", "networking.k8s.io", "ingresses", "", false},
		{"update", "", "namespaces", "", false},
	} {
		t.Run(tc.verb+" "+tc.resource+"/"+tc.subresource, func(t *testing.T) {
			got, err := allowed(t.Context(), u.values["user.email"].(string), right{
				namespace: u.namespace, verb: tc.verb, group: tc.group, resource: tc.resource, subresource: tc.subresource,
			})
			g := NewWithT(t)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(got).To(Equal(tc.want))
			elsewhere, err := allowed(t.Context(), u.values["user.email"].(string), right{
				namespace: s.namespace, verb: tc.verb, group: tc.group, resource: tc.resource, subresource: tc.subresource,
			})
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(elsewhere).To(BeFalse(), "in the institution's namespace")
		})
	}
}
