// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package seatpool

import (
	"sync"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/internal/kube"
)

// ownMemory is what the loop remembers of pools. A restart loses it: seats are then kept for up to absentTime once more
// for those whose Grant is about to be made again, and every status is written at once.
type ownMemory struct {
	// written are the statuses that the cache has yet to show.
	written kube.Expectations
	// absent is since when the Grant of a seat is not there. It ends where the Grant comes back, or will not.
	absent kube.Since[client.ObjectKey]
	// given are the seats that were given and that the cache has yet to show.
	given givenSeats
	// told are when the status of each pool was written last.
	told tellings
}

// forget forgets a pool that has gone.
func (r *Reconciler) forget(pool client.ObjectKey) {
	r.written.Forget(pool)
	r.given.forget(pool)
	r.told.forget(pool)
}

// tellings remember when the status of each pool was written last.
type tellings struct {
	mu   sync.Mutex
	last map[client.ObjectKey]time.Time
}

// due returns how long the counts of a pool are not to be written yet.
func (t *tellings) due(pool client.ObjectKey, now time.Time) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.last[pool].Add(tellInterval).Sub(now)
}

func (t *tellings) note(pool client.ObjectKey, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.last == nil {
		t.last = map[client.ObjectKey]time.Time{}
	}
	t.last[pool] = now
}

func (t *tellings) forget(pool client.ObjectKey) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.last, pool)
}
