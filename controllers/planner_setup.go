/*
Copyright 2026 The Course Completion Operator Authors.

Licensed under the Apache License, Version 2.0 (the "License");
you may not use this file except in compliance with the License.
You may obtain a copy of the License at

    http://www.apache.org/licenses/LICENSE-2.0

Unless required by applicable law or agreed to in writing, software
distributed under the License is distributed on an "AS IS" BASIS,
WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
See the License for the specific language governing permissions and
limitations under the License.
*/

package controllers

import (
	"context"

	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/controller/priorityqueue"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// SetupWithManager registers the loop. What a delivery or a Grant sets off goes before what a policy, an institution or
// a resync sets off for everybody.
func (r *PlannerReconciler) SetupWithManager(mgr ctrl.Manager, workers int) error {
	one := handler.TypedEnqueueRequestsFromMapFunc(func(_ context.Context, o client.Object) []Person { return personOf(o) })
	everybody := &fanOut{persons: r.persons}
	changed := builder.WithPredicates(predicate.GenerationChangedPredicate{})
	return builder.TypedControllerManagedBy[Person](mgr).
		Named("planner").
		Watches(&v1alpha1.CourseCompletion{}, one, changed).
		Watches(&v1alpha1.Grant{}, one).
		Watches(&v1alpha1.CompletionPolicy{}, everybody, changed).
		Watches(&v1alpha1.Institution{}, everybody, changed).
		WithOptions(controller.TypedOptions[Person]{MaxConcurrentReconciles: workers}).
		Complete(r)
}

type personQueue = workqueue.TypedRateLimitingInterface[Person]

// fanOut sends everybody of an object's namespace to the planner, behind everything that is more urgent.
type fanOut struct {
	persons func(ctx context.Context, namespace string) []Person
}

func (f *fanOut) enqueue(ctx context.Context, object client.Object, queue personQueue) {
	persons := f.persons(ctx, object.GetNamespace())
	if prioritised, ok := queue.(priorityqueue.PriorityQueue[Person]); ok {
		prioritised.AddWithOpts(priorityqueue.AddOpts{Priority: new(handler.LowPriority)}, persons...)
		return
	}
	for _, person := range persons {
		queue.Add(person)
	}
}

// Create implements handler.TypedEventHandler.
func (f *fanOut) Create(ctx context.Context, e event.TypedCreateEvent[client.Object], queue personQueue) {
	// The first list after a start brings every person's own objects as well.
	if !e.IsInInitialList {
		f.enqueue(ctx, e.Object, queue)
	}
}

// Update implements handler.TypedEventHandler.
func (f *fanOut) Update(ctx context.Context, e event.TypedUpdateEvent[client.Object], queue personQueue) {
	f.enqueue(ctx, e.ObjectNew, queue)
}

// Delete implements handler.TypedEventHandler.
func (f *fanOut) Delete(ctx context.Context, e event.TypedDeleteEvent[client.Object], queue personQueue) {
	f.enqueue(ctx, e.Object, queue)
}

// Generic implements handler.TypedEventHandler.
func (f *fanOut) Generic(ctx context.Context, e event.TypedGenericEvent[client.Object], queue personQueue) {
	f.enqueue(ctx, e.Object, queue)
}
