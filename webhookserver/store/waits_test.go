// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"testing"
	"time"
)

func TestANamespaceThatTakesNothingWaitsAlone(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	w := newWaits()
	refused := refusal{reason: "api-forbidden", scope: scopeNamespace}
	try := func(seq uint64, namespace string, want bool) {
		t.Helper()
		if got := w.claim(seq, namespace, now); got != want {
			t.Fatalf("record %d of %s may be tried: %v, want %v", seq, namespace, got, want)
		}
	}
	try(1, "a", true)
	try(2, "a", true)
	w.failed(1, "a", refused, maxRetry, now)
	first := w.namespaces["a"].until
	// The second was under way; it makes nobody wait longer.
	w.failed(2, "a", refused, maxRetry, now)
	if got := w.namespaces["a"]; got.until != first || got.pause != minRetry {
		t.Errorf("two failures at once count as %+v", got)
	}
	try(3, "a", false)
	try(4, "b", true)
	if due := w.due(); due.Before(now) || due.After(first) {
		t.Errorf("due %s, want %s", due, first)
	}
	// Once its wait is over, one is tried, and a later one than the last.
	now = now.Add(2 * time.Minute)
	w.newPass(now)
	try(1, "a", false)
	try(3, "a", true)
	try(5, "a", false)
	w.failed(3, "a", refused, maxRetry, now)
	if got := w.namespaces["a"]; got.pause != 2*minRetry || got.tried != 3 {
		t.Errorf("the second failure counts as %+v", got)
	}
	// After a whole pass without a later one comes the oldest again.
	now = now.Add(2 * time.Minute)
	try(1, "a", false)
	w.endPass(now)
	try(1, "a", false)
	w.newPass(now)
	try(1, "a", false)
	w.endPass(now)
	w.newPass(now)
	try(1, "a", true)
	w.succeeded(1, "a")
	try(2, "a", true)
	try(3, "a", true)
	if w.attempts(1) != 0 || w.attempts(3) != 1 {
		t.Errorf("attempts %d and %d, want 0 and 1", w.attempts(1), w.attempts(3))
	}
}

func TestARecordThatFailsAloneWaitsAlone(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	w := newWaits()
	for n := range 10 {
		if !w.claim(1, "a", now) {
			t.Fatalf("not tried for the %d. time", n+1)
		}
		w.failed(1, "a", refusal{reason: "api-contended", scope: scopeCompletion}, maxRetry, now)
		if w.claim(1, "a", now) || !w.claim(2, "a", now) {
			t.Fatal("another record of the namespace waits too, or the record does not")
		}
		wait := w.records[1].until.Sub(now)
		if wait < minRetry/2 || wait > maxRetry*3/2 {
			t.Fatalf("waits %s", wait)
		}
		now = w.records[1].until
	}
	if w.records[1].pause != maxRetry {
		t.Errorf("the pause is %s in the end, want %s", w.records[1].pause, maxRetry)
	}
}

func TestAnAPIThatIsAwayMakesNoRecordWait(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	w := newWaits()
	w.claim(1, "a", now)
	w.failed(1, "a", refusal{reason: "api-unreachable", scope: scopeAPI}, maxRetry, now)
	if !w.claim(1, "a", now) {
		t.Error("the record waits, although it is for the circuit to say when the API is asked again")
	}
	if w.due() != now {
		t.Errorf("due %s, want at once", w.due())
	}
}

// A time-out may be the fault of one namespace: the others have their turns before it has another one.
func TestANamespaceThatIsSlowWaitsALittle(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	w := newWaits()
	slow := refusalOf(context.DeadlineExceeded)
	for seq := range uint64(10) {
		if !w.claim(seq, "slow", now) {
			t.Fatalf("record %d is not tried", seq)
		}
		w.failed(seq, "slow", slow, maxRetry, now)
		if w.due() != now {
			t.Errorf("due %s, want at once: the others wait for the circuit alone", w.due())
		}
		if w.claim(seq+1, "slow", now) || !w.claim(100, "other", now) {
			t.Fatal("the namespace has its turn before the others")
		}
		until := w.namespaces["slow"].until
		if wait := until.Sub(now); wait < minRetry/2 || wait > maxSlowRetry*3/2 {
			t.Fatalf("waits %s", wait)
		}
		now = until
		w.newPass(now)
	}
	if got := w.attempts(3); got != 0 {
		t.Errorf("%d attempts, want none: the API may have been away", got)
	}
}
