// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/lifecycle"
)

// What a Grant gives may hold personal data: the subjects are e-mail addresses, and objects hold what the policy puts
// into them. So it is there no sooner, and no longer, than it is needed.

// Blank reports whether a Grant says nothing that it gives: it awaits approval, or it is over and nothing is left.
func Blank(grant *v1alpha1.Grant) bool {
	return len(grant.Spec.Namespaces)+len(grant.Spec.Seats)+len(grant.Spec.Objects) == 0
}

// minimize takes out of a planned Grant what it gives, where nobody is to have that: it has yet to be approved, or it
// is over. Its causes stay, which hold no values: a late repetition of a delivery brings nothing back. What is blank is
// filled in only once the holder is entitled, so that filling and emptying never follow each other.
func (p *planning) minimize(spec *v1alpha1.GrantSpec, existing *v1alpha1.Grant) {
	var keeps bool
	switch {
	case existing == nil:
		keeps = spec.Approval != v1alpha1.ApprovalManual
	case Blank(existing):
		keeps = p.as(spec, existing).Stage == lifecycle.Active
	default:
		keeps = !gone(existing) || p.as(spec, existing).Stage != lifecycle.DataExpired
	}
	if !keeps {
		spec.Namespaces, spec.Seats, spec.Objects, spec.ServiceAccountName = nil, nil, nil, ""
	}
}

// as returns where a Grant stands once it has a spec.
func (p *planning) as(spec *v1alpha1.GrantSpec, existing *v1alpha1.Grant) lifecycle.State {
	grant := existing.DeepCopy()
	grant.Spec = *spec.DeepCopy()
	grant.Spec.Override = existing.Spec.Override
	return lifecycle.StateOf(grant, p.Now)
}

// gone reports whether the grant loop has looked at a Grant as it is, has taken its access away and found nothing left
// of it. A Grant that came from a backup may have more than its status says.
func gone(grant *v1alpha1.Grant) bool {
	status := &grant.Status
	return status.ObservedGeneration == grant.Generation && status.AccessEndedAt != nil && status.RestoredAt == nil &&
		len(status.Inventory)+len(status.Seats) == 0
}

// prolonged reports whether a person gives a Grant back that is over and says nothing any more.
func (p *planning) prolonged(existing *v1alpha1.Grant) bool {
	return existing != nil && Blank(existing) && existing.Spec.Override.Until != nil &&
		existing.Spec.Override.Until.After(p.Now)
}

// recordedMatches returns the candidates that match and that the Grant records, whether or not they entitle.
func recordedMatches(spec *v1alpha1.GrantSpec, candidates []candidate) []*candidate {
	var found []*candidate
	for i := range candidates {
		if candidates[i].matched && causeNamed(spec, candidates[i].completion.Name) != nil {
			found = append(found, &candidates[i])
		}
	}
	return found
}
