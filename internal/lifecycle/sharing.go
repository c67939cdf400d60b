// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package lifecycle

import (
	"cmp"
	"slices"
	"time"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/order"
)

// Sharer is another Grant of the same holder and the same policy. What two of them name belongs to both: the last one
// that entitles keeps it.
type Sharer struct {
	// Grant is what is left of it, without what completions have revoked.
	Grant *v1alpha1.Grant
	// Active reports whether the holder is to have what it says.
	Active bool
	// Before reports whether it comes before the Grant in question: what both name is as this one says.
	Before bool
}

// SharersOf returns the Grants that a Grant shares with what they name alike, from the Grants beside it, which may
// include the Grant itself. The one with the newest delivery comes first.
func SharersOf(grant *v1alpha1.Grant, beside []v1alpha1.Grant, now time.Time) []Sharer {
	if !grant.Planned() {
		return nil
	}
	var sharers []Sharer
	for i := range beside {
		other := &beside[i]
		if !Alike(grant, other) || other.Name == grant.Name {
			continue
		}
		entitled := other.DeletionTimestamp.IsZero() && StateOf(other, now).Stage == Active
		revoked := RevokedFrom(other, beside, now)
		sharers = append(sharers, Sharer{
			Grant: revoked.Remaining(other), Active: entitled, Before: entitled && newer(other, grant) > 0,
		})
	}
	slices.SortFunc(sharers, func(a, b Sharer) int { return newer(b.Grant, a.Grant) })
	return sharers
}

// Alike reports whether two Grants are of one holder and one policy.
func Alike(a, b *v1alpha1.Grant) bool {
	return a.Planned() && b.Planned() && a.Namespace == b.Namespace && a.Spec.Policy == b.Spec.Policy &&
		a.Spec.Holder == b.Spec.Holder
}

// newer compares Grants by their newest deliveries.
func newer(a, b *v1alpha1.Grant) int {
	return cmp.Or(order.Compare(newestOf(a), newestOf(b)), cmp.Compare(a.Name, b.Name))
}

func newestOf(grant *v1alpha1.Grant) order.Key {
	var newest order.Key
	for i := range grant.Spec.Causes {
		if key := CauseKey(grant.Spec.Causes[i]); order.Compare(key, newest) > 0 {
			newest = key
		}
	}
	return newest
}

// RetainedByAnother returns the Grant that keeps a namespace which is revoked from the Grant that has it: one of the
// same holder and policy that entitles, names it, and from which it is not taken. It is nil where there is none.
func RetainedByAnother(grant *v1alpha1.Grant, beside []v1alpha1.Grant, name string, now time.Time) *v1alpha1.Grant {
	for _, sharer := range SharersOf(grant, beside, now) {
		if sharer.Active && grantsNamespace(sharer.Grant, name) {
			return sharer.Grant
		}
	}
	return nil
}

// sharesNamespace reports whether another Grant of the same holder and policy names a namespace too.
func sharesNamespace(grant *v1alpha1.Grant, beside []v1alpha1.Grant, name string) bool {
	return slices.ContainsFunc(beside, func(other v1alpha1.Grant) bool {
		return other.Name != grant.Name && Alike(grant, &other) && grantsNamespace(&other, name)
	})
}
