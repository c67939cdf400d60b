// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// knownSince returns since when an end of access is known: since now, unless the Grant records the same end already. If
// it records no more than the end, it is from a version that noted nothing else, and as good as always knew.
func (p *planning) knownSince(end *metav1.Time, existing *v1alpha1.Grant) *metav1.MicroTime {
	known := p.Now
	if existing != nil && existing.Spec.AccessEndsAt.Equal(end) {
		if existing.Spec.EndKnownAt != nil {
			return existing.Spec.EndKnownAt.DeepCopy()
		}
		if made := existing.CreationTimestamp; !made.IsZero() && made.Time.Before(known) {
			known = made.Time
		}
	}
	return new(metav1.NewMicroTime(known.UTC().Truncate(time.Microsecond)))
}

// noteRevocationKnown notes since when the namespaces that a Grant revokes are known: since now, unless it records
// already that it takes them because of the same delivery.
func (p *planning) noteRevocationKnown(revokes *v1alpha1.GrantRevocation, existing *v1alpha1.Grant) {
	revokes.KnownAt = nil
	if len(revokes.Namespaces) == 0 {
		return
	}
	revokes.KnownAt = new(metav1.NewMicroTime(p.Now.UTC().Truncate(time.Microsecond)))
	if existing == nil {
		return
	}
	before := &existing.Spec.Revokes
	unknown := func(ns v1alpha1.GrantRevokedNamespace) bool { return !slices.Contains(before.Namespaces, ns) }
	if before.KnownAt != nil && before.Completion == revokes.Completion && before.SendAt == revokes.SendAt &&
		!slices.ContainsFunc(revokes.Namespaces, unknown) {
		revokes.KnownAt = before.KnownAt.DeepCopy()
	}
}

// broughtForward notes that deliveries brought the end of a Grant forward, until it ends no sooner than it did before
// that. A policy whose lifetime was edited, or which requires other courses, is no delivery.
func (p *planning) broughtForward(
	spec *v1alpha1.GrantSpec, last *metav1.Time, existing *v1alpha1.Grant,
) *v1alpha1.EndBroughtForward {
	if last == nil || existing == nil || len(existing.Spec.Causes) == 0 {
		return nil
	}
	before := existing.Spec.EndBroughtForward
	sooner := earlier(last, existing.Spec.AccessEndsAt)
	edited := !equality.Semantic.DeepEqual(existing.Spec.Lifetime, spec.Lifetime) ||
		!equality.Semantic.DeepEqual(existing.Spec.RequiredCourseIDs, spec.RequiredCourseIDs)
	switch {
	case before != nil && !earlier(last, before.From):
		return nil
	case before == nil && (!sooner || edited):
		return nil
	case !sooner || edited:
		return before.DeepCopy()
	}
	forward := &v1alpha1.EndBroughtForward{
		From: existing.Spec.AccessEndsAt.DeepCopy(), At: metav1.NewMicroTime(p.Now.UTC().Truncate(time.Microsecond))}
	if before != nil {
		forward.From = before.From.DeepCopy()
	}
	return forward
}

// earlier compares ends, of which nil is never.
func earlier(a, b *metav1.Time) bool { return a != nil && (b == nil || a.Before(b)) }
