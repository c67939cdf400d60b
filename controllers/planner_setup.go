// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"

	"github.com/go-logr/logr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// SetupWithManager registers the loop. What a delivery or a Grant sets off goes before what a policy, an institution
// or a resync sets off for everybody.
func (r *PlannerReconciler) SetupWithManager(mgr ctrl.Manager, workers int) error {
	one := handler.TypedEnqueueRequestsFromMapFunc(
		func(_ context.Context, o client.Object) []Person { return personOf(o) })
	everybody := &fanOut[Person]{requests: r.persons}
	concerned := &fanOut[Person]{requests: r.concerned, former: true}
	changed := builder.WithPredicates(predicate.GenerationChangedPredicate{})
	return builder.TypedControllerManagedBy[Person](mgr).
		Named("planner").
		Watches(&v1alpha1.CourseCompletion{}, one, changed).
		Watches(&v1alpha1.Grant{}, one).
		Watches(&v1alpha1.CompletionPolicy{}, concerned, changed).
		Watches(&v1alpha1.Institution{}, everybody, builder.WithPredicates(workChanged)).
		WatchesRawSource(source.TypedFunc[Person](r.Compiler.attachPlanner)).
		WithOptions(fairly(mgr, workers, shareOf(workers), namespaceOfPerson)).
		WithLogConstructor(func(person *Person) logr.Logger {
			log := mgr.GetLogger().WithValues("controller", "planner")
			if person == nil {
				return log
			}
			return log.WithValues("namespace", person.Namespace,
				"institutionID", person.InstitutionID, "userID", person.UserID)
		}).
		Complete(discreet[Person]{r.traced()})
}
