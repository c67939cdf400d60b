// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"testing"
	"time"
)

func TestLiveDeliveriesHaveTheirTurnsFirst(t *testing.T) {
	p := newPermits(1)
	if !p.acquire(t.Context(), "a", 0) {
		t.Fatal("no permit of one")
	}
	if p.acquire(t.Context(), "a", time.Millisecond) {
		t.Fatal("two permits of one")
	}
	// The drainer has one of its own, however busy the others are.
	own := p.acquireSpare()
	if own == nil {
		t.Fatal("the drainer is starved")
	}
	if p.acquireSpare() != nil {
		t.Fatal("the drainer has a permit that is taken")
	}
	waiting := make(chan bool)
	go func() { waiting <- p.acquire(t.Context(), "a", time.Minute) }()
	for queued := false; !queued; {
		p.mu.Lock()
		queued = len(p.turns) == 1
		p.mu.Unlock()
	}
	p.release()
	if !<-waiting {
		t.Fatal("who waited did not get the permit")
	}
	if p.acquireSpare() != nil {
		t.Fatal("the drainer came before who waited")
	}
	own()
	p.release()
	borrowed := 0
	for p.acquireSpare() != nil {
		borrowed++
	}
	if borrowed != 2 {
		t.Errorf("the drainer gets %d permits, want what is left and its own", borrowed)
	}
}

// A crowd of one institution costs another one's delivery one turn.
func TestNamespacesTakeTurnsAtTheAPI(t *testing.T) {
	p := newPermits(1)
	if !p.acquire(t.Context(), "crowd", 0) {
		t.Fatal("no permit of one")
	}
	got := make(chan string, 100)
	wait := func(namespace string, n int) {
		go func() {
			if p.acquire(t.Context(), namespace, time.Minute) {
				got <- namespace
			}
		}()
		for queued := 0; queued < n; {
			p.mu.Lock()
			queued = len(p.waiting[namespace])
			p.mu.Unlock()
		}
	}
	for n := range 50 {
		wait("crowd", n+1)
	}
	wait("other", 1)
	for n := 1; ; n++ {
		p.release()
		if namespace := <-got; namespace == "other" {
			if n > 2 {
				t.Errorf("its turn came after %d of the crowd", n-1)
			}
			break
		}
	}
	for len(p.turns) > 0 {
		p.release()
		<-got
	}
	if len(p.waiting) > 0 {
		t.Errorf("still known: %v", p.waiting)
	}
	if p.acquire(t.Context(), "late", time.Millisecond) || len(p.turns) > 0 || len(p.waiting) > 0 {
		t.Error("who waited in vain is still in the queue")
	}
}
