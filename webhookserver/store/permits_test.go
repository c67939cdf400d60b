// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestLiveDeliveriesHaveTheirTurnsFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPermits(1)
		if !p.acquire(t.Context(), "a", 0) {
			t.Fatal("no permit of one")
		}
		began := time.Now()
		if p.acquire(t.Context(), "a", permitWait) {
			t.Fatal("two permits of one")
		}
		if waited := time.Since(began); waited != permitWait {
			t.Errorf("waited %s for it, want %s", waited, permitWait)
		}
		// The drainer has one of its own, however busy the others are.
		own := p.acquireSpare()
		if own == nil {
			t.Fatal("the drainer is starved")
		}
		if p.acquireSpare() != nil {
			t.Fatal("the drainer has a permit that is taken")
		}
		got := make(chan bool, 1)
		go func() { got <- p.acquire(t.Context(), "a", time.Minute) }()
		synctest.Wait()
		p.release()
		if !<-got {
			t.Fatal("who waited did not get the permit")
		}
		if p.acquireSpare() != nil {
			t.Fatal("the drainer came before who waited")
		}
		own()
		p.release()
		spare := 0
		for p.acquireSpare() != nil {
			spare++
		}
		if spare != 2 {
			t.Errorf("the drainer gets %d permits, want what is left and its own", spare)
		}
	})
}

func TestNamespacesTakeTurnsAtTheAPI(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPermits(1)
		if !p.acquire(t.Context(), "crowd", 0) {
			t.Fatal("no permit of one")
		}
		got := make(chan string, 100)
		wait := func(namespace string) {
			go func() {
				if p.acquire(t.Context(), namespace, time.Minute) {
					got <- namespace
				}
			}()
			synctest.Wait()
		}
		for range 50 {
			wait("crowd")
		}
		wait("other")
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
	})
}
