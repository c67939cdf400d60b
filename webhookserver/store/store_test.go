// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"net"
	"testing"
	"time"

	"k8s.io/client-go/rest"
	testingclock "k8s.io/utils/clock/testing"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

func TestADeliveryThatCouldNotBeKeptCountsForAWhile(t *testing.T) {
	now := testingclock.NewFakeClock(noon)
	s := newStore(t, 14<<10, nil, func(o *Options) { o.Clock = now })
	unkept := &s.gateway.unkept
	if s.NeedsInbox() {
		t.Fatal("needs the inbox before anything was refused")
	}
	unkept.saw("a")
	unkept.note("a", now.Now())
	now.Step(unkeptTime - 1)
	if !s.NeedsInbox() {
		t.Error("forgotten too early")
	}
	now.Step(1)
	if s.NeedsInbox() {
		t.Error("not forgotten")
	}
	unkept.note("a", now.Now())
	unkept.forget()
	if s.NeedsInbox() {
		t.Error("not forgotten although something was made safe")
	}
}

func TestANamespaceOfSeveralThatTakesNothingLeavesThePodReady(t *testing.T) {
	s := newStore(t, 14<<10, nil)
	unkept := &s.gateway.unkept
	unkept.saw("a")
	unkept.saw("b")
	for range 10 {
		unkept.note("a", time.Now())
	}
	if s.NeedsInbox() {
		t.Error("the refusals of one namespace concern everybody")
	}
	unkept.note("b", time.Now())
	unkept.note("c", time.Now())
	if !s.NeedsInbox() {
		t.Error("the refusals of several namespaces concern nobody")
	}
}

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
			s := newStore(t, tc.maxBytes, completions)
			keep(t, s, "a", 1)
			if got := s.inbox.Stats().Full(); got != (tc.name == "full") {
				t.Fatalf("full: %v with %+v", got, s.inbox.Stats())
			}
			s.gateway.breaker.report(attempt{}, true, 0)
			s.gateway.breaker.probeNow()
			if _, refused := s.tryAPI(t.Context(), completionFor("a", 3)); refused == nil || refused.reason != tc.want {
				t.Errorf("refused: %+v, want %s", refused, tc.want)
			}
		})
	}
}

func TestAProbeThatPanicsIsNotTheLast(t *testing.T) {
	s := newStore(t, 64<<20, nil)
	s.gateway.breaker.report(attempt{}, true, 0)
	s.gateway.breaker.probeNow()
	func() {
		defer func() {
			if recover() == nil {
				t.Error("asked the API without a client and did not panic")
			}
		}()
		_, _ = s.tryAPI(t.Context(), &v1alpha1.CourseCompletion{})
	}()
	s.gateway.breaker.probeNow()
	if allowed, _, ok := s.gateway.breaker.allow(); !ok || !allowed.probe {
		t.Error("no probe although one is due")
	}
	if !s.gateway.permits.acquire(t.Context(), "a", 0) {
		t.Error("its permit is lost")
	}
}
