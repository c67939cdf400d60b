// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr/funcr"
	. "github.com/onsi/gomega"
	dto "github.com/prometheus/client_model/go"

	"github.com/lxp-dev/course-completion-operator/webhookserver/inbox"
)

// administer has a person ask something of an inbox.
func administer(t *testing.T, s *Store, method, path string) (status int, text string) {
	t.Helper()
	answer := httptest.NewRecorder()
	request := httptest.NewRequestWithContext(t.Context(), method, path, http.NoBody)
	s.Administration().ServeHTTP(answer, request)
	return answer.Code, answer.Body.String()
}

// Whoever gave up waiting for a retry tells nobody that it was done in the end.
func TestADeadLetterThatIsRetriedIsTriedWhoeverKnowsOfIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore(t, 64<<20, &fakeAPI{})
		dead := keep(t, s, "a", 1)
		if err := s.inbox.Bury(t.Context(), dead); err != nil {
			t.Fatal(err)
		}
		keep(t, s, "a", 2)
		drain(t, s)
		await(t, time.Second, "the other is stored", func() bool { return s.inbox.Stats().Records == 0 })
		if err := s.inbox.Retry(t.Context(), dead.Seq); err != nil {
			t.Fatal(err)
		}
		await(t, time.Second, "it is stored", func() bool { return s.inbox.Stats() == inboxStatsOf(s, 0) })
	})
}

// inboxStatsOf is what an inbox says that has as many records as given, and no dead letters.
func inboxStatsOf(s *Store, records int) inbox.Stats {
	stats := s.inbox.Stats()
	stats.Records, stats.DeadLetters = records, 0
	return stats
}

func TestTheListSaysWhyARecordFailedLast(t *testing.T) {
	s := newStore(t, 64<<20, nil)
	keep(t, s, "a", 1)
	for range 2 {
		s.drainer.restart()
		s.drainer.failed(s.drainer.next("a"), refusal{reason: "api-forbidden", scope: scopeNamespace})
	}
	for _, path := range []string{"/records?state=waiting&after=0", "/records/1"} {
		if _, got := administer(t, s, http.MethodGet, path); !strings.Contains(got,
			`"reason":"api-forbidden","attempts":2`) {
			t.Errorf("%s: %s", path, got)
		}
	}
}

// Who is told that a record was removed must not find it stored.
func TestARecordThatIsBeingTriedCannotBeDropped(t *testing.T) {
	g := NewWithT(t)
	s := newStore(t, 64<<20, nil)
	d := s.drainer
	keep(t, s, "a", 1)
	record := d.next("a")
	for _, step := range []struct {
		name   string
		do     func()
		status int
		text   string
	}{
		{"with the API", func() {}, http.StatusConflict, "is being retried right now"},
		{"stored and not yet removed", func() { d.end(record, true, true) }, http.StatusConflict,
			"is being retried right now"},
		{"removed", func() { g.Expect(d.remove()).To(Succeed()) }, http.StatusNotFound, "no such record"},
	} {
		step.do()
		status, text := administer(t, s, http.MethodDelete, "/records/1")
		g.Expect(status).To(Equal(step.status), step.name)
		g.Expect(text).To(ContainSubstring(step.text), step.name)
	}

	// One that only waits for its turn is dropped, and not tried any more.
	keep(t, s, "a", 2)
	status, text := administer(t, s, http.MethodDelete, "/records/2")
	g.Expect(status).To(Equal(http.StatusNoContent), text)
	g.Expect(d.next("a")).To(BeNil())
	g.Expect(d.inFlight).To(BeEmpty())
}

func TestARecordThatIsBeingDroppedIsNotChosen(t *testing.T) {
	g := NewWithT(t)
	s := newStore(t, 64<<20, nil)
	record := keep(t, s, "a", 1)
	s.drainer.inFlight[record.Seq] = true
	g.Expect(s.drainer.next("a")).To(BeNil())
	g.Expect(s.drainer.drop(t.Context(), record.Seq)).To(MatchError(errBeingTried))
}

// What is known of a record that waits goes with it.
func TestADroppedRecordLeavesNothingBehind(t *testing.T) {
	g := NewWithT(t)
	s := newStore(t, 64<<20, nil)
	keep(t, s, "a", 1)
	s.drainer.failed(s.drainer.next("a"), refusal{reason: "api-contended", scope: scopeCompletion})
	g.Expect(s.drainer.retries.records).To(HaveLen(1))
	status, text := administer(t, s, http.MethodDelete, "/records/1")
	g.Expect(status).To(Equal(http.StatusNoContent), text)
	g.Expect(s.drainer.retries.records).To(BeEmpty())
}

// An acknowledged delivery that will never be stored is somebody's decision, which is on record.
func TestWhatAPersonDecidesIsOnRecord(t *testing.T) {
	g := NewWithT(t)
	var log strings.Builder
	s := newStore(t, 64<<20, nil, func(o *Options) {
		o.Log = funcr.New(func(_, args string) { log.WriteString(args + "\n") }, funcr.Options{})
	})
	record := recordFor(t, "a", 3)
	record.DeliveryID, record.Reason = "0193", "api-invalid"
	g.Expect(s.inbox.Hold(t.Context(), record)).To(Succeed())
	for _, step := range []struct{ method, path, action, state string }{
		{http.MethodPost, "/records/1/retry", "retried", "dead"},
		{http.MethodDelete, "/records/1", "dropped", "waiting"},
	} {
		log.Reset()
		status, text := administer(t, s, step.method, step.path)
		g.Expect(status).To(Equal(http.StatusNoContent), text)
		g.Expect(log.String()).To(And(
			ContainSubstring(`"msg"="Record changed by hand" "action"="`+step.action+`" "record"=1 "state"="`+step.state+`"`),
			ContainSubstring(`"deliveryID"="0193"`), ContainSubstring("1-2-3-4"), ContainSubstring(`"reason"="api-invalid"`)))
		var counted dto.Metric
		g.Expect(s.measured.administered.WithLabelValues(step.action).Write(&counted)).To(Succeed())
		g.Expect(counted.GetCounter().GetValue()).To(Equal(1.0))
		// What cannot be done is no decision.
		status, _ = administer(t, s, step.method, "/records/2/retry")
		g.Expect(status).NotTo(Equal(http.StatusNoContent))
	}
	g.Expect(strings.Count(log.String(), "by hand")).To(Equal(1))
}
