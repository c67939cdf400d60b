// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	testingclock "k8s.io/utils/clock/testing"
)

func TestLiveDeliveriesHaveTheirTurnsFirst(t *testing.T) {
	s := newSlots(1)
	if !s.acquire(t.Context(), "a", 0) {
		t.Fatal("no slot of one")
	}
	if s.acquire(t.Context(), "a", time.Millisecond) {
		t.Fatal("two slots of one")
	}
	// The drainer has one of its own, however busy the others are.
	own := s.borrow()
	if own == nil {
		t.Fatal("the drainer is starved")
	}
	if s.borrow() != nil {
		t.Fatal("the drainer has a slot that is taken")
	}
	waiting := make(chan bool)
	go func() { waiting <- s.acquire(t.Context(), "a", time.Minute) }()
	for queued := false; !queued; {
		s.mu.Lock()
		queued = s.queues.Len() == 1
		s.mu.Unlock()
	}
	s.release()
	if !<-waiting {
		t.Fatal("who waited did not get the slot")
	}
	if s.borrow() != nil {
		t.Fatal("the drainer came before who waited")
	}
	own()
	s.release()
	borrowed := 0
	for s.borrow() != nil {
		borrowed++
	}
	if borrowed != 2 {
		t.Errorf("the drainer gets %d slots, want what is left and its own", borrowed)
	}
}

// A crowd of one institution costs another one's delivery one turn.
func TestNamespacesTakeTurnsAtTheAPI(t *testing.T) {
	s := newSlots(1)
	if !s.acquire(t.Context(), "crowd", 0) {
		t.Fatal("no slot of one")
	}
	got := make(chan string, 100)
	wait := func(namespace string, n int) {
		go func() {
			if s.acquire(t.Context(), namespace, time.Minute) {
				got <- namespace
			}
		}()
		for queued := 0; queued < n; {
			s.mu.Lock()
			if element := s.byNamespace[namespace]; element != nil {
				queued = element.Value.(*slotQueue).waiting.Len()
			}
			s.mu.Unlock()
		}
	}
	for n := range 50 {
		wait("crowd", n+1)
	}
	wait("other", 1)
	for n := 1; ; n++ {
		s.release()
		if namespace := <-got; namespace == "other" {
			if n > 2 {
				t.Errorf("its turn came after %d of the crowd", n-1)
			}
			break
		}
	}
	for s.queues.Len() > 0 {
		s.release()
		<-got
	}
	if len(s.byNamespace) > 0 {
		t.Errorf("still known: %v", s.byNamespace)
	}
	if s.acquire(t.Context(), "late", time.Millisecond) || s.queues.Len() > 0 || len(s.byNamespace) > 0 {
		t.Error("who waited in vain is still in the queue")
	}
}

func TestTheCircuitLetsProbesThrough(t *testing.T) {
	now := testingclock.NewFakePassiveClock(time.Unix(1_700_000_000, 0))
	c := newCircuit(now)
	allowed := func() (pass, bool) {
		leave, _, ok := c.allow()
		return leave, ok
	}
	usual, ok := allowed()
	if !ok || usual.probe {
		t.Fatal("closed at first")
	}
	other, _ := allowed()
	c.settle(usual, true, 0)
	if _, ok := allowed(); ok {
		t.Fatal("let through at once after a failure")
	}
	// What was under way says nothing new.
	c.settle(other, true, 0)
	var pauses []time.Duration
	for range 8 {
		pauses = append(pauses, c.pause)
		now.SetTime(now.Now().Add(2 * maxAPIWait))
		probe, ok := allowed()
		if !ok || !probe.probe {
			t.Fatal("no probe although it is due")
		}
		if _, ok := allowed(); ok {
			t.Fatal("two probes at once")
		}
		c.settle(probe, true, 0)
	}
	var want []time.Duration
	for _, ms := range []int{100, 200, 400, 800, 1600, 3200, 5000, 5000} {
		want = append(want, time.Duration(ms)*time.Millisecond)
	}
	if diff := cmp.Diff(want, pauses); diff != "" {
		t.Errorf("pauses (-want +got):\n%s", diff)
	}
	_, back := c.away()
	// The API may ask for more.
	now.SetTime(now.Now().Add(2 * maxAPIWait))
	probe, _ := allowed()
	c.settle(probe, true, time.Minute)
	now.SetTime(now.Now().Add(2 * maxAPIWait))
	if _, ok := allowed(); ok {
		t.Fatal("probed before the API wants to be asked")
	}
	now.SetTime(now.Now().Add(time.Minute))
	probe, _ = allowed()
	c.settle(probe, false, 0)
	if _, ok := allowed(); !ok {
		t.Fatal("not let through although the API is back")
	}
	select {
	case <-back:
	default:
		t.Error("nobody is told that the API is back")
	}
}

// Where the API answers questions and stores nothing, the circuit must not begin with short pauses again and again.
func TestAnAnsweredQuestionDoesNotShortenThePauses(t *testing.T) {
	now := testingclock.NewFakePassiveClock(time.Unix(1_700_000_000, 0))
	c := newCircuit(now)
	var pauses []time.Duration
	for range 4 {
		c.settle(pass{}, true, 0)
		pauses = append(pauses, c.pause)
		c.now()
		if _, ok := c.question(probeLate); ok {
			t.Fatal("asked at the moment when a delivery may be tried")
		}
		now.SetTime(now.Now().Add(probeLate))
		leave, ok := c.question(probeLate)
		if !ok {
			t.Fatal("not asked although nobody else does")
		}
		c.settle(leave, false, 0)
		if away, _ := c.away(); away {
			t.Fatal("away although it has answered")
		}
	}
	var want []time.Duration
	for _, ms := range []int{100, 200, 400, 800} {
		want = append(want, time.Duration(ms)*time.Millisecond)
	}
	if diff := cmp.Diff(want, pauses); diff != "" {
		t.Errorf("pauses (-want +got):\n%s", diff)
	}
	c.settle(pass{}, false, 0)
	c.settle(pass{}, true, 0)
	if c.pause != minAPIWait {
		t.Errorf("the pause is %s after a delivery was stored, want %s", c.pause, minAPIWait)
	}
}

// A delivery that gets no turn says nothing of the API.
func TestALeaveThatIsNotUsedLeavesTheCircuitAsItIs(t *testing.T) {
	now := testingclock.NewFakePassiveClock(time.Unix(1_700_000_000, 0))
	c := newCircuit(now)
	unused, _, _ := c.allow()
	c.settle(pass{}, true, 0)
	c.abandon(unused)
	if away, _ := c.away(); !away {
		t.Error("not away any more")
	}
	c.now()
	probe, _, _ := c.allow()
	c.abandon(probe)
	c.now()
	if leave, _, ok := c.allow(); !ok || !leave.probe {
		t.Error("no probe although one is due")
	}
}
