// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package seatpool

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/index"
	"github.com/lxp-dev/course-completion-operator/internal/kube"
	"github.com/lxp-dev/course-completion-operator/internal/memory"
	"github.com/lxp-dev/course-completion-operator/internal/plan"
)

const (
	// absentTime is for how long a seat is kept for a Grant that was deleted and is to be made again: long enough for a
	// planner that has thousands to make again. Should it never be, others wait for so much longer.
	absentTime = 5 * time.Minute
	// absentInterval is how often it is looked whether it still is to be.
	absentInterval = 5 * time.Second
	// absentGap is for how long a pool may go unlooked at without the absence beginning anew.
	absentGap = time.Hour
)

// awaits returns when to look again for the Grant of a seat, which is not there; zero if it counts as gone. A Grant
// that was not seen being deleted since the seat was given is one that a backup restores after its seat.
func (r *Reconciler) awaits(
	ctx context.Context, seat *v1alpha1.Seat, grant client.ObjectKey, now time.Time,
) (time.Duration, error) {
	if who := memory.GrantNamed(grant); !r.Witness.DeletedAfter(who, seat.ResourceVersion) {
		absent := r.Clock.Since(r.Witness.AbsentSince(who))
		if absent < r.Patience.Absent {
			// It may also have gone just now, which is about to be seen.
			return min(absentInterval, max(time.Second, absent)), nil
		}
	}
	again, err := r.returns(ctx, grant, now)
	if err != nil || !again {
		return 0, err
	}
	return absentInterval, nil
}

// returns reports whether a Grant that has a seat and is not there is about to be made again: deleting a planned Grant
// is no order to take anything, and the next in line is not to get the seat in between.
func (r *Reconciler) returns(ctx context.Context, grant client.ObjectKey, now time.Time) (bool, error) {
	again, err := r.remade(ctx, grant)
	if err != nil {
		return false, err
	}
	if !again {
		r.absent.End(grant)
		return false, nil
	}
	return now.Sub(r.absent.Lasting(grant, now, absentGap)) < absentTime, nil
}

// remade reports whether a policy and a completion are there of which the planner makes a Grant of this name.
func (r *Reconciler) remade(ctx context.Context, grant client.ObjectKey) (bool, error) {
	origin, planned := plan.OriginOf(grant.Name)
	if !planned {
		return false, nil
	}
	policy, err := kube.LivePolicy(ctx, r.Live, grant.Namespace, origin.Policy)
	if err != nil || policy == nil {
		return false, err
	}
	if !policy.Spec.Suspended() && !meta.IsStatusConditionTrue(policy.Status.Conditions, v1alpha1.ConditionReady) {
		return false, nil
	}
	if origin.Completion == "" {
		return r.completed(ctx, grant.Namespace, origin.Institution, origin.User)
	}
	key := client.ObjectKey{Namespace: grant.Namespace, Name: origin.Completion}
	err = r.Client.Get(ctx, key, &v1alpha1.CourseCompletion{})
	if err != nil && !apierrors.IsNotFound(err) {
		return false, fmt.Errorf("get completion %s: %w", origin.Completion, err)
	}
	return err == nil, nil
}

// completed reports whether a user has a completion left; both are given by their numbers.
func (r *Reconciler) completed(ctx context.Context, namespace, institution, user string) (bool, error) {
	var completions v1alpha1.CourseCompletionList
	err := r.Client.List(ctx, &completions, client.InNamespace(namespace), client.Limit(1),
		client.MatchingFields{index.Holder: institution + "/" + user})
	if err != nil {
		return false, fmt.Errorf("list completions: %w", err)
	}
	return len(completions.Items) > 0, nil
}
