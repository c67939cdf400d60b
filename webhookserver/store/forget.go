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
func (d *drainer) forget(ctx context.Context) {
	// What could not be dropped is tried again.
	look := d.clock.NewTicker(expireInterval)
	defer look.Stop()
	for {
		select {
		case <-d.erasures.changed:
		case <-look.C():
		case <-ctx.Done():
			return
		}
		for _, place := range []inbox.Place{inbox.Waiting, inbox.Dead} {
			if err := d.forgetIn(ctx, place); err != nil && ctx.Err() == nil {
				d.log.Error(err, "Records about what was erased cannot be dropped", "state", string(place))
			}
		}
	}
}

// forgetIn looks at the records of one place.
func (d *drainer) forgetIn(ctx context.Context, place inbox.Place) error {
	for page := (inbox.Page{More: true}); page.More && ctx.Err() == nil; {
		var err error
		if page, err = d.inbox.Read(place, page.Last, drainPage); err != nil {
			return err
		}
		for _, record := range page.Records {
			if !d.isErased(record) {
				continue
			}
			err := d.drop(ctx, record.Seq)
			if errors.Is(err, errBeingTried) || errors.Is(err, inbox.ErrNoRecord) {
				// Whoever tries it knows, too.
				continue
			}
			if err != nil {
				return err
			}
			d.erased(record)
		}
	}
	return nil
}

// isErased tells whether a record is known to be about what was erased.
func (d *drainer) isErased(record *inbox.Record) bool {
	if !d.erasures.has(record.Namespace) {
		return false
	}
	completion, err := completionOf(record)
	if err != nil {
		return false
	}
	erased, err := d.erasures.known(completion)
	return erased && err == nil
}

// erased puts on record that a record was dropped, and says nothing of whom it was about: by the delivery id, the audit
// record of the same delivery would say it, and by the number, what was logged when the record was retried.
func (d *drainer) erased(record *inbox.Record) {
	d.measured.drained.WithLabelValues(string(Erased)).Inc()
	d.log.Info("Delivery in the inbox is dropped: the data of the person was erased", "namespace", record.Namespace)
}
