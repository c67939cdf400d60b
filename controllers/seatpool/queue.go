// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package seatpool

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/condition"
	"github.com/lxp-dev/course-completion-operator/internal/index"
	"github.com/lxp-dev/course-completion-operator/internal/kube"
	"github.com/lxp-dev/course-completion-operator/internal/memory"
	"github.com/lxp-dev/course-completion-operator/internal/seats"
)

const (
	// unplannedInterval is how often a pool looks whether those who come first have been planned by now.
	unplannedInterval = 500 * time.Millisecond
	// tellInterval is how often the counts of a pool are written at most.
	tellInterval = time.Second
)

// holdBack works out to whom a pool gives no seat yet, and returns when to look again; zero if it gives to everybody.
func (r *Reconciler) holdBack(ctx context.Context, gathered *seats.Pool, key client.ObjectKey) (time.Duration,
	error) {
	after := time.Duration(0)
	for i := range gathered.Grants {
		grant := &gathered.Grants[i]
		left := time.Duration(0)
		if grant.Status.RestoredAt != nil {
			left = grant.Status.RestoredAt.Add(r.Patience.Restored).Sub(gathered.Now)
		} else if r.Witness.Foreign(grant) {
			left = unplannedInterval
		}
		if left > 0 {
			gathered.Restoring = true
			after = kube.Sooner(after, max(unplannedInterval, left))
		}
	}
	first, err := r.firstUnplanned(ctx, gathered, key)
	if err != nil {
		return 0, err
	}
	if gathered.Unplanned = first; !first.IsZero() {
		after = kube.Sooner(after, unplannedInterval)
	}
	return after, nil
}

// firstUnplanned returns since when the first of those completions counts that may yet ask for a seat of a pool: a
// policy with that pool selects them, and the planner has not come to them. After a failover, or in a burst, persons
// are planned in any order. One that is not planned for long holds nobody up.
func (r *Reconciler) firstUnplanned(
	ctx context.Context, gathered *seats.Pool, key client.ObjectKey,
) (time.Time, error) {
	first := r.Backlog.First(key, gathered.Now, r.Patience.Planned)
	courses, err := r.courses(ctx, key)
	if err != nil || len(courses) == 0 {
		return first, err
	}
	recorded := map[v1alpha1.LocalName]string{}
	for i := range gathered.Grants {
		for _, cause := range gathered.Grants[i].Spec.Causes {
			recorded[cause.Completion] = max(recorded[cause.Completion], cause.SendAt)
		}
	}
	for course := range courses {
		var completions v1alpha1.CourseCompletionList
		err := r.Client.List(ctx, &completions, client.InNamespace(key.Namespace), client.UnsafeDisableDeepCopy,
			client.MatchingFields{index.Unplanned: course})
		if err != nil {
			return first, fmt.Errorf("list unplanned completions: %w", err)
		}
		for i := range completions.Items {
			completion := &completions.Items[i]
			event := &completion.Spec.Event
			if r.Backlog.Planned(completion) {
				continue
			}
			if recorded[v1alpha1.LocalName(completion.Name)] >= event.SendAt || !first.IsZero() &&
				first.Before(event.SentAt.Time) {
				continue
			}
			planned := memory.Identity{
				Kind: "plan of a CourseCompletion", ObjectKey: client.ObjectKeyFromObject(completion)}
			since := r.Witness.LastingSince(planned, 20*unplannedInterval)
			if gathered.Now.Sub(since) < r.Patience.Planned {
				first = kube.Earlier(first, event.SentAt.Time)
			}
		}
	}
	return first, nil
}

// courses returns whose completions may ask for a seat of a pool, as values of the index of what is unplanned.
func (r *Reconciler) courses(ctx context.Context, key client.ObjectKey) (map[string]bool, error) {
	var policies v1alpha1.CompletionPolicyList
	err := r.Client.List(ctx, &policies, client.InNamespace(key.Namespace), client.UnsafeDisableDeepCopy)
	if err != nil {
		return nil, fmt.Errorf("list policies: %w", err)
	}
	courses := map[string]bool{}
	for i := range policies.Items {
		spec := &policies.Items[i].Spec
		for _, seat := range spec.Seats {
			if string(seat.Pool) != key.Name {
				continue
			}
			if len(spec.Match.CourseIDs) == 0 {
				return map[string]bool{index.AnyCourse: true}, nil
			}
			for _, course := range spec.Match.CourseIDs {
				courses[course.String()] = true
			}
		}
	}
	return courses, nil
}

// tell writes how a pool stands. Thousands of Grants that come at once cost a write every so often. It returns when to
// write what is not written yet; zero if everything is.
func (r *Reconciler) tell(
	ctx context.Context, pool *v1alpha1.SeatPool, planned seats.Plan,
) (time.Duration, error) {
	key, now := client.ObjectKeyFromObject(pool), r.Clock.Now()
	before := pool.DeepCopy()
	status := &pool.Status
	status.ObservedGeneration = pool.Generation
	status.Taken, status.Waiting, status.Queue = new(planned.Taken), new(planned.Waiting), planned.Queue
	verdict := condition.Verdict{Ready: true, Reason: v1alpha1.ReasonReady,
		Message: "assigning seats in the order of the queue"}
	if planned.Taken > *pool.Spec.Capacity {
		verdict.Reason = v1alpha1.ReasonCapacityLowered
		verdict.Message = "more seats are occupied than the capacity allows; nobody is evicted, and no seat is assigned " +
			"until some are freed"
	}
	kube.SetConditions(&status.Conditions, verdict, pool.Generation, now)
	said := meta.FindStatusCondition(before.Status.Conditions, v1alpha1.ConditionReady)
	countsOnly := said != nil && said.Reason == verdict.Reason && before.Status.ObservedGeneration == pool.Generation
	if due := r.told.due(key, now); countsOnly && due > 0 {
		return due, nil
	}
	changed, err := r.written.PatchStatus(ctx, r.Client, before, pool)
	if changed {
		r.told.note(key, now)
	}
	return 0, err
}
