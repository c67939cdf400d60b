// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package planner

import (
	"context"
	"maps"
	"slices"
	"time"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/index"
	"github.com/lxp-dev/course-completion-operator/internal/kube"
	"github.com/lxp-dev/course-completion-operator/internal/memory"
)

// persons returns everybody in an object's namespace who has a completion or a Grant, and has the pools of the
// namespace wait until they have been planned.
func (r *Reconciler) persons(ctx context.Context, object client.Object) []memory.Person {
	found := map[memory.Person]time.Time{}
	in := client.InNamespace(object.GetNamespace())
	r.find(ctx, found, &v1alpha1.CourseCompletionList{}, in)
	r.find(ctx, found, &v1alpha1.GrantList{}, in)
	return r.await(object, found)
}

// concerned returns everybody whom a policy, as it is or was, may concern: who has a Grant of it, and who completed one
// of its courses, which without courseIDs is everybody. A plan depends on nothing else of a policy.
func (r *Reconciler) concerned(ctx context.Context, object client.Object) []memory.Person {
	policy, ok := object.(*v1alpha1.CompletionPolicy)
	if !ok || len(policy.Spec.Match.CourseIDs) == 0 {
		return r.persons(ctx, object)
	}
	found := map[memory.Person]time.Time{}
	in := client.InNamespace(policy.Namespace)
	for _, id := range policy.Spec.Match.CourseIDs {
		r.find(ctx, found, &v1alpha1.CourseCompletionList{}, in, client.MatchingFields{index.Course: id.String()})
	}
	r.find(ctx, found, &v1alpha1.GrantList{}, in, client.MatchingFields{index.Policy: policy.Name})
	return r.await(object, found)
}

// await has the pools that an object concerns wait until these persons have been planned, and returns them.
func (r *Reconciler) await(object client.Object, found map[memory.Person]time.Time) []memory.Person {
	for _, pool := range poolsOf(object) {
		r.Backlog.Add(client.ObjectKey{Namespace: object.GetNamespace(), Name: pool}, found, r.Clock.Now())
	}
	return slices.Collect(maps.Keys(found))
}

// poolsOf returns the pools whose queue what happens to an object may change; an empty name stands for all of them.
func poolsOf(object client.Object) []string {
	policy, ok := object.(*v1alpha1.CompletionPolicy)
	if !ok {
		return []string{""}
	}
	var pools []string
	for _, seat := range policy.Spec.Seats {
		pools = append(pools, string(seat.Pool))
	}
	return pools
}

// find adds whose the objects of a list are, with their first completions. The objects are only looked at, so that the
// copies that a list would make are not needed.
func (r *Reconciler) find(
	ctx context.Context, found map[memory.Person]time.Time, list client.ObjectList, opts ...client.ListOption,
) {
	if err := r.Client.List(ctx, list, append(opts, client.UnsafeDisableDeepCopy)...); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "Could not list people to plan")
		return
	}
	add := func(object client.Object, first time.Time) {
		for _, person := range memory.PersonOf(object) {
			found[person] = kube.Earlier(found[person], first)
		}
	}
	switch list := list.(type) {
	case *v1alpha1.CourseCompletionList:
		for i := range list.Items {
			add(&list.Items[i], list.Items[i].Spec.Event.SentAt.Time)
		}
	case *v1alpha1.GrantList:
		for i := range list.Items {
			add(&list.Items[i], time.Time{})
		}
	}
}
