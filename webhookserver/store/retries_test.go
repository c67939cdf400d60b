// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"testing"
	"time"

	"github.com/lxp-dev/course-completion-operator/webhookserver/inbox"
)

var noon = time.Unix(1_700_000_000, 0)

func recordOf(namespace string, seq uint64) *inbox.Record {
	return &inbox.Record{Namespace: namespace, Seq: seq}
}

func TestANamespaceThatTakesNothingBacksOffAlone(t *testing.T) {
	now, r := noon, newRetries()
	refused := refusal{reason: "api-forbidden", scope: scopeNamespace}
	r.failed(recordOf("a", 1), refused, maxRetry, now)
	of, first := r.of("a"), r.of("a").until
	// The second was under way; it makes nobody wait longer.
	r.failed(recordOf("a", 2), refused, maxRetry, now)
	if of.until != first || of.pause != minRetry {
		t.Errorf("two failures at once count as %+v", of)
	}
	if other := r.of("b"); !other.until.IsZero() || r.backingOff.Load() != 1 {
		t.Errorf("another namespace backs off: %+v", other)
	}
	now = first
	of.probing, of.after = true, 3
	r.failed(recordOf("a", 3), refused, maxRetry, now)
	if of.probing || of.pause != 2*minRetry || of.after != 3 {
		t.Errorf("the second failure counts as %+v", of)
	}
	if r.recovered("b") || !r.recovered("a") || r.recovered("a") {
		t.Error("another namespace than the one that took a delivery recovers")
	}
	if !of.until.IsZero() || of.after != 0 || r.backingOff.Load() != 0 {
		t.Errorf("it does not begin with its oldest record at once: %+v", of)
	}
	if r.records[1].attempts != 1 || r.records[3].attempts != 1 {
		t.Errorf("attempts %d and %d, want 1 of each", r.records[1].attempts, r.records[3].attempts)
	}
}

func TestARecordThatFailsAloneBacksOffAlone(t *testing.T) {
	now, r := noon, newRetries()
	for range 10 {
		r.failed(recordOf("a", 1), refusal{reason: "api-contended", scope: scopeCompletion}, maxRetry, now)
		if of := r.of("a"); !of.until.IsZero() {
			t.Fatalf("the other records of the namespace wait too: %+v", of)
		}
		wait := r.records[1].until.Sub(now)
		if wait < minRetry/2 || wait > maxRetry*3/2 {
			t.Fatalf("waits %s", wait)
		}
		now = r.records[1].until
	}
	if r.records[1].pause != maxRetry {
		t.Errorf("the pause is %s in the end, want %s", r.records[1].pause, maxRetry)
	}
}

// What sounds like all of a namespace is the fault of a record that fails again where others do not.
func TestARecordIsAtFaultWhereItsNamespaceTakesOthers(t *testing.T) {
	now, r := noon, newRetries()
	refused := refusal{reason: "api-forbidden", scope: scopeNamespace}
	r.failed(recordOf("a", 1), refused, maxRetry, now)
	r.recovered("a")
	r.failed(recordOf("a", 1), refused, maxRetry, now)
	if of := r.of("a"); of.pause != 0 || !r.records[1].atFault || r.records[1].until.IsZero() {
		t.Errorf("the namespace backs off, or the record does not: %+v, %+v", of, r.records[1])
	}
	// One that fails for the first time says as much as ever.
	r.failed(recordOf("a", 2), refused, maxRetry, now)
	if of := r.of("a"); of.pause == 0 || !r.records[2].until.IsZero() {
		t.Errorf("the record backs off, or the namespace does not: %+v, %+v", of, r.records[2])
	}
}

func TestAnAPIThatIsAwayMakesNoRecordWait(t *testing.T) {
	r := newRetries()
	r.of("a").after = 7
	r.failed(recordOf("a", 7), refusal{reason: "api-unreachable", scope: scopeAPI}, maxRetry, noon)
	if of, record := r.of("a"), r.records[7]; of.pause != 0 || record.pause != 0 || record.attempts != 0 || of.after != 0 {
		t.Errorf("it waits, although it is for the breaker to say when the API is asked again: %+v, %+v", of, record)
	}
}

func TestANamespaceThatIsSlowWaitsALittle(t *testing.T) {
	now, r := noon, newRetries()
	slow := refusalOf(context.DeadlineExceeded)
	for seq := range uint64(10) {
		r.failed(recordOf("slow", seq), slow, maxRetry, now)
		until := r.of("slow").until
		if wait := until.Sub(now); wait < minRetry/2 || wait > maxSlowRetry*3/2 {
			t.Fatalf("waits %s", wait)
		}
		now = until
	}
	if got := r.records[3].attempts; got != 0 {
		t.Errorf("%d attempts, want none: the API may have been away", got)
	}
}
