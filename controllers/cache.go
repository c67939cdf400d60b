// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"unique"

	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/apply"
)

// CacheOptions returns what the manager's cache holds: of what other kinds there are in the cluster only what carries
// an owner label, and nobody's managedFields. There are hundreds of thousands of completions: what all of them repeat
// is held once.
func CacheOptions() cache.Options {
	labelled, err := labels.NewRequirement(v1alpha1.LabelGrant, selection.Exists, nil)
	utilruntime.Must(err)
	selector := labels.NewSelector().Add(*labelled)
	byObject := map[client.Object]cache.ByObject{}
	for _, kind := range apply.Kinds() {
		byObject[kind] = cache.ByObject{Label: selector}
	}
	byObject[&v1alpha1.CourseCompletion{}] = cache.ByObject{Transform: slim}
	return cache.Options{ByObject: byObject, DefaultTransform: cache.TransformStripManagedFields()}
}

// slim makes a completion smaller by a third. Its labels are for people, nothing here looks at them; what it says in
// the same words as all the others of its course is kept once.
func slim(object any) (any, error) {
	completion, ok := object.(*v1alpha1.CourseCompletion)
	if !ok {
		// The last known state of what has gone comes wrapped.
		return object, nil
	}
	completion.ManagedFields, completion.Labels = nil, nil
	once(&completion.Namespace)
	once(&completion.Spec.Event.Name)
	once(&completion.Spec.Event.Slug)
	once(&completion.Spec.Course.Name)
	for i := range completion.Status.Conditions {
		condition := &completion.Status.Conditions[i]
		once(&condition.Type)
		once(&condition.Reason)
		once(&condition.Message)
	}
	for i := range completion.Status.Policies {
		result := &completion.Status.Policies[i]
		once((*string)(&result.Policy))
	}
	return completion, nil
}

func once(text *string) { *text = unique.Make(*text).Value() }
