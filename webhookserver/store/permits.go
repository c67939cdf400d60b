// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"slices"
	"sync"
	"time"
)

// permits bound how many deliveries are with the API at a time. The namespaces of live ones take turns, so that many of
// one institution do not hold up another one's; the drainer gets what they leave, and one more of its own, so that it
// is never starved.
type permits struct {
	mu   sync.Mutex
	free int
	// reserved tells that the drainer's own is free.
	reserved bool
	// waiting are the live deliveries that wait, by namespace, and turns the namespaces in the order of their turns.
	waiting map[string][]chan struct{}
	turns   []string
	// freed has something in it after the drainer may have one.
	freed chan struct{}
}

func newPermits(n int) *permits {
	return &permits{free: n, reserved: true, waiting: make(map[string][]chan struct{}), freed: make(chan struct{}, 1)}
}

// acquire is for a live delivery, which waits a moment for its turn. Whoever gets true has to release.
func (p *permits) acquire(ctx context.Context, namespace string, moment time.Duration) bool {
	p.mu.Lock()
	if p.free > 0 {
		p.free--
		p.mu.Unlock()
		return true
	}
	turn := make(chan struct{})
	if len(p.waiting[namespace]) == 0 {
		p.turns = append(p.turns, namespace)
	}
	p.waiting[namespace] = append(p.waiting[namespace], turn)
	p.mu.Unlock()

	timer := time.NewTimer(moment)
	defer timer.Stop()
	select {
	case <-turn:
		return true
	case <-timer.C:
	case <-ctx.Done():
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	at := slices.Index(p.waiting[namespace], turn)
	if at < 0 {
		// Its turn came at the last moment.
		return true
	}
	p.remove(namespace, at)
	return false
}

// remove takes one that waits out of the queue. The caller holds the lock.
func (p *permits) remove(namespace string, at int) {
	p.waiting[namespace] = slices.Delete(p.waiting[namespace], at, at+1)
	if len(p.waiting[namespace]) == 0 {
		delete(p.waiting, namespace)
		p.turns = slices.DeleteFunc(p.turns, func(other string) bool { return other == namespace })
	}
}

// release hands a permit to what has waited for the longest time of the namespace that has its turn.
func (p *permits) release() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.turns) == 0 {
		p.free++
		p.signal()
		return
	}
	next := p.turns[0]
	p.turns = append(p.turns[1:], next)
	close(p.waiting[next][0])
	p.remove(next, 0)
}

// acquireSpare is for the drainer: a permit that no live delivery waits for. It is nil where there is none, and says
// otherwise how to release it.
func (p *permits) acquireSpare() (release func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.reserved:
		p.reserved = false
		return func() {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.reserved = true
			p.signal()
		}
	case p.free > 0:
		p.free--
		return p.release
	}
	return nil
}

func (p *permits) signal() {
	select {
	case p.freed <- struct{}{}:
	default:
	}
}
