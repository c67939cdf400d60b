// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
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

// maxInventory is how many entries a status holds.
const maxInventory = 256

// FullError means that a Grant would have more objects than its status can list. Nothing more was made.
type FullError struct{ Entries int }

// Error says what to do.
func (e *FullError) Error() string {
	return fmt.Sprintf("the grant would have %d objects, but at most %d can be tracked: it still owns namespaces that "+
		"its spec no longer contains (see status.inventory); delete them, or remove their label %s to keep them",
		e.Entries, maxInventory, v1alpha1.LabelGrant)
}

// room makes room in the inventory for what is planned, where there is none, and returns the inventory. It returns a
// FullError where there still is none.
func (a *Applier) room(
	ctx context.Context, grant *v1alpha1.Grant, wanted map[string]bool, planned []v1alpha1.InventoryEntry,
) ([]v1alpha1.InventoryEntry, error) {
	known := grant.Status.Inventory
	if len(merge(known, planned)) <= maxInventory {
		return known, nil
	}
	rest, err := a.prune(ctx, grant, wanted)
	if err == nil {
		rest, err = a.forget(ctx, grant, rest)
	}
	if all := len(merge(rest, planned)); err == nil && all > maxInventory {
		err = &FullError{Entries: all}
	}
	return merge(rest, keptOf(known, wanted)), err
}

// forget leaves out the namespaces that people have deleted, or have taken the Grant's label off, of those that the
// Grant no longer says. It looks only where there is no room for all of them.
func (a *Applier) forget(
	ctx context.Context, grant *v1alpha1.Grant, inventory []v1alpha1.InventoryEntry,
) ([]v1alpha1.InventoryEntry, error) {
	said := map[string]bool{}
	for i := range grant.Spec.Namespaces {
		said[grant.Spec.Namespaces[i].Name] = true
	}
	var left []v1alpha1.InventoryEntry
	for _, entry := range inventory {
		if isNamespace(entry) && entry.ServiceAccountName == "" && !said[entry.Name] {
			if still, err := a.still(ctx, grant, entry); err != nil {
				return inventory, err
			} else if !still {
				continue
			}
		}
		left = append(left, entry)
	}
	return left, nil
}

// still reports, by a live look, whether an object of an inventory is there and the Grant's.
func (a *Applier) still(ctx context.Context, grant *v1alpha1.Grant, entry v1alpha1.InventoryEntry) (bool, error) {
	object := &metav1.PartialObjectMetadata{}
	object.SetGroupVersionKind(versionOf(entry))
	err := a.Live.Get(ctx, client.ObjectKey{Namespace: *entry.Namespace, Name: entry.Name}, object)
	if err != nil {
		return false, client.IgnoreNotFound(err)
	}
	return !another(object, entry) && labelled(object, grant.OwnerDigest()), nil
}

// Recorded reports whether the status of a Grant records every templated object that the Grant says. It is what a
// backup loses, and nothing else finds an object that no cache shows.
func (a *Applier) Recorded(grant *v1alpha1.Grant) bool {
	objects, err := a.templatedOf(grant)
	if err != nil {
		// It is refused, and nothing of it is applied.
		return true
	}
	return !slices.ContainsFunc(objects, func(object templated) bool {
		return !slices.ContainsFunc(grant.Status.Inventory, func(e v1alpha1.InventoryEntry) bool {
			return identity(e) == identity(object.entry)
		})
	})
}

// withSaid returns the inventory of a Grant together with the templated objects that it says, for one that came from a
// backup and whose end nobody has written down since: what it says may have been applied, and is the Grant's if it
// carries its label.
func withSaid(grant *v1alpha1.Grant) []v1alpha1.InventoryEntry {
	have := grant.Status.Inventory
	if grant.Status.RestoredAt == nil || grant.Status.AccessEndedAt != nil {
		return have
	}
	objects, err := templatedOf(grant)
	if err != nil {
		return have
	}
	said := make([]v1alpha1.InventoryEntry, 0, len(objects))
	for i := range objects {
		said = append(said, objects[i].entry)
	}
	return merge(said, have)
}

// inventory returns what the Grant has: what its status records, and, so that what a crash or a restore kept out of the
// status is found all the same, what carries its owner label. That counts only in a namespace of the Grant, only while
// nobody else can set the label, and never so that the status could not be written. It is confirmed live, since the
// cache may still show what the Grant has let go of. Of what is not recorded, only what is wanted is looked for.
func (a *Applier) inventory(
	ctx context.Context, grant *v1alpha1.Grant, wanted func(v1alpha1.InventoryEntry) bool,
) ([]v1alpha1.InventoryEntry, error) {
	found, err := a.unrecorded(ctx, grant)
	if err != nil {
		return nil, err
	}
	found = slices.DeleteFunc(found, func(entry v1alpha1.InventoryEntry) bool { return !wanted(entry) })
	if len(found) > 0 {
		doubt, err := a.Label.Doubt(ctx)
		if err != nil {
			return nil, err
		}
		if doubt != "" {
			found = nil
		}
	}
	have := withSaid(grant)
	room := max(0, maxInventory-len(have))
	var confirmed []v1alpha1.InventoryEntry
	for _, entry := range found[:min(room, len(found))] {
		if still, err := a.still(ctx, grant, entry); err != nil {
			return nil, err
		} else if still {
			confirmed = append(confirmed, entry)
		}
	}
	return merge(have, confirmed), nil
}

func everything(v1alpha1.InventoryEntry) bool { return true }

// unrecorded returns what carries the owner label of the Grant and is not in its status.
func (a *Applier) unrecorded(ctx context.Context, grant *v1alpha1.Grant) ([]v1alpha1.InventoryEntry, error) {
	known, own := map[string]bool{}, map[string]bool{}
	for _, entry := range grant.Status.Inventory {
		known[identity(entry)] = true
		own[entry.Name] = own[entry.Name] || isNamespace(entry)
	}
	for name := range a.SharedNamespaces(grant) {
		own[name] = true
	}
	var found []v1alpha1.InventoryEntry
	// The namespaces come first.
	for _, list := range lists() {
		if err := a.Client.List(ctx, list.objects, client.MatchingFields{IndexGrant: grant.OwnerDigest()}); err != nil {
			return nil, err
		}
		for _, object := range list.items() {
			entry := entryOf(list.group, list.kind, object, object.GetUID())
			if isNamespace(entry) {
				own[entry.Name] = true
			} else if !own[*entry.Namespace] {
				continue
			}
			if !known[identity(entry)] {
				found = append(found, entry)
			}
		}
	}
	return found, nil
}
