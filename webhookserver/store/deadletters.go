// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"time"

	"github.com/lxp-dev/course-completion-operator/webhookserver/inbox"
)

// expireInterval is how often dead letters are looked at whose time may be over.
const expireInterval = time.Hour

// readPage is how many records are read from the inbox at once.
const readPage = 128

// expire drops dead letters that are older than the retention, until ctx ends: they hold personal data, and nobody has
// decided about them. A retention of zero keeps them for ever.
func (s *Store) expire(ctx context.Context) {
	if s.retention <= 0 {
		return
	}
	look := s.clock.NewTicker(expireInterval)
	defer look.Stop()
	for {
		if err := s.expireOnce(ctx, s.clock.Now().Add(-s.retention)); err != nil && ctx.Err() == nil {
			s.log.Error(err, "Could not drop expired dead letters")
		}
		select {
		case <-look.C():
		case <-ctx.Done():
			return
		}
	}
}

// expireOnce drops the dead letters that were received before a time.
func (s *Store) expireOnce(ctx context.Context, before time.Time) error {
	for page := (inbox.Page{More: true}); page.More && ctx.Err() == nil; {
		var err error
		if page, err = s.inbox.Read(inbox.Dead, page.Last, readPage); err != nil {
			return err
		}
		for _, record := range page.Records {
			if !record.Received.Before(before) {
				continue
			}
			if err := s.inbox.Drop(ctx, record.Seq); err != nil {
				return err
			}
			s.measured.expired.Inc()
			s.log.Info("Dropped expired dead letter", "record", record.Seq,
				"deliveryID", record.DeliveryID, "completion", keyOf(record), "reason", record.Reason,
				"received", record.Received.Format(time.RFC3339))
		}
	}
	return nil
}
