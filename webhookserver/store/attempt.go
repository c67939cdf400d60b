// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"errors"
	"sync"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/webhookserver/inbox"
)

// try has the API record what the inbox has kept. It gives its slot back as soon as it does not ask the API any more.
func (d *drainer) try(ctx context.Context, record *inbox.Record, leave pass, giveBack func()) {
	giveBack = sync.OnceFunc(giveBack)
	defer giveBack()
	if !d.ask(record) {
		d.circuit.abandon(leave)
		d.release(record)
		return
	}
	// It may have been in the drainer's hands for as long as the API was away, and been dropped meanwhile.
	if waits, err := d.inbox.Has(record.ID()); err == nil && !waits {
		d.circuit.abandon(leave)
		d.gone(record)
		return
	}
	completion, err := completionOf(record)
	if err != nil {
		d.circuit.abandon(leave)
		d.log.Error(err, "Record cannot be drained", "record", record.Seq, "deliveryID", record.DeliveryID)
		giveBack()
		d.bury(ctx, record, "record-unreadable")
		return
	}
	out, refused := d.record(ctx, completion, leave)
	giveBack()
	switch {
	case refused == nil && out == Erased:
		d.erased(record)
		d.discard(record)
	case refused == nil:
		d.log.Info("Delivery from the inbox is stored", "record", record.Seq, "deliveryID", record.DeliveryID,
			"completion", keyOf(record), "outcome", string(out),
			"waited", d.clock.Since(record.Received).Round(time.Millisecond).String())
		d.measured.drained.WithLabelValues(string(out)).Inc()
		d.succeeded(record)
	case refused.scope == scopeForGood:
		d.bury(ctx, record, refused.reason)
	default:
		d.measured.drained.WithLabelValues("retried").Inc()
		d.failed(record, *refused)
	}
}

// bury makes a record a dead letter.
func (d *drainer) bury(ctx context.Context, record *inbox.Record, reason string) {
	d.mu.Lock()
	record.Attempts = d.waits.attempts(record.Seq) + 1
	d.mu.Unlock()
	record.Reason = reason
	ctx, cancel := context.WithTimeout(ctx, DiskTimeout)
	defer cancel()
	if err := d.inbox.Bury(ctx, record); err != nil {
		d.log.Error(err, "Dead letter cannot be written", "record", record.Seq, "deliveryID", record.DeliveryID)
		d.failed(record, refusal{reason: reason, scope: scopeCompletion})
		return
	}
	d.log.Info("Delivery is a dead letter", "record", record.Seq, "deliveryID", record.DeliveryID,
		"completion", keyOf(record), "reason", reason)
	d.measured.drained.WithLabelValues(string(Held)).Inc()
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.inFlight, record.Seq)
	d.trying--
	d.waits.succeeded(record.Seq, record.Namespace)
}

// gone lets go of a record that was removed by somebody else.
func (d *drainer) gone(record *inbox.Record) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.inFlight, record.Seq)
	d.trying--
	d.waits.gone(record.Seq, record.Namespace, d.clock.Now())
}

// errBeingTried says that a record cannot be dropped, since the API may get it at this moment.
var errBeingTried = errors.New("the record is being tried now: try again in a moment")

// drop removes a record for good. Once it has, the API does not get the record; errBeingTried where it might.
func (d *drainer) drop(ctx context.Context, seq uint64) error {
	d.mu.Lock()
	if at := d.inFlight[seq]; at != 0 && at != inHand {
		d.mu.Unlock()
		return errBeingTried
	}
	d.inFlight[seq] = dropping
	d.mu.Unlock()
	err := d.inbox.Drop(ctx, seq)
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.inFlight, seq)
	if err == nil {
		d.waits.dropped(seq)
	} else {
		// It may have been passed over meanwhile.
		d.waits.again(d.clock.Now())
	}
	return err
}

// keyOf names what a record is about.
func keyOf(record *inbox.Record) client.ObjectKey {
	return client.ObjectKey{Namespace: record.Namespace, Name: record.Name}
}

// update has a record say what came of the last time that it was tried.
func (d *drainer) update(record *inbox.Record) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if past, tried := d.waits.past[record.Seq]; tried {
		record.Reason, record.Attempts = past.reason, past.tries
	}
}

func (d *drainer) succeeded(record *inbox.Record) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.trying--
	d.waits.succeeded(record.Seq, record.Namespace)
	d.done = append(d.done, record.ID())
	d.signal()
}

// discard removes a record that the API was not asked for, which says nothing about its namespace.
func (d *drainer) discard(record *inbox.Record) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.trying--
	d.waits.gone(record.Seq, record.Namespace, d.clock.Now())
	d.done = append(d.done, record.ID())
	d.signal()
}

func (d *drainer) failed(record *inbox.Record, refused refusal) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.inFlight, record.Seq)
	d.trying--
	longest := maxRetry
	if d.circuit.settling(settleTime) {
		longest = maxSlowRetry
	}
	d.waits.failed(record.Seq, record.Namespace, refused, longest, d.clock.Now())
}
