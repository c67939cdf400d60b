// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"testing"
	"time"

	testingclock "k8s.io/utils/clock/testing"
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
