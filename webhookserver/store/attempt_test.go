// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"testing"

	"github.com/lxp-dev/course-completion-operator/webhookserver/inbox"
)

func TestARecordThatWasDroppedIsNotStored(t *testing.T) {
	s := newStore(t, 64<<20, nil)
	d := s.drainer
	for n, change := range []func(context.Context, *inbox.Record) error{
		func(ctx context.Context, r *inbox.Record) error { return s.inbox.Drop(ctx, r.Seq) },
		s.inbox.Bury,
	} {
		keep(t, s, "a", int64(n))
		chosen := d.next("a")
		if err := change(t.Context(), chosen); err != nil {
			t.Fatal(err)
		}
		p, _ := s.gateway.acquireSpare(t.Context())
		// There is no client: asking the API would panic.
		d.try(t.Context(), chosen, p)
		if len(d.inFlight) != 0 || len(d.retries.records) != 0 {
			t.Errorf("still known: %v, %v", d.inFlight, d.retries.records)
		}
	}
}
