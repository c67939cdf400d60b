// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"errors"
	"testing"
	"time"

	testingclock "k8s.io/utils/clock/testing"

	"github.com/lxp-dev/course-completion-operator/webhookserver/inbox"
)

func TestDeadLettersExpire(t *testing.T) {
	now := testingclock.NewFakeClock(noon.Add(48 * time.Hour))
	s := newStore(t, 64<<20, nil, func(o *Options) { o.Clock = now })
	old, recent, waiting := recordFor(t, "a", 0), recordFor(t, "a", 47*3600), keep(t, s, "a", 0)
	for _, record := range []*inbox.Record{old, recent} {
		if err := s.inbox.Hold(t.Context(), record); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.expireOnce(t.Context(), now.Now().Add(-24*time.Hour)); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.inbox.Get(old.Seq); !errors.Is(err, inbox.ErrNoRecord) {
		t.Errorf("the old one: %v", err)
	}
	for _, record := range []*inbox.Record{recent, waiting} {
		if _, _, err := s.inbox.Get(record.Seq); err != nil {
			t.Errorf("record %d: %v", record.Seq, err)
		}
	}
}
