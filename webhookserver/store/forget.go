// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"errors"

	"github.com/lxp-dev/course-completion-operator/webhookserver/inbox"
)

// forget drops what the inbox has about what was erased, whenever a register has changed, until ctx ends. Waiting
// records would go when they are tried, which may be long; dead letters would stay.
func (s *Store) forget(ctx context.Context) {
	// What could not be dropped is tried again.
	look := s.clock.NewTicker(expireInterval)
	defer look.Stop()
	for {
		select {
		case <-s.erasures.changed:
		case <-look.C():
		case <-ctx.Done():
			return
		}
		for _, state := range []inbox.State{inbox.Waiting, inbox.Dead} {
			if err := s.forgetIn(ctx, state); err != nil && ctx.Err() == nil {
				s.log.Error(err, "Could not drop records of erased people", "state", string(state))
			}
		}
	}
}

// forgetIn looks at the records of one state.
func (s *Store) forgetIn(ctx context.Context, state inbox.State) error {
	for page := (inbox.Page{More: true}); page.More && ctx.Err() == nil; {
		var err error
		if page, err = s.inbox.Read(state, page.Last, readPage); err != nil {
			return err
		}
		for _, record := range page.Records {
			if !s.isErased(record) {
				continue
			}
			err := s.drainer.drop(ctx, record.Seq)
			if errors.Is(err, errBeingTried) || errors.Is(err, inbox.ErrNoRecord) {
				// Whoever tries it knows, too.
				continue
			}
			if err != nil {
				return err
			}
			s.drainer.erased(record)
		}
	}
	return nil
}

// isErased tells whether a record is known to be about what was erased.
func (s *Store) isErased(record *inbox.Record) bool {
	if !s.erasures.has(record.Namespace) {
		return false
	}
	completion, err := completionOf(record)
	if err != nil {
		return false
	}
	erased, err := s.erasures.known(completion)
	return erased && err == nil
}
