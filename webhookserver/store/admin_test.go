// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr/funcr"
	. "github.com/onsi/gomega"
	dto "github.com/prometheus/client_model/go"
)

// administer has a person ask something of an inbox.
func administer(t *testing.T, d *drainer, method, path string) (status int, text string) {
	t.Helper()
	answer := httptest.NewRecorder()
	request := httptest.NewRequestWithContext(t.Context(), method, path, http.NoBody)
	(&admin{inbox: d.inbox, drainer: d}).handler().ServeHTTP(answer, request)
	return answer.Code, answer.Body.String()
}

// Whoever gave up waiting for a retry tells nobody that it was done in the end.
func TestADeadLetterThatIsRetriedIsTriedWhoeverKnowsOfIt(t *testing.T) {
	g := NewWithT(t)
	d := newDrainerOf(t, 64<<20)
	dead := keep(t, d, 1)
	keep(t, d, 2)
	g.Expect(d.inbox.Bury(t.Context(), dead)).To(Succeed())
	d.succeeded(d.next())
	g.Expect(d.remove()).To(Succeed())
	g.Expect(d.next()).To(BeNil())
	g.Expect(d.inbox.Retry(t.Context(), dead.Seq)).To(Succeed())
	// Whatever else it is told: one of the first things is that something has come behind it.
	for range 2 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		d.rest(ctx)
		if record := d.next(); record != nil {
			g.Expect(record.Seq).To(Equal(dead.Seq))
			return
		}
	}
	t.Error("it is not tried")
}

// Who is told that a record was removed must not find it stored.
func TestARecordThatIsBeingTriedCannotBeDropped(t *testing.T) {
	g := NewWithT(t)
	d := newDrainerOf(t, 64<<20)
	keep(t, d, 1)
	record := d.next()
	g.Expect(d.ask(record)).To(BeTrue())
	for _, step := range []struct {
		name   string
		do     func()
		status int
		text   string
	}{
		{"with the API", func() {}, http.StatusConflict, "is being tried now"},
		{"stored and not yet removed", func() { d.succeeded(record) }, http.StatusConflict, "is being tried now"},
		{"removed", func() { g.Expect(d.remove()).To(Succeed()) }, http.StatusNotFound, "no such record"},
	} {
		step.do()
		status, text := administer(t, d, http.MethodDelete, "/records/1")
		g.Expect(status).To(Equal(step.status), step.name)
		g.Expect(text).To(ContainSubstring(step.text), step.name)
	}

	// One that only waits for its turn is dropped, and not asked for any more.
	keep(t, d, 2)
	d.ended = false
	record = d.next()
	status, text := administer(t, d, http.MethodDelete, "/records/2")
	g.Expect(status).To(Equal(http.StatusNoContent), text)
	g.Expect(d.ask(record)).To(BeFalse())
	d.release(record)
	g.Expect(d.inFlight).To(BeEmpty())
	g.Expect(d.trying).To(BeZero())
}

func TestARecordThatIsBeingDroppedIsNotChosen(t *testing.T) {
	g := NewWithT(t)
	d := newDrainerOf(t, 64<<20)
	record := keep(t, d, 1)
	d.inFlight[record.Seq] = dropping
	g.Expect(d.next()).To(BeNil())
	g.Expect(d.claim(record)).To(BeFalse())
	g.Expect(d.drop(t.Context(), record.Seq)).To(MatchError(errBeingTried))
}

// What is known of a record that waits goes with it.
func TestADroppedRecordLeavesNothingBehind(t *testing.T) {
	g := NewWithT(t)
	d := newDrainerOf(t, 64<<20)
	keep(t, d, 1)
	d.failed(d.next(), refusal{reason: "api-contended", scope: scopeCompletion})
	g.Expect(d.waits.records).To(HaveLen(1))
	status, text := administer(t, d, http.MethodDelete, "/records/1")
	g.Expect(status).To(Equal(http.StatusNoContent), text)
	g.Expect(d.waits.records).To(BeEmpty())
	g.Expect(d.waits.past).To(BeEmpty())
}

// An acknowledged delivery that will never be stored is somebody's decision, which is on record.
func TestWhatAPersonDecidesIsOnRecord(t *testing.T) {
	g := NewWithT(t)
	d := newDrainerOf(t, 64<<20)
	var log strings.Builder
	d.log = funcr.New(func(_, args string) { log.WriteString(args + "\n") }, funcr.Options{})
	record := kept(t, 3)
	record.DeliveryID, record.Reason = "0193", "api-invalid"
	g.Expect(d.inbox.Hold(t.Context(), record)).To(Succeed())
	for _, step := range []struct{ method, path, action, state string }{
		{http.MethodPost, "/records/1/retry", "retried", "dead"},
		{http.MethodDelete, "/records/1", "dropped", "waiting"},
	} {
		log.Reset()
		status, text := administer(t, d, step.method, step.path)
		g.Expect(status).To(Equal(http.StatusNoContent), text)
		g.Expect(log.String()).To(And(
			ContainSubstring(`"msg"="Record was `+step.action+` by hand" "record"=1 "state"="`+step.state+`"`),
			ContainSubstring(`"deliveryID"="0193"`), ContainSubstring("1-2-3-4"), ContainSubstring(`"reason"="api-invalid"`)))
		var counted dto.Metric
		g.Expect(d.measured.administered.WithLabelValues(step.action).Write(&counted)).To(Succeed())
		g.Expect(counted.GetCounter().GetValue()).To(Equal(1.0))
		// What cannot be done is no decision.
		status, _ = administer(t, d, step.method, "/records/2/retry")
		g.Expect(status).NotTo(Equal(http.StatusNoContent))
	}
	g.Expect(strings.Count(log.String(), "by hand")).To(Equal(1))
}

// A delivery that has just come must not be left behind by a server that stops.
func TestAnInboxIsNotSettledBeforeTheDrainerHasLooked(t *testing.T) {
	g := NewWithT(t)
	d := newDrainerOf(t, 64<<20)
	keep(t, d, 1)
	d.failed(d.next(), forbidden)
	rest := func() {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		g.Expect(d.next()).To(BeNil())
		d.rest(ctx)
	}
	rest()
	g.Eventually(func() bool { rest(); return d.settled() }, time.Minute).Should(BeTrue(), "what it has must wait")
	other := kept(t, 2)
	other.Namespace = "b"
	g.Expect(d.inbox.Put(t.Context(), other)).To(Succeed())
	g.Expect(d.settled()).To(BeFalse())
}
