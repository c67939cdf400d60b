// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"runtime"
	"testing"
	"time"

	testingclock "k8s.io/utils/clock/testing"

	"github.com/lxp-dev/course-completion-operator/webhookserver/inbox"
)

// steppedDrainer is a drainer on a clock that the test moves, whose API came back long ago.
func steppedDrainer(t *testing.T) (*drainer, *testingclock.FakeClock) {
	t.Helper()
	d := newDrainerOf(t, 64<<20)
	now := testingclock.NewFakeClock(time.Unix(1_700_000_000, 0))
	d.clock, d.circuit = now, newCircuit(now)
	now.Step(settleTime)
	return d, now
}

// drainFor tries one record after the other for a time on the clock, and tells how many were stored.
func drainFor(
	t *testing.T, d *drainer, now *testingclock.FakeClock, limit time.Duration,
	api func(*inbox.Record) *refusal,
) (stored int) {
	t.Helper()
	for begin := now.Now(); now.Since(begin) < limit && d.inbox.Stats().Records > 0; {
		record := d.next()
		if record == nil {
			restOn(t, d, now)
			continue
		}
		if refused := api(record); refused != nil {
			d.failed(record, *refused)
			continue
		}
		stored++
		d.succeeded(record)
		if err := d.remove(); err != nil {
			t.Fatal(err)
		}
	}
	return stored
}

// restOn lets a drainer rest, and the time go on until something is due.
func restOn(t *testing.T, d *drainer, now *testingclock.FakeClock) {
	t.Helper()
	rested := make(chan struct{})
	go func() {
		defer close(rested)
		d.rest(t.Context())
	}()
	for stepped := false; ; runtime.Gosched() {
		select {
		case <-rested:
			return
		default:
		}
		if !stepped && now.HasWaiters() {
			d.mu.Lock()
			now.Step(max(0, d.waits.due().Sub(now.Now())))
			d.mu.Unlock()
			stepped = true
		}
	}
}

var forbidden = refusal{reason: "api-forbidden", scope: scopeNamespace}

// The API may refuse a single delivery with words that sound like all of its namespace.
func TestARecordThatIsAlwaysRefusedHoldsUpOnlyItself(t *testing.T) {
	const behind = 200
	for _, tc := range []struct {
		name    string
		refused refusal
	}{
		{"forbidden", forbidden},
		{"too slow", refusal{reason: "api-timeout", scope: scopeAPI, slow: true}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d, now := steppedDrainer(t)
			oldest := keep(t, d, 0)
			for n := range int64(behind) {
				keep(t, d, n+1)
			}
			tries := 0
			stored := drainFor(t, d, now, 20*time.Second, func(record *inbox.Record) *refusal {
				if record.Seq != oldest.Seq {
					return nil
				}
				tries++
				return &tc.refused
			})
			if stored != behind || tries < 2 {
				t.Errorf("%d of %d stored after the oldest was tried %d times", stored, behind, tries)
			}
		})
	}
}

// Where nothing is taken, one record after the other is tried, ever more rarely, and then the oldest again.
func TestANamespaceThatTakesNothingIsTriedWithEachOfItsRecords(t *testing.T) {
	d, now := steppedDrainer(t)
	for n := range int64(3) {
		keep(t, d, n)
	}
	var tried []uint64
	var at []time.Time
	drainFor(t, d, now, 10*time.Minute, func(record *inbox.Record) *refusal {
		tried, at = append(tried, record.Seq), append(at, now.Now())
		return &forbidden
	})
	for n, seq := range tried {
		if want := uint64(n%3) + 1; seq != want {
			t.Fatalf("tried %v: record %d at place %d, want %d", tried, seq, n, want)
		}
	}
	if len(tried) < 9 || len(tried) > 30 {
		t.Errorf("tried %d times in ten minutes", len(tried))
	}
	if last := at[len(at)-1].Sub(at[len(at)-2]); last < maxRetry/2 || last > 2*maxRetry {
		t.Errorf("the last wait was %s", last)
	}
}

// An API server that has just started refuses everybody for as long as it does not know the rights.
func TestAnAPIThatCameBackIsNotMistrustedForLong(t *testing.T) {
	d, now := steppedDrainer(t)
	keep(t, d, 1)
	d.circuit.settle(pass{}, true, 0)
	now.Step(time.Hour)
	d.circuit.settle(pass{probe: true}, false, 0)
	allowed := now.Now().Add(30 * time.Second)
	stored := drainFor(t, d, now, time.Hour, func(*inbox.Record) *refusal {
		if now.Now().Before(allowed) {
			return &forbidden
		}
		return nil
	})
	if late := now.Since(allowed); stored != 1 || late > 2*maxSlowRetry {
		t.Errorf("%d stored %s after the API took it again", stored, late)
	}
}

// A live delivery that the API takes says that its namespace is all right.
func TestALiveDeliveryThatIsTakenEndsTheWaitOfItsNamespace(t *testing.T) {
	d, now := steppedDrainer(t)
	for n := range int64(2) {
		keep(t, d, n)
	}
	until := func() time.Time {
		if waiting := d.waits.namespaces["a"]; waiting != nil {
			return waiting.until
		}
		return time.Time{}
	}
	for until().Sub(now.Now()) < 10*time.Second {
		if record := d.next(); record != nil {
			d.failed(record, forbidden)
		} else {
			restOn(t, d, now)
		}
	}
	d.took("another")
	if until().IsZero() {
		t.Fatal("another namespace ended the wait")
	}
	d.took("a")
	begin := now.Now()
	if stored := drainFor(t, d, now, time.Hour, func(*inbox.Record) *refusal { return nil }); stored != 2 {
		t.Errorf("%d stored, want both", stored)
	}
	if waited := now.Since(begin); waited > time.Second {
		t.Errorf("waited %s for it", waited)
	}
	// Where nobody waits, a live delivery does not have to either: the lock is not asked for.
	d.mu.Lock()
	defer d.mu.Unlock()
	d.took("a")
}
