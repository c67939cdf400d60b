// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/plan"
)

// grantsOfHolder returns all the Grants of a Grant's holder, if one of them takes something away: it may take it from
// any of the others. Otherwise it returns those that share something with it.
func (r *GrantReconciler) grantsOfHolder(ctx context.Context, object client.Object) []reconcile.Request {
	changed := object.(*v1alpha1.Grant)
	beside, err := r.grantsBesideOf(ctx, changed, client.UnsafeDisableDeepCopy)
	if err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "Could not list the grants of a holder")
		return nil
	}
	takes := changed.Revokes() || slices.ContainsFunc(beside, func(g v1alpha1.Grant) bool { return g.Revokes() })
	requests := make([]reconcile.Request, 0, len(beside))
	for i := range beside {
		if takes || mayShare(changed, &beside[i]) {
			requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&beside[i])})
		}
	}
	return requests
}

// standingChanged lets through what may change what one Grant takes from another: its spec, what it has begun to take,
// and what came of that.
func standingChanged() predicate.Funcs {
	return predicate.Funcs{
		UpdateFunc: func(e event.UpdateEvent) bool {
			before, after := e.ObjectOld.(*v1alpha1.Grant), e.ObjectNew.(*v1alpha1.Grant)
			said := func(g *v1alpha1.Grant) string {
				if ready := meta.FindStatusCondition(g.Status.Conditions, v1alpha1.ConditionReady); ready != nil {
					return ready.Message
				}
				return ""
			}
			// That a generation was observed says that its labels are in place.
			return before.Generation != after.Generation || before.Status.Phase != after.Status.Phase ||
				before.Status.ObservedGeneration != after.Status.ObservedGeneration || said(before) != said(after) ||
				!equality.Semantic.DeepEqual(before.Status.Revocations, after.Status.Revocations)
		},
	}
}

// grantsBesideOf returns the Grants of the same holder, the Grant itself among them.
func (r *GrantReconciler) grantsBesideOf(
	ctx context.Context, grant *v1alpha1.Grant, options ...client.ListOption,
) ([]v1alpha1.Grant, error) {
	var grants v1alpha1.GrantList
	options = append(options, client.InNamespace(grant.Namespace), client.MatchingFields{
		indexGrantHolder: holderKey(grant.Spec.Holder.InstitutionID, grant.Spec.Holder.UserID)})
	if err := r.Client.List(ctx, &grants, options...); err != nil {
		return nil, fmt.Errorf("list the grants of the holder: %w", err)
	}
	return grants.Items, nil
}

// taken returns what completions have taken away from a Grant.
func (r *GrantReconciler) taken(ctx context.Context, grant *v1alpha1.Grant) (plan.Taken, error) {
	beside, err := r.grantsBesideOf(ctx, grant, client.UnsafeDisableDeepCopy)
	if err != nil {
		return plan.Taken{}, err
	}
	return plan.TakenFrom(grant, beside, r.Clock.Now()), nil
}

// provisionLeft puts into the cluster what is left of a Grant, and takes away what was taken from it: access and seats
// at once. The namespaces are deleted by the Grant that takes them.
func (r *GrantReconciler) provisionLeft(
	ctx context.Context, grant *v1alpha1.Grant, tenant *tenant, taken plan.Taken,
) (outcome, error) {
	left := taken.Left(grant)
	result, err := r.take(ctx, left, taken)
	if err == nil && result.phase == "" {
		result, err = r.putInPlace(ctx, left, tenant)
		if result.verdict.Reason == v1alpha1.ReasonActive && !taken.Nothing() {
			result = tellTaken(result, left, taken)
		}
	}
	grant.Status, grant.ResourceVersion = left.Status, left.ResourceVersion
	if !taken.Next.IsZero() {
		result.after = sooner(result.after, max(time.Second, taken.Next.Sub(r.Clock.Now())))
	}
	return result, err
}

// take takes away what was taken from a Grant. Its outcome has a phase where there is something to wait for.
func (r *GrantReconciler) take(ctx context.Context, left *v1alpha1.Grant, taken plan.Taken) (outcome, error) {
	if len(taken.Namespaces) > 0 {
		applier, err := r.applier(ctx, left)
		if err != nil {
			return r.pending(left, err)
		}
		inventory, err := applier.TakeAccess(ctx, left, slices.Sorted(maps.Keys(taken.Namespaces)))
		left.Status.Inventory = inventory
		if err != nil {
			return r.waiting(left, err)
		}
	}
	if len(taken.Seats) == 0 {
		return outcome{}, nil
	}
	held, err := r.held(ctx, left)
	if err != nil {
		return r.pending(left, err)
	}
	for _, pool := range slices.Sorted(maps.Keys(taken.Seats)) {
		if _, still := held[pool]; still {
			return outcome{phaseOrPending(left), plan.Verdict{Reconciling: true,
				Reason:  v1alpha1.ReasonTerminating,
				Message: fmt.Sprintf("the seat of SeatPool %s, which %s took away, is being freed", pool, by(taken.Seats[pool]))},
				r.patience(left)}, nil
		}
	}
	return outcome{}, nil
}

func by(taking plan.Taking) string { return "completion " + string(taking.Completion) }

// tellTaken says what was taken of a Grant of which the rest is in place. Where nothing is left, it has ended.
func tellTaken(result outcome, left *v1alpha1.Grant, taken plan.Taken) outcome {
	var parts []string
	for _, pool := range slices.Sorted(maps.Keys(taken.Seats)) {
		parts = append(parts, fmt.Sprintf("%s took away the seat of SeatPool %s", by(taken.Seats[pool]), pool))
	}
	for _, name := range slices.Sorted(maps.Keys(taken.Namespaces)) {
		part := fmt.Sprintf("%s took away namespace %s", by(taken.Namespaces[name]), name)
		if slices.ContainsFunc(left.Status.Inventory, func(e v1alpha1.InventoryEntry) bool { return e.Name == name }) {
			part += ", whose data stays until " + taken.Namespaces[name].DataEndsAt.UTC().Format(time.RFC3339)
		}
		parts = append(parts, part)
	}
	if len(left.Spec.Namespaces)+len(left.Spec.Seats)+len(left.Spec.Objects) == 0 {
		result.phase, result.verdict.Reason = v1alpha1.GrantEnded, v1alpha1.ReasonRevokedByCompletion
		result.verdict.Message = strings.Join(parts, "; ")
		return result
	}
	result.verdict.Message = "what is left is in place: " + strings.Join(parts, "; ")
	return result
}

// sooner returns the sooner of two moments to look again; zero is never.
func sooner(a, b time.Duration) time.Duration {
	if a == 0 || b == 0 {
		return cmp.Or(a, b)
	}
	return min(a, b)
}
