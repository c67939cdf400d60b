// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"fmt"
	"time"

	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/priorityqueue"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// countInterval is how long the counts of a policy lag behind: ten thousand grants that change within it cost one
// write.
const countInterval = 5 * time.Second

// countGrants counts Grants by phase. The list is only looked at.
func countGrants(ctx context.Context, reader client.Reader, counted func(*v1alpha1.Grant) bool,
	opts ...client.ListOption,
) (v1alpha1.GrantCounts, error) {
	counts := v1alpha1.GrantCounts{Pending: new(int32), AwaitingApproval: new(int32), Waiting: new(int32),
		Active: new(int32), Ended: new(int32), Suspended: new(int32)}
	var grants v1alpha1.GrantList
	if err := reader.List(ctx, &grants, append(opts, client.UnsafeDisableDeepCopy)...); err != nil {
		return counts, fmt.Errorf("list grants: %w", err)
	}
	for i := range grants.Items {
		if !counted(&grants.Items[i]) {
			continue
		}
		switch grants.Items[i].Status.Phase {
		case v1alpha1.GrantAwaitingApproval:
			*counts.AwaitingApproval++
		case v1alpha1.GrantWaiting:
			*counts.Waiting++
		case v1alpha1.GrantActive:
			*counts.Active++
		case v1alpha1.GrantEnded, v1alpha1.GrantRevoked:
			*counts.Ended++
		case v1alpha1.GrantSuspended:
			*counts.Suspended++
		default:
			*counts.Pending++
		}
	}
	return counts, nil
}

// countCompletions counts the completions of an institution.
func countCompletions(ctx context.Context, reader client.Reader, institution *v1alpha1.Institution) (int32, error) {
	var completions v1alpha1.CourseCompletionList
	err := reader.List(ctx, &completions, client.InNamespace(institution.Namespace), client.UnsafeDisableDeepCopy)
	if err != nil {
		return 0, fmt.Errorf("list completions: %w", err)
	}
	count := int32(0)
	for i := range completions.Items {
		if completions.Items[i].Spec.Institution.ID == institution.Spec.ID {
			count++
		}
	}
	return count, nil
}

// phaseChanged passes what changes the counts.
var phaseChanged = predicate.Funcs{
	UpdateFunc: func(e event.UpdateEvent) bool {
		before, isGrant := e.ObjectOld.(*v1alpha1.Grant)
		after, _ := e.ObjectNew.(*v1alpha1.Grant)
		return !isGrant || before.Status.Phase != after.Status.Phase
	},
}

// coalesced enqueues what an object counts for, once for everything that happens within the interval.
func coalesced(request func(client.Object) []reconcile.Request) handler.EventHandler {
	type queue = workqueue.TypedRateLimitingInterface[reconcile.Request]
	add := func(object client.Object, q queue) {
		if prioritised, ok := q.(priorityqueue.PriorityQueue[reconcile.Request]); ok {
			prioritised.AddWithOpts(priorityqueue.AddOpts{After: countInterval, Priority: new(handler.LowPriority)},
				request(object)...)
			return
		}
		for _, one := range request(object) {
			q.AddAfter(one, countInterval)
		}
	}
	return handler.Funcs{
		CreateFunc: func(_ context.Context, e event.CreateEvent, q queue) { add(e.Object, q) },
		UpdateFunc: func(_ context.Context, e event.UpdateEvent, q queue) { add(e.ObjectNew, q) },
		DeleteFunc: func(_ context.Context, e event.DeleteEvent, q queue) { add(e.Object, q) },
	}
}

// policyOfGrant returns the policy that a Grant comes from.
func policyOfGrant(object client.Object) []reconcile.Request {
	grant, ok := object.(*v1alpha1.Grant)
	if !ok || !grant.Planned() {
		return nil
	}
	return []reconcile.Request{{NamespacedName: client.ObjectKey{
		Namespace: grant.Namespace, Name: string(grant.Spec.Policy)}}}
}
