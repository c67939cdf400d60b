// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"cmp"
	"slices"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

func entryOf(group, kind string, object client.Object, uid types.UID) v1alpha1.InventoryEntry {
	return v1alpha1.InventoryEntry{
		Group: new(group), Kind: kind, Namespace: new(object.GetNamespace()), Name: object.GetName(), UID: string(uid),
	}
}

// identity tells objects apart that exist at the same time.
func identity(e v1alpha1.InventoryEntry) string {
	return *e.Group + "/" + e.Kind + "/" + *e.Namespace + "/" + e.Name
}

// recorded reports whether an entry of an inventory is about an object.
func recorded(entry, object v1alpha1.InventoryEntry) bool {
	return entry.ServiceAccountName == "" && entry.UID == object.UID && identity(entry) == identity(object)
}

// recordedUID returns the uid by which a Grant has recorded an object that it made itself, empty if it has not.
func recordedUID(grant *v1alpha1.Grant, object v1alpha1.InventoryEntry) string {
	for _, entry := range grant.Status.Inventory {
		if entry.ServiceAccountName == "" && entry.Name == object.Name && entry.Kind == object.Kind &&
			*entry.Namespace == *object.Namespace && *entry.Group == *object.Group {
			return entry.UID
		}
	}
	return ""
}

// merge unites inventories; where both have an object, the entry of the latter stands. Working through the entries in
// order removes access before data.
func merge(first, second []v1alpha1.InventoryEntry) []v1alpha1.InventoryEntry {
	entries := map[string]v1alpha1.InventoryEntry{}
	for _, e := range slices.Concat(first, second) {
		entries[identity(e)] = e
	}
	merged := make([]v1alpha1.InventoryEntry, 0, len(entries))
	for _, e := range entries {
		merged = append(merged, e)
	}
	slices.SortFunc(merged, func(a, b v1alpha1.InventoryEntry) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(identity(a), identity(b)))
	})
	return merged
}

// rank orders kinds for removal: access, then namespaces, which take what is in them along.
func rank(entry v1alpha1.InventoryEntry) int {
	switch {
	case isAccess(entry):
		return 0
	case isNamespace(entry):
		return 1
	}
	return 2
}

// isAccess reports whether an object gives somebody rights, and so goes when access ends.
func isAccess(entry v1alpha1.InventoryEntry) bool {
	return *entry.Group == rbacv1.GroupName && (entry.Kind == "RoleBinding" || entry.Kind == "ClusterRoleBinding")
}

// accessGoes reports whether an object gives access that goes with the namespace that a Grant no longer says.
func accessGoes(grant *v1alpha1.Grant, entry v1alpha1.InventoryEntry) bool {
	return isAccess(entry) && grant.Spec.OnPolicyRemoval == v1alpha1.RemovalDelete
}

func isNamespace(entry v1alpha1.InventoryEntry) bool {
	return *entry.Group == "" && entry.Kind == "Namespace"
}

// kindList reads the objects of one kind.
type kindList struct {
	group, kind string
	objects     client.ObjectList
	items       func() []client.Object
}

func lists() []kindList {
	namespaces, quotas, limits := &corev1.NamespaceList{}, &corev1.ResourceQuotaList{}, &corev1.LimitRangeList{}
	isolations, bindings := &networkingv1.NetworkPolicyList{}, &rbacv1.RoleBindingList{}
	return []kindList{
		{"", "Namespace", namespaces, func() []client.Object { return pointers(namespaces.Items) }},
		{"", "ResourceQuota", quotas, func() []client.Object { return pointers(quotas.Items) }},
		{"", "LimitRange", limits, func() []client.Object { return pointers(limits.Items) }},
		{networkingv1.GroupName, "NetworkPolicy", isolations, func() []client.Object { return pointers(isolations.Items) }},
		{rbacv1.GroupName, "RoleBinding", bindings, func() []client.Object { return pointers(bindings.Items) }},
	}
}

func pointers[T any, P interface {
	*T
	client.Object
}](items []T) []client.Object {
	objects := make([]client.Object, 0, len(items))
	for i := range items {
		objects = append(objects, P(&items[i]))
	}
	return objects
}
