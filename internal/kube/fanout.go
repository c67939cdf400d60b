// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"context"

	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
)

// FanOut enqueues everything that an object of many concerns, behind everything that is more urgent: a policy edit
// must not hold up new deliveries.
type FanOut[R comparable] struct {
	Requests func(ctx context.Context, object client.Object) []R
	// Former has those concerned too that an object concerned as it was before.
	Former bool
}

func (f *FanOut[R]) enqueue(
	ctx context.Context, object client.Object, queue workqueue.TypedRateLimitingInterface[R],
) {
	enqueue(queue, 0, true, f.Requests(ctx, object)...)
}

// Create implements handler.TypedEventHandler.
func (f *FanOut[R]) Create(
	ctx context.Context, e event.TypedCreateEvent[client.Object], queue workqueue.TypedRateLimitingInterface[R],
) {
	// The first list after a start brings every concerned object as well.
	if !e.IsInInitialList {
		f.enqueue(ctx, e.Object, queue)
	}
}

// Update implements handler.TypedEventHandler.
func (f *FanOut[R]) Update(
	ctx context.Context, e event.TypedUpdateEvent[client.Object], queue workqueue.TypedRateLimitingInterface[R],
) {
	if f.Former {
		f.enqueue(ctx, e.ObjectOld, queue)
	}
	f.enqueue(ctx, e.ObjectNew, queue)
}

// Delete implements handler.TypedEventHandler.
func (f *FanOut[R]) Delete(
	ctx context.Context, e event.TypedDeleteEvent[client.Object], queue workqueue.TypedRateLimitingInterface[R],
) {
	f.enqueue(ctx, e.Object, queue)
}

// Generic implements handler.TypedEventHandler.
func (f *FanOut[R]) Generic(
	ctx context.Context, e event.TypedGenericEvent[client.Object], queue workqueue.TypedRateLimitingInterface[R],
) {
	f.enqueue(ctx, e.Object, queue)
}
