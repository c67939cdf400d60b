// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package grant

import (
	"context"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/kube"
	"github.com/lxp-dev/course-completion-operator/internal/lifecycle"
)

// endAccess revokes access at once, and returns how many seats are still to be freed by their pools.
func (r *Reconciler) endAccess(ctx context.Context, grant *v1alpha1.Grant) (int, error) {
	r.checks.forget(client.ObjectKeyFromObject(grant))
	applier, err := r.applier(ctx, grant)
	if err != nil {
		return 0, err
	}
	inventory, err := applier.EndAccess(ctx, grant)
	grant.Status.Inventory = inventory
	if err != nil {
		return 0, err
	}
	held, err := r.seatsOf(ctx, grant)
	if err != nil {
		return 0, err
	}
	if len(held) == 0 {
		grant.Status.Seats = nil
	}
	return len(held), nil
}

// end takes access and seats away, and after the grace days the data.
func (r *Reconciler) end(
	ctx context.Context, grant *v1alpha1.Grant, tenant *kube.Tenant, decision lifecycle.Decision,
) (outcome, error) {
	seats, err := r.endAccess(ctx, grant)
	if err != nil {
		return outcome{}, err
	}
	if decision.Verdict.Reason != "" {
		return outcome{decision.Phase, decision.Verdict, 0}, nil
	}
	now := r.Clock.Now()
	if seats == 0 && grant.Status.AccessEndedAt == nil {
		// The grace days count from now, if they did not before.
		grant.Status.AccessEndedAt = new(metav1.NewTime(now.UTC().Truncate(time.Second)))
		r.ends.note(client.ObjectKeyFromObject(grant), now)
	}
	beside, err := r.grantsBesideOf(ctx, grant)
	if err != nil {
		return outcome{}, err
	}
	facts := lifecycle.DataFacts{
		Grant: grant, Seats: seats, Beside: beside, AccessFirst: r.ends.others(grant, now), Now: now}
	for {
		decision := lifecycle.DecideData(facts)
		switch decision.Action {
		case lifecycle.Confirm:
			if facts.Confirmation, err = r.confirm(ctx, grant, tenant); err != nil {
				return outcome{}, err
			}
		case lifecycle.EndData:
			if result, err := r.endData(ctx, grant, decision.Phase); err != nil || result.phase != "" {
				return result, err
			}
		default:
			return outcome{decision.Phase, decision.Verdict, r.afterData(grant, decision)}, nil
		}
	}
}

func (r *Reconciler) afterData(grant *v1alpha1.Grant, decision lifecycle.DataDecision) time.Duration {
	switch {
	case decision.Poll:
		return r.lookAgain(grant)
	case !decision.At.IsZero():
		return r.until(decision.At)
	}
	return 0
}

// endData deletes what is in the inventory. Its outcome has a phase where there is something to wait for.
func (r *Reconciler) endData(
	ctx context.Context, grant *v1alpha1.Grant, phase v1alpha1.GrantPhase,
) (outcome, error) {
	applier, err := r.applier(ctx, grant)
	if err != nil {
		return outcome{}, err
	}
	inventory, err := applier.EndData(ctx, grant)
	grant.Status.Inventory = inventory
	if err == nil {
		if left := applier.Left(inventory); left != nil {
			err = left
		}
	}
	if err != nil {
		result, err := r.told(grant, outcome{}, err)
		result.phase = phase
		return result, err
	}
	if len(inventory) > 0 {
		return outcome{phase, lifecycle.DeletingVerdict(inventory), r.lookAgain(grant)}, nil
	}
	return outcome{}, nil
}
