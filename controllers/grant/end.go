// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package grant

import (
	"context"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/lifecycle"
)

// end takes access and seats away, and after the grace days the data.
func (r *Reconciler) end(ctx context.Context, l *look, decision lifecycle.Decision) (outcome, error) {
	seats, err := r.endAccess(ctx, l)
	if err != nil {
		return outcome{}, err
	}
	if decision.Verdict.Reason != "" {
		return outcome{phase: decision.Phase, verdict: decision.Verdict}, nil
	}
	now := r.Clock.Now()
	if seats == 0 && l.Grant.Status.AccessEndedAt == nil {
		// The grace days count from now, if they did not before.
		l.Grant.Status.AccessEndedAt = new(metav1.NewTime(now.UTC().Truncate(time.Second)))
		r.ends.note(client.ObjectKeyFromObject(l.Grant), now)
	}
	facts := lifecycle.DataFacts{
		Grant: l.Grant, Seats: seats, Beside: l.beside, AccessFirst: r.ends.others(l.Grant, now), Now: now}
	for {
		data := lifecycle.DecideData(facts)
		switch data.Action {
		case lifecycle.Confirm:
			if facts.Confirmation, err = r.confirm(ctx, l.Grant, l.tenant); err != nil {
				return outcome{}, err
			}
		case lifecycle.EndData:
			if err := r.endData(ctx, l.Grant); err != nil {
				return outcome{phase: data.Phase}, err
			}
			if left := l.Grant.Status.Inventory; len(left) > 0 {
				return outcome{phase: data.Phase, verdict: lifecycle.DeletingVerdict(left), poll: true}, nil
			}
		default:
			return outcome{phase: data.Phase, verdict: data.Verdict, after: r.until(data.At), poll: data.Poll}, nil
		}
	}
}

// endAccess revokes access at once, and returns how many seats are still to be freed by their pools.
func (r *Reconciler) endAccess(ctx context.Context, l *look) (seats int, err error) {
	r.checks.forget(client.ObjectKeyFromObject(l.Grant))
	l.Grant.Status.Inventory, err = l.applier.EndAccess(ctx, l.Grant)
	if err != nil {
		return 0, err
	}
	held, err := r.seatsOf(ctx, l.Grant)
	if err != nil {
		return 0, err
	}
	if len(held) == 0 {
		l.Grant.Status.Seats = nil
	}
	return len(held), nil
}

// endData deletes what is in the inventory. The Grants that share it are listed again, after everything that was
// confirmed: what was gathered when the look began may miss one that has come since, whose data this would be.
func (r *Reconciler) endData(ctx context.Context, grant *v1alpha1.Grant) error {
	beside, err := r.grantsBesideOf(ctx, grant)
	if err != nil {
		return err
	}
	applier := r.applier(grant, beside)
	if grant.Status.Inventory, err = applier.EndData(ctx, grant); err != nil {
		return err
	}
	return applier.Left(grant.Status.Inventory)
}
