// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"math/rand/v2"
	"sync"
	"time"

	"k8s.io/utils/clock"
)

// Bounds of the wait between two probes of an API that was away.
const (
	minAPIWait = 100 * time.Millisecond
	maxAPIWait = 5 * time.Second
)

// breaker is the circuit breaker of the API: closed while the API is there, open while it is away, half-open while one
// request probes it. So deliveries need not find out one by one, each by a time-out, that the API is away.
type breaker struct {
	clock clock.PassiveClock

	mu      sync.Mutex
	open    bool
	probing bool
	pause   time.Duration
	probeAt time.Time
	// closedAt is when the API came back, or this began.
	closedAt time.Time
	// changed is closed, and replaced, when the API is back or a probe is due before its time.
	changed chan struct{}
}

func newBreaker(c clock.PassiveClock) *breaker {
	return &breaker{clock: c, closedAt: c.Now(), changed: make(chan struct{})}
}

// attempt is one request that the breaker lets through. It has to be given back by report or cancel.
type attempt struct {
	probe bool
	// reads marks a probe that stores nothing. Its answer does not show that the API stores anything.
	reads bool
}

// allow lets a request through, or tells when to ask again.
func (b *breaker) allow() (a attempt, wait time.Duration, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.open {
		return attempt{}, 0, true
	}
	if b.probing {
		return attempt{}, b.pause, false
	}
	if wait := b.probeAt.Sub(b.clock.Now()); wait > 0 {
		return attempt{}, wait, false
	}
	b.probing = true
	return attempt{probe: true}, 0, true
}

// allowRead lets a probe through that stores nothing, where one has been due for longer than late and nobody made it.
func (b *breaker) allowRead(late time.Duration) (attempt, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.open || b.probing || b.clock.Since(b.probeAt) < late {
		return attempt{}, false
	}
	b.probing = true
	return attempt{probe: true, reads: true}, true
}

// report says what came of a request: whether the API was there, and how long it asked to be left alone.
func (b *breaker) report(a attempt, away bool, wait time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case !away:
		if !a.reads {
			b.pause = 0
		}
		if b.open {
			b.open, b.probing, b.closedAt = false, false, b.clock.Now()
			b.signal()
		}
	case !b.open:
		b.open, b.pause = true, min(max(2*b.pause, minAPIWait), maxAPIWait)
		b.schedule(wait)
	case a.probe:
		b.probing = false
		b.pause = min(2*b.pause, maxAPIWait)
		b.schedule(wait)
	}
}

// cancel gives back what was not used, which says nothing of the API.
func (b *breaker) cancel(a attempt) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if a.probe && b.open && b.probing {
		b.probing = false
		b.signal()
	}
}

// schedule sets when the next probe is due, not for all servers at the same moment.
func (b *breaker) schedule(wait time.Duration) {
	b.probeAt = b.clock.Now().Add(max(b.pause/2+rand.N(b.pause), wait))
}

func (b *breaker) signal() {
	close(b.changed)
	b.changed = make(chan struct{})
}

// away tells whether the API is away, and returns what is closed when that changes.
func (b *breaker) away() (bool, <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.open, b.changed
}

// closedFor is how long the API has been there.
func (b *breaker) closedFor() time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.clock.Since(b.closedAt)
}

// probeNow makes the next probe due.
func (b *breaker) probeNow() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.probeAt = b.clock.Now()
	b.signal()
}
