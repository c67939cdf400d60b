// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package planner

import (
	"context"

	"github.com/go-logr/logr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/kube"
	"github.com/lxp-dev/course-completion-operator/internal/memory"
)

// SetupWithManager registers the loop. What a delivery or a Grant sets off goes before what a policy, an institution
// or a resync sets off for everybody.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager, workers int) error {
	one := handler.TypedEnqueueRequestsFromMapFunc(
		func(_ context.Context, o client.Object) []memory.Person { return memory.PersonOf(o) })
	everybody := &kube.FanOut[memory.Person]{Requests: r.persons}
	concerned := &kube.FanOut[memory.Person]{Requests: r.concerned, Former: true}
	changed := builder.WithPredicates(predicate.GenerationChangedPredicate{})
	return builder.TypedControllerManagedBy[memory.Person](mgr).
		Named("planner").
		Watches(&v1alpha1.CourseCompletion{}, one, changed).
		Watches(&v1alpha1.Grant{}, one).
		Watches(&v1alpha1.CompletionPolicy{}, concerned, changed).
		Watches(&v1alpha1.Institution{}, everybody, builder.WithPredicates(kube.WorkChanged)).
		WatchesRawSource(r.Compiler.Awaited.Source()).
		WithOptions(kube.Fairly(mgr, workers, kube.ShareOf(workers), namespaceOfPerson)).
		WithLogConstructor(func(person *memory.Person) logr.Logger {
			log := mgr.GetLogger().WithValues("controller", "planner")
			if person == nil {
				return log
			}
			return log.WithValues("namespace", person.Namespace,
				"institutionID", person.InstitutionID, "userID", person.UserID)
		}).
		Complete(kube.Redact(r.traced()))
}

func namespaceOfPerson(person memory.Person) string { return person.Namespace }
