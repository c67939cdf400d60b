// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package webhookserver

import (
	"net"
	"net/http"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	. "github.com/onsi/gomega"
	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/utils/clock"
	testingclock "k8s.io/utils/clock/testing"

	"github.com/lxp-dev/course-completion-operator/webhookserver/inbox"
	"github.com/lxp-dev/course-completion-operator/webhookserver/store"
)

// waiting is everything behind the handler of a server with one record in its inbox.
func waiting(t *testing.T, now clock.WithTicker) *intake {
	t.Helper()
	g := NewWithT(t)
	opened, err := inbox.Open(filepath.Join(t.TempDir(), "inbox.db"), inbox.Options{MaxBytes: 64 << 20})
	g.Expect(err).NotTo(HaveOccurred())
	t.Cleanup(func() { g.Expect(opened.Close()).To(Succeed()) })
	record := &inbox.Record{Received: time.Unix(1_700_000_000, 0), Namespace: "a", Name: "1-2-3-4", Data: []byte("{}")}
	g.Expect(opened.Put(t.Context(), record)).To(Succeed())
	kept, err := store.New(store.Options{
		Log: logr.Discard(), Clock: now, Inbox: opened, APIConcurrency: 1, Registry: prometheus.NewRegistry(),
	})
	g.Expect(err).NotTo(HaveOccurred())
	return &intake{store: kept, inbox: opened}
}

// stopping is a server with one record in its inbox, by a clock of its own, and a request that never finishes.
func stopping(t *testing.T, limit time.Duration, now clock.WithTicker) *Server {
	t.Helper()
	g := NewWithT(t)
	s := &Server{intake: waiting(t, now)}
	s.options.ShutdownTimeout, s.options.Clock = limit, clock.RealClock{}
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	g.Expect(err).NotTo(HaveOccurred())
	reading := make(chan struct{})
	s.webhook.server = &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(
		func(_ http.ResponseWriter, r *http.Request) {
			close(reading)
			<-r.Context().Done()
		},
	)}
	var ending sync.WaitGroup
	ending.Go(func() { _ = s.webhook.server.Serve(listener) })
	ending.Go(func() {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+listener.Addr().String(),
			http.NoBody)
		if err != nil {
			return
		}
		if response, err := http.DefaultClient.Do(request); err == nil {
			_ = response.Body.Close()
		}
	})
	t.Cleanup(ending.Wait)
	<-reading
	return s
}

// Requests that hang use up their time, not that of the inbox.
func TestTheInboxIsEmptiedAlsoWhereRequestsAreCutOff(t *testing.T) {
	g := NewWithT(t)
	now := testingclock.NewFakeClock(time.Now())
	s := stopping(t, 6*time.Second, now)
	// The queue of the drainer has its part of the clock already.
	before := now.Waiters()
	emptying := make(chan struct{})
	drained := make(chan error, 1)
	go func() { drained <- s.drain(t.Context()) }()
	go func() {
		defer close(emptying)
		// Emptying looks again and again; nobody else begins to use this clock.
		for now.Waiters() == before && t.Context().Err() == nil {
			<-time.After(time.Millisecond)
		}
	}()
	g.Eventually(emptying, time.Minute).Should(BeClosed())
	g.Expect(drained).To(BeEmpty(), "no time is left for it")
	g.Expect(s.intake.inbox.Remove(t.Context(), inbox.ID{Namespace: "a", Seq: 1})).To(Succeed())
	g.Eventually(func() bool {
		now.Step(100 * time.Millisecond)
		return len(drained) == 1
	}, time.Minute).Should(BeTrue())
	g.Expect(<-drained).To(MatchError(ContainSubstring("took longer than 6s")))
}

// What hangs when the server has to end is left alone: the process ends.
func TestTheEndDoesNotWaitForWhatHangs(t *testing.T) {
	g := NewWithT(t)
	now := testingclock.NewFakeClock(time.Now())
	s := &Server{intake: waiting(t, clock.RealClock{})}
	s.options.Clock, s.options.APITimeout = now, 2*time.Second
	var running sync.WaitGroup
	running.Add(1)
	ended := make(chan error, 1)
	go func() { ended <- s.end(&running) }()
	g.Eventually(now.HasWaiters, time.Minute).Should(BeTrue())
	now.Step(2*time.Second + 2*store.DiskTimeout - 1)
	g.Consistently(ended, 50*time.Millisecond).ShouldNot(Receive())
	now.Step(1)
	g.Eventually(ended, time.Minute).Should(Receive(MatchError(ContainSubstring("did not stop within 12s"))))
	running.Done()
}
