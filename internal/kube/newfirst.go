// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"context"

	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/priorityqueue"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// newPriority is above that of everything else.
const newPriority = 1

// NewFirst enqueues an object that has just been made ahead of changes to those that there are: somebody waits for it,
// while an edit of a policy changes thousands that people have. It is beside the handler that enqueues every change.
func NewFirst() handler.EventHandler {
	return handler.Funcs{CreateFunc: func(
		_ context.Context, e event.TypedCreateEvent[client.Object],
		queue workqueue.TypedRateLimitingInterface[reconcile.Request],
	) {
		prioritised, ok := queue.(priorityqueue.PriorityQueue[reconcile.Request])
		if !ok || e.IsInInitialList {
			return
		}
		prioritised.AddWithOpts(priorityqueue.AddOpts{Priority: new(newPriority)},
			reconcile.Request{NamespacedName: client.ObjectKeyFromObject(e.Object)})
	}}
}
