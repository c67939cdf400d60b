// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	testingclock "k8s.io/utils/clock/testing"
)

func TestTheBreakerLetsProbesThrough(t *testing.T) {
	now := testingclock.NewFakePassiveClock(time.Unix(1_700_000_000, 0))
	b := newBreaker(now)
	allowed := func() (attempt, bool) {
		allowed, _, ok := b.allow()
		return allowed, ok
	}
	usual, ok := allowed()
	if !ok || usual.probe {
		t.Fatal("closed at first")
	}
	other, _ := allowed()
	b.report(usual, true, 0)
	if _, ok := allowed(); ok {
		t.Fatal("let through at once after a failure")
	}
	// What was under way says nothing new.
	b.report(other, true, 0)
	var pauses []time.Duration
	for range 8 {
		pauses = append(pauses, b.pause)
		now.SetTime(now.Now().Add(2 * maxAPIWait))
		probe, ok := allowed()
		if !ok || !probe.probe {
			t.Fatal("no probe although it is due")
		}
		if _, ok := allowed(); ok {
			t.Fatal("two probes at once")
		}
		b.report(probe, true, 0)
	}
	var want []time.Duration
	for _, ms := range []int{100, 200, 400, 800, 1600, 3200, 5000, 5000} {
		want = append(want, time.Duration(ms)*time.Millisecond)
	}
	if diff := cmp.Diff(want, pauses); diff != "" {
		t.Errorf("pauses (-want +got):\n%s", diff)
	}
	_, back := b.away()
	// The API may ask for more.
	now.SetTime(now.Now().Add(2 * maxAPIWait))
	probe, _ := allowed()
	b.report(probe, true, time.Minute)
	now.SetTime(now.Now().Add(2 * maxAPIWait))
	if _, ok := allowed(); ok {
		t.Fatal("probed before the API wants to be asked")
	}
	now.SetTime(now.Now().Add(time.Minute))
	probe, _ = allowed()
	b.report(probe, false, 0)
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
func TestAnAnsweredReadDoesNotShortenThePauses(t *testing.T) {
	now := testingclock.NewFakePassiveClock(time.Unix(1_700_000_000, 0))
	b := newBreaker(now)
	var pauses []time.Duration
	for range 4 {
		b.report(attempt{}, true, 0)
		pauses = append(pauses, b.pause)
		b.probeNow()
		if _, ok := b.allowRead(probeLate); ok {
			t.Fatal("asked at the moment when a delivery may be tried")
		}
		now.SetTime(now.Now().Add(probeLate))
		allowed, ok := b.allowRead(probeLate)
		if !ok {
			t.Fatal("not asked although nobody else does")
		}
		b.report(allowed, false, 0)
		if away, _ := b.away(); away {
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
	b.report(attempt{}, false, 0)
	b.report(attempt{}, true, 0)
	if b.pause != minAPIWait {
		t.Errorf("the pause is %s after a delivery was stored, want %s", b.pause, minAPIWait)
	}
}

// A delivery that gets no turn says nothing of the API.
func TestAnAttemptThatIsNotMadeLeavesTheBreakerAsItIs(t *testing.T) {
	now := testingclock.NewFakePassiveClock(time.Unix(1_700_000_000, 0))
	b := newBreaker(now)
	unused, _, _ := b.allow()
	b.report(attempt{}, true, 0)
	b.cancel(unused)
	if away, _ := b.away(); !away {
		t.Error("not away any more")
	}
	b.probeNow()
	probe, _, _ := b.allow()
	b.cancel(probe)
	b.probeNow()
	if allowed, _, ok := b.allow(); !ok || !allowed.probe {
		t.Error("no probe although one is due")
	}
}
