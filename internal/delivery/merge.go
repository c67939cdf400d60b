// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/order"
)

// Outcome is what becomes of a delivery where its completion is stored already.
type Outcome string

const (
	// Updated means that it takes the place of an older delivery.
	Updated Outcome = "updated"
	// Duplicate means that it is stored already.
	Duplicate Outcome = "duplicate"
	// Stale means that it is older than what is stored.
	Stale Outcome = "stale"
)

// Merge puts a delivery in the place of the stored one if it is newer, keeps the least of the times at which the
// completion was sent, and tells whether that changed anything. Whatever the order of deliveries, the end is the same.
func Merge(stored, delivered *v1alpha1.CourseCompletionSpec) (result Outcome, changed bool) {
	first, sent := stored.Event.First(), delivered.Event.First()
	earlier := sent.Before(&first)
	if earlier {
		first = sent
	}
	switch compared := order.Compare(order.Of(delivered), order.Of(stored)); {
	case compared > 0:
		result, changed = Updated, true
		*stored = *delivered.DeepCopy()
	case compared == 0:
		result, changed = Duplicate, earlier
	default:
		result, changed = Stale, earlier
	}
	if changed {
		stored.Event.FirstSentAt = &first
	}
	return result, changed
}
