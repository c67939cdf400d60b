// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
	testingclock "k8s.io/utils/clock/testing"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/webhookserver/inbox"
)

// newDrainerOf returns a drainer of an inbox on the disk, with nothing in it and no API.
func newDrainerOf(t *testing.T, maxBytes int64) *drainer {
	t.Helper()
	kept, err := inbox.Open(filepath.Join(t.TempDir(), "inbox.db"), inbox.Options{MaxBytes: maxBytes})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := kept.Close(); err != nil {
			t.Error(err)
		}
	})
	s, err := New(Options{
		Log: logr.Discard(), Clock: clock.RealClock{}, Inbox: kept, APIConcurrency: 1, Registry: prometheus.NewRegistry(),
	})
	if err != nil {
		t.Fatal(err)
	}
	// What was erased is not asked for.
	s.erasures, s.recorder.erasures = nil, nil
	return s.drainer
}

// kept returns a record of a delivery.
func kept(t *testing.T, n int64) *inbox.Record {
	t.Helper()
	completion := &v1alpha1.CourseCompletion{}
	completion.Namespace, completion.Name = "a", fmt.Sprintf("1-2-%d-4", n)
	record, err := newRecord(completion, time.Unix(1_700_000_000+n, 0), "api-timeout")
	if err != nil {
		t.Fatal(err)
	}
	return record
}

func keep(t *testing.T, d *drainer, n int64) *inbox.Record {
	t.Helper()
	record := kept(t, n)
	if err := d.inbox.Put(t.Context(), record); err != nil {
		t.Fatal(err)
	}
	return record
}

// What is retried has its old place, which a drainer that waits for the API has passed.
func TestADeadLetterThatIsRetriedDuringAnOutageIsTried(t *testing.T) {
	d := newDrainerOf(t, 64<<20)
	dead := keep(t, d, 1)
	if err := d.inbox.Bury(t.Context(), dead); err != nil {
		t.Fatal(err)
	}
	waiting := keep(t, d, 2)
	inHand := d.next()
	if inHand == nil || inHand.Seq != waiting.Seq {
		t.Fatalf("chose %+v, want record %d", inHand, waiting.Seq)
	}
	d.circuit.settle(pass{}, true, 0)
	away, back := d.circuit.away()
	if err := d.inbox.Retry(t.Context(), dead.Seq); err != nil {
		t.Fatal(err)
	}
	d.wake()
	if d.awaitProbe(t.Context(), time.Hour, away, back) {
		t.Error("goes on with what it has in its hands")
	}
	d.release(inHand)
	if got := d.next(); got == nil || got.Seq != dead.Seq {
		t.Errorf("chose %+v, want record %d", got, dead.Seq)
	}
}

// A delivery that cannot be kept is tried, whatever the drainer could try.
func TestAFullInboxLetsDeliveriesAskTheAPI(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	api, err := Connect(&rest.Config{Host: "https://" + listener.Addr().String()})
	if err != nil {
		t.Fatal(err)
	}
	completions, err := api.Completions()
	if err != nil {
		t.Fatal(err)
	}
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name     string
		maxBytes int64
		want     string
	}{
		{"with room", 64 << 20, reasonAPIAway},
		{"full", 14 << 10, "api-unreachable"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d := newDrainerOf(t, tc.maxBytes)
			d.recorder = recorder{client: completions, timeout: time.Minute}
			keep(t, d, 1)
			if got := d.inbox.Stats().Full(); got != (tc.name == "full") {
				t.Fatalf("full: %v with %+v", got, d.inbox.Stats())
			}
			d.circuit.settle(pass{}, true, 0)
			d.circuit.now()
			completion := &v1alpha1.CourseCompletion{}
			completion.Namespace, completion.Name = "a", "1-2-3-4"
			if _, refused := d.tryAPI(t.Context(), completion); refused == nil || refused.reason != tc.want {
				t.Errorf("refused: %+v, want %s", refused, tc.want)
			}
		})
	}
}

func TestAProbeThatPanicsIsNotTheLast(t *testing.T) {
	d := newDrainerOf(t, 64<<20)
	d.circuit.settle(pass{}, true, 0)
	d.circuit.now()
	func() {
		defer func() {
			if recover() == nil {
				t.Error("asked the API without a client and did not panic")
			}
		}()
		_, _ = d.tryAPI(t.Context(), &v1alpha1.CourseCompletion{})
	}()
	d.circuit.now()
	if leave, _, ok := d.circuit.allow(); !ok || !leave.probe {
		t.Error("no probe although one is due")
	}
}

// Whoever drops a record while the API is away must not find it stored when the API is back.
func TestARecordThatWasDroppedIsNotStored(t *testing.T) {
	d := newDrainerOf(t, 64<<20)
	for _, change := range []func(context.Context, *inbox.Record) error{
		func(ctx context.Context, r *inbox.Record) error { return d.inbox.Drop(ctx, r.Seq) },
		d.inbox.Bury,
	} {
		keep(t, d, 1)
		d.ended = false
		inHand := d.next()
		if err := change(t.Context(), inHand); err != nil {
			t.Fatal(err)
		}
		leave, _, _ := d.circuit.allow()
		// There is no client: asking the API would panic.
		d.try(t.Context(), inHand, leave, func() {})
		if d.trying != 0 || len(d.inFlight) != 0 || len(d.waits.past) != 0 {
			t.Errorf("still known: %d, %v, %v", d.trying, d.inFlight, d.waits.past)
		}
	}
}

// The reason that a record has in the file is that of the moment when it came.
func TestTheListSaysWhyARecordFailedLast(t *testing.T) {
	d := newDrainerOf(t, 64<<20)
	keep(t, d, 1)
	for range 2 {
		d.mu.Lock()
		d.waits.forget()
		d.mu.Unlock()
		d.restart()
		d.failed(d.next(), refusal{reason: "api-forbidden", scope: scopeNamespace})
	}
	for _, path := range []string{"/records?state=waiting&after=0", "/records/1"} {
		answer := httptest.NewRecorder()
		request := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, http.NoBody)
		(&admin{inbox: d.inbox, drainer: d}).handler().ServeHTTP(answer, request)
		if got := answer.Body.String(); !strings.Contains(got, `"reason":"api-forbidden","attempts":2`) {
			t.Errorf("%s: %s", path, got)
		}
	}
}

// Nothing but a delivery shows that deliveries can be kept again, and a pod that is not ready gets none.
func TestADeliveryThatCouldNotBeKeptCountsForAWhile(t *testing.T) {
	d := newDrainerOf(t, 14<<10)
	now := testingclock.NewFakeClock(time.Unix(1_700_000_000, 0))
	d.clock = now
	if d.NeedsInbox() {
		t.Fatal("needs the inbox before anything was refused")
	}
	d.unkept.saw("a")
	d.unkept.note("a", now.Now())
	now.Step(unkeptTime - 1)
	if !d.NeedsInbox() {
		t.Error("forgotten too early")
	}
	now.Step(1)
	if d.NeedsInbox() {
		t.Error("not forgotten")
	}
	d.unkept.note("a", now.Now())
	d.unkept.forget()
	if d.NeedsInbox() {
		t.Error("not forgotten although something was made safe")
	}
}

// Otherwise one institution could keep the deliveries of all others away.
func TestANamespaceOfSeveralThatTakesNothingLeavesThePodReady(t *testing.T) {
	d := newDrainerOf(t, 14<<10)
	d.unkept.saw("a")
	d.unkept.saw("b")
	for range 10 {
		d.unkept.note("a", d.clock.Now())
	}
	if d.NeedsInbox() {
		t.Error("the refusals of one namespace concern everybody")
	}
	d.unkept.note("b", d.clock.Now())
	d.unkept.note("c", d.clock.Now())
	if !d.NeedsInbox() {
		t.Error("the refusals of several namespaces concern nobody")
	}
}

// Many that one institution has queued do not hold up what another one has.
func TestNamespacesTakeTurnsWhenTheInboxIsEmptied(t *testing.T) {
	d := newDrainerOf(t, 64<<20)
	for n := range int64(500) {
		keep(t, d, n)
	}
	late := kept(t, 1000)
	late.Namespace = "b"
	if err := d.inbox.Put(t.Context(), late); err != nil {
		t.Fatal(err)
	}
	for n := 1; ; n++ {
		record := d.next()
		if record == nil {
			t.Fatal("not chosen")
		}
		if record.Seq == late.Seq {
			if n > 2 {
				t.Errorf("chosen after %d others", n-1)
			}
			return
		}
	}
}

func TestDeadLettersExpire(t *testing.T) {
	d := newDrainerOf(t, 64<<20)
	now := testingclock.NewFakeClock(time.Unix(1_700_000_000, 0).Add(48 * time.Hour))
	d.clock = now
	old, recent, waiting := kept(t, 0), kept(t, 47*3600), keep(t, d, 0)
	for _, record := range []*inbox.Record{old, recent} {
		if err := d.inbox.Hold(t.Context(), record); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.expireOnce(t.Context(), now.Now().Add(-24*time.Hour)); err != nil {
		t.Fatal(err)
	}
	if _, _, err := d.inbox.Get(old.Seq); !errors.Is(err, inbox.ErrNoRecord) {
		t.Errorf("the old one: %v", err)
	}
	for _, record := range []*inbox.Record{recent, waiting} {
		if _, _, err := d.inbox.Get(record.Seq); err != nil {
			t.Errorf("record %d: %v", record.Seq, err)
		}
	}
}
