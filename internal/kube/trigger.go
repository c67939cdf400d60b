// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"context"
	"sync"
	"time"

	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/controller/priorityqueue"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/source"
)

// Trigger lets one loop set off another. The zero value is ready, and safe for concurrent use. It goes to the queue of
// that loop, and not through a source.Channel: a channel has a bound, at which it holds up who sends or loses what is
// sent, and it knows neither delays nor priorities. In the queue a thousand times the same is one look.
type Trigger[R comparable] struct {
	mu    sync.Mutex
	queue workqueue.TypedRateLimitingInterface[R]
	// early is what was triggered before the loop started.
	early map[R]bool
}

// Source returns what the loop that is to be set off watches.
func (t *Trigger[R]) Source() source.TypedSource[R] { return source.TypedFunc[R](t.start) }

func (t *Trigger[R]) start(_ context.Context, queue workqueue.TypedRateLimitingInterface[R]) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.queue = queue
	for request := range t.early {
		queue.Add(request)
	}
	t.early = nil
	return nil
}

// Now has something looked at like what has just changed.
func (t *Trigger[R]) Now(request R) { t.add(request, 0, false) }

// Behind has something looked at once nothing is more urgent.
func (t *Trigger[R]) Behind(request R) { t.add(request, 0, true) }

// After has something looked at after a while, once for everything that happens until then.
func (t *Trigger[R]) After(request R, after time.Duration) { t.add(request, after, true) }

func (t *Trigger[R]) add(request R, after time.Duration, behind bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.queue == nil {
		if t.early == nil {
			t.early = map[R]bool{}
		}
		t.early[request] = true
		return
	}
	enqueue(t.queue, after, behind, request)
}

// enqueue adds requests to the queue of a loop, after a while or at once, and behind what is more urgent or not.
func enqueue[R comparable](
	queue workqueue.TypedRateLimitingInterface[R], after time.Duration, behind bool, requests ...R,
) {
	if prioritised, ok := queue.(priorityqueue.PriorityQueue[R]); ok {
		options := priorityqueue.AddOpts{After: after}
		if behind {
			options.Priority = new(handler.LowPriority)
		}
		prioritised.AddWithOpts(options, requests...)
		return
	}
	for _, request := range requests {
		queue.AddAfter(request, after)
	}
}
