// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/apply"
	"github.com/lxp-dev/course-completion-operator/internal/slim"
)

// CacheOptions returns what the manager's cache holds: of what other kinds there are in the cluster only what carries
// an owner label, and of everything what is needed.
func CacheOptions() cache.Options {
	labelled, err := labels.NewRequirement(v1alpha1.LabelGrant, selection.Exists, nil)
	utilruntime.Must(err)
	selector := labels.NewSelector().Add(*labelled)
	byObject := map[client.Object]cache.ByObject{}
	for _, kind := range apply.Kinds() {
		byObject[kind] = cache.ByObject{Label: selector}
	}
	return cache.Options{ByObject: byObject, DefaultTransform: slim.Object}
}
