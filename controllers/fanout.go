// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"

	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/priorityqueue"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
)

// fanOut enqueues everything that an object of many concerns, behind everything that is more urgent: a policy edit
// must not hold up new deliveries.
type fanOut[R comparable] struct {
	requests func(ctx context.Context, object client.Object) []R
	// former has those concerned too that an object concerned as it was before.
	former bool
}

func (f *fanOut[R]) enqueue(
	ctx context.Context, object client.Object, queue workqueue.TypedRateLimitingInterface[R],
) {
	requests := f.requests(ctx, object)
	if prioritised, ok := queue.(priorityqueue.PriorityQueue[R]); ok {
		prioritised.AddWithOpts(priorityqueue.AddOpts{Priority: new(handler.LowPriority)}, requests...)
		return
	}
	for _, request := range requests {
		queue.Add(request)
	}
}

// Create implements handler.TypedEventHandler.
func (f *fanOut[R]) Create(
	ctx context.Context, e event.TypedCreateEvent[client.Object], queue workqueue.TypedRateLimitingInterface[R],
) {
	// The first list after a start brings every concerned object as well.
	if !e.IsInInitialList {
		f.enqueue(ctx, e.Object, queue)
	}
}

// Update implements handler.TypedEventHandler.
func (f *fanOut[R]) Update(
	ctx context.Context, e event.TypedUpdateEvent[client.Object], queue workqueue.TypedRateLimitingInterface[R],
) {
	if f.former {
		f.enqueue(ctx, e.ObjectOld, queue)
	}
	f.enqueue(ctx, e.ObjectNew, queue)
}

// Delete implements handler.TypedEventHandler.
func (f *fanOut[R]) Delete(
	ctx context.Context, e event.TypedDeleteEvent[client.Object], queue workqueue.TypedRateLimitingInterface[R],
) {
	f.enqueue(ctx, e.Object, queue)
}

// Generic implements handler.TypedEventHandler.
func (f *fanOut[R]) Generic(
	ctx context.Context, e event.TypedGenericEvent[client.Object], queue workqueue.TypedRateLimitingInterface[R],
) {
	f.enqueue(ctx, e.Object, queue)
}
