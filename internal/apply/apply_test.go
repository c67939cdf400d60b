// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Nobody has access to a namespace that nothing bounds yet.
func TestAccessComesAfterWhatBoundsIt(t *testing.T) {
	t.Parallel()
	of := func(group, kind string, want client.Object, namespace, name string) owned {
		want.SetNamespace(namespace)
		want.SetName(name)
		return owned{group: group, kind: kind, want: want}
	}
	var objects []owned
	for _, namespace := range []string{"one", "two"} {
		objects = append(objects,
			of("", "Namespace", &corev1.Namespace{}, "", namespace),
			of("", "ResourceQuota", &corev1.ResourceQuota{}, namespace, QuotaName),
			of("", "LimitRange", &corev1.LimitRange{}, namespace, LimitsName),
			of(networkingv1.GroupName, "NetworkPolicy", &networkingv1.NetworkPolicy{}, namespace, IsolationName),
			of(rbacv1.GroupName, "RoleBinding", &rbacv1.RoleBinding{}, namespace, "access-view"),
			of(rbacv1.GroupName, "RoleBinding", &rbacv1.RoleBinding{}, namespace, "access-edit"))
	}
	var got [][]string
	for len(objects) > 0 {
		n := together(objects)
		var kinds []string
		for i := range objects[:n] {
			kinds = append(kinds, objects[i].kind)
		}
		got, objects = append(got, kinds), objects[n:]
	}
	once := [][]string{
		{"Namespace"}, {"ResourceQuota", "LimitRange", "NetworkPolicy"}, {"RoleBinding", "RoleBinding"},
	}
	if diff := cmp.Diff(append(once, once...), got); diff != "" {
		t.Errorf("made together (-want +got):\n%s", diff)
	}
}
