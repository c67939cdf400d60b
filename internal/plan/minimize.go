/*
Copyright 2026 The Course Completion Operator Authors.

Licensed under the Apache License, Version 2.0 (the "License");
you may not use this file except in compliance with the License.
You may obtain a copy of the License at

    http://www.apache.org/licenses/LICENSE-2.0

Unless required by applicable law or agreed to in writing, software
distributed under the License is distributed on an "AS IS" BASIS,
WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
See the License for the specific language governing permissions and
limitations under the License.
*/

package plan

import "github.com/lxp-dev/course-completion-operator/api/v1alpha1"

// What a Grant gives may hold personal data: the subjects are e-mail addresses, and objects hold what the policy puts
// into them. So it is there no sooner, and no longer, than it is needed.

// awaitsApproval reports whether a Grant is to be approved before what it gives is rendered. What is rendered already
// stays.
func awaitsApproval(spec *v1alpha1.GrantSpec, existing *v1alpha1.Grant) bool {
	if spec.Approval != v1alpha1.ApprovalManual {
		return false
	}
	return existing == nil || Blank(existing) && entitledOr(existing) == Unapproved
}

// Blank reports whether a Grant says nothing that it gives: it awaits approval, or has ended and nothing is left.
func Blank(grant *v1alpha1.Grant) bool {
	return len(grant.Spec.Namespaces)+len(grant.Spec.Seats)+len(grant.Spec.Objects) == 0
}

// prolonged reports whether a person gives a Grant back that had ended and says nothing any more.
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

// minimize drops what a Grant gave once it is over and everything of it has gone. Its causes stay, which hold no
// values: a late repetition brings nothing back. A Grant that came from a backup may have more than its status says.
func (p *planning) minimize(spec *v1alpha1.GrantSpec, existing *v1alpha1.Grant) {
	if existing == nil || existing.Status.AccessEndedAt == nil || existing.Status.RestoredAt != nil ||
		len(existing.Status.Inventory)+len(existing.Status.Seats) > 0 ||
		existing.Status.ObservedGeneration != existing.Generation {
		return
	}
	as := existing.DeepCopy()
	as.Spec = *spec.DeepCopy()
	as.Spec.Override = existing.Spec.Override
	if EndOf(existing, p.Now).Standing != DataOver || EndOf(as, p.Now).Standing != DataOver {
		return
	}
	spec.Namespaces, spec.Seats, spec.Objects, spec.ServiceAccountName = nil, nil, nil, ""
}
