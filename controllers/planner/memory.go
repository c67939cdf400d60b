// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package planner

import (
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/kube"
)

// unsettledGap is how long after it was looked at last a completion counts as one that has just come. It is longer than
// any patience with a Grant, since nothing may look in between.
const unsettledGap = time.Hour

// ownMemory is what the loop remembers of completions. A restart loses it: those whose Grants have not settled are then
// waited for once more before their status is written. It forgets a completion by itself, since persons do not go.
type ownMemory struct {
	// written are the statuses that the cache has yet to show.
	written kube.Expectations
	// unsettled is since when a completion waits for its Grants.
	unsettled kube.Since[client.ObjectKey]
	// kept are the live reads of Institutions, for how long completions are kept.
	kept kube.Batched[types.UID, *v1alpha1.Institution]
}
