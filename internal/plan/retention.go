// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/lifecycle"
	"github.com/lxp-dev/course-completion-operator/internal/moment"
)

// expires returns when retention deletes a completion; zero if never.
func (p *Person) expires(completion *v1alpha1.CourseCompletion) time.Time {
	return Expires(completion, p.Retention)
}

// Expires returns when a retention deletes a completion; zero if never.
func Expires(completion *v1alpha1.CourseCompletion, retention time.Duration) time.Time {
	if retention == 0 {
		return time.Time{}
	}
	return moment.After(completion.CreationTimestamp.Time, retention)
}

func (p *Person) expired(completion *v1alpha1.CourseCompletion) bool {
	at := p.expires(completion)
	return !at.IsZero() && !p.Now.Before(at)
}

// retain works out what retention deletes. A completion goes once every Grant that it is a cause of has noted that, so
// that its absence is never taken for a withdrawal.
func (p *planning) retain(plan *Plan) {
	if p.Retention == 0 {
		return
	}
	soonest := func(at time.Time) {
		if plan.Next.IsZero() || at.Before(plan.Next) {
			plan.Next = at
		}
	}
	for i := range p.Completions {
		completion := &p.Completions[i]
		switch {
		case !p.expired(completion):
			soonest(p.expires(completion))
		case p.noted(completion.Name):
			plan.Expired = append(plan.Expired, completion)
		}
	}
	for i := range plan.Grants {
		planned := &plan.Grants[i]
		if planned.Changed() || !finished(planned.Existing) || p.stillRevokes(planned.Existing) {
			continue
		}
		at, historic := p.historyEnds(planned.Existing)
		switch {
		case !historic:
		case p.Now.Before(at):
			soonest(at)
		default:
			plan.Over = append(plan.Over, planned.Existing)
		}
	}
}

// noted reports whether every Grant that records a completion has it archived or withdrawn.
func (p *planning) noted(completion string) bool {
	for i := range p.planned {
		planned := &p.planned[i]
		cause := causeNamed(&planned.Spec, completion)
		if cause == nil {
			continue
		}
		if planned.Changed() || cause.ArchivedAt == nil && cause.End != v1alpha1.CauseWithdrawn {
			return false
		}
	}
	return true
}

// finished reports whether a Grant has ended, or only took something away, and nothing of it is left in the cluster.
// One whose everything was revoked has not ended: it would be given back.
func finished(grant *v1alpha1.Grant) bool {
	phase := grant.Status.Phase
	ready := meta.FindStatusCondition(grant.Status.Conditions, v1alpha1.ConditionReady)
	over := (phase == v1alpha1.GrantEnded || phase == v1alpha1.GrantRevoked) &&
		(ready == nil || ready.Reason != v1alpha1.ReasonRevokedByCompletion)
	left := grant.Status.Inventory
	grants := len(grant.Spec.Namespaces)+len(grant.Spec.Seats)+len(grant.Spec.Objects) > 0
	return (over || grant.Revokes() && !grants) && grant.DeletionTimestamp.IsZero() &&
		(len(left) == 0 || grant.Spec.OnRevoke == v1alpha1.RemovalRetain) && len(grant.Status.Seats) == 0 &&
		grant.Status.ObservedGeneration == grant.Generation && hasRevoked(grant)
}

// hasRevoked reports whether nothing that a Grant revokes is still to go: the namespaces that no Grant made too, and
// those that wait for their grace days, for the brake or for people.
func hasRevoked(grant *v1alpha1.Grant) bool {
	if len(grant.Spec.Revokes.Namespaces) == 0 || !lifecycle.RevokesNow(grant) {
		return true
	}
	revoked := meta.FindStatusCondition(grant.Status.Conditions, v1alpha1.ConditionRevocationsComplete)
	return revoked != nil && revoked.Status == metav1.ConditionTrue && revoked.ObservedGeneration == grant.Generation
}

// stillRevokes reports whether a Grant revokes something from another one of the person, which would come back.
func (p *planning) stillRevokes(revoker *v1alpha1.Grant) bool {
	return slices.ContainsFunc(slices.Concat(p.Grants, p.Handmade), func(grant v1alpha1.Grant) bool {
		return grant.Name != revoker.Name && lifecycle.RevokesFrom(revoker, &grant, p.Now)
	})
}

// historyEnds returns when the history of a Grant has been kept for long enough: the retention after its last
// completion was archived or withdrawn. It reports false while one is still there.
func (p *planning) historyEnds(grant *v1alpha1.Grant) (time.Time, bool) {
	present := map[string]bool{}
	for i := range p.Completions {
		present[p.Completions[i].Name] = true
	}
	var last time.Time
	for _, cause := range grant.Spec.Causes {
		left := cause.ArchivedAt
		if left == nil && cause.End == v1alpha1.CauseWithdrawn {
			left = cause.EndsAt
		}
		if left == nil || present[string(cause.Completion)] {
			return time.Time{}, false
		}
		if left.After(last) {
			last = left.Time
		}
	}
	return moment.After(last, p.Retention), len(grant.Spec.Causes) > 0
}
