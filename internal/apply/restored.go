// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"slices"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

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
