// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"cmp"
	"time"

	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/lxp-dev/course-completion-operator/internal/fairqueue"
)

const (
	// reconcileTimeout bounds one look at anything: an API server, a webhook or an aggregated API that does not answer
	// then costs an attempt, and no worker for good. What was written before stays, and the next attempt goes on from
	// there. It is longer than what the API server itself waits for.
	reconcileTimeout = 2 * time.Minute
	// minBackoff and maxBackoff bound how long something waits that failed, so that after a long outage everything is
	// looked at again within minutes.
	minBackoff = 5 * time.Millisecond
	maxBackoff = 5 * time.Minute
	// SideWorkers are the workers of each loop that has little to do. One of them is busy with one institution at most.
	SideWorkers = 4
)

// Share is how many workers of a loop one institution may keep busy.
type Share struct {
	// Alone is for one that nobody else has work beside.
	Alone int
	// Contended is for one beside others.
	Contended int
}

// OneWorker is the share of a loop that has little to do.
var OneWorker = Share{Alone: 1, Contended: 1}

// ShareOf divides workers: some are always left for others, and most while others have work. The requests of all
// workers meet in the API server, which has more to do for a few that are in flight than it has processors for.
func ShareOf(workers int) Share {
	quarter := max(1, workers/4)
	return Share{Alone: max(1, workers-quarter), Contended: quarter}
}

// Fairly returns the options of a loop that divides its workers between the namespaces, and so the institutions.
func Fairly[R comparable](
	mgr ctrl.Manager, workers int, share Share, namespace func(R) string,
) controller.TypedOptions[R] {
	return controller.TypedOptions[R]{
		MaxConcurrentReconciles: workers,
		ReconciliationTimeout:   cmp.Or(mgr.GetControllerOptions().ReconciliationTimeout, reconcileTimeout),
		RateLimiter:             workqueue.NewTypedItemExponentialFailureRateLimiter[R](minBackoff, maxBackoff),
		NewQueue: func(name string, limiter workqueue.TypedRateLimiter[R]) workqueue.TypedRateLimitingInterface[R] {
			return fairqueue.New(fairqueue.Options[R]{
				Name: name, Tenant: namespace, RateLimiter: limiter,
				Share: share.Alone, ContendedShare: share.Contended,
			})
		},
	}
}

// NamespaceOf returns the namespace of a request, by which workers are divided.
func NamespaceOf(request reconcile.Request) string { return request.Namespace }
