// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

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
