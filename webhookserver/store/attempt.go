// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"errors"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/webhookserver/inbox"
)

// removeDelay is how long removals gather before they are written. A record that is stored and not yet removed is found
// to be a duplicate after a crash, so nothing hurries.
const removeDelay = 100 * time.Millisecond

// try has the API record what the inbox has kept.
func (d *drainer) try(ctx context.Context, record *inbox.Record, p permit) {
	// It may have been dropped since it was read.
	if waits, err := d.inbox.Has(record.ID()); err == nil && !waits {
		d.gateway.cancel(p)
		d.end(record, false, false)
		return
	}
	completion, err := completionOf(record)
	if err != nil {
		d.gateway.cancel(p)
		d.log.Error(err, "Could not decode record", "record", record.Seq, "deliveryID", record.DeliveryID)
		d.bury(ctx, record, "record-unreadable")
		return
	}
	out, refused := d.gateway.record(ctx, completion, p)
	switch {
	case refused == nil && out == Erased:
		d.erased(record)
		// The API was not asked, which says nothing about the namespace.
		d.end(record, true, false)
	case refused == nil:
		d.log.Info("Stored delivery from the inbox", "record", record.Seq, "deliveryID", record.DeliveryID,
			"completion", keyOf(record), "outcome", string(out),
			"waited", d.clock.Since(record.Received).Round(time.Millisecond).String())
		d.measured.drained.WithLabelValues(string(out)).Inc()
		d.end(record, true, true)
	case refused.scope == scopeForGood:
		d.bury(ctx, record, refused.reason)
	default:
		d.measured.drained.WithLabelValues("retried").Inc()
		d.failed(record, *refused)
	}
}

// bury makes a record a dead letter.
func (d *drainer) bury(ctx context.Context, record *inbox.Record, reason string) {
	d.describe(record)
	record.Attempts++
	record.Reason = reason
	ctx, cancel := context.WithTimeout(ctx, DiskTimeout)
	defer cancel()
	if err := d.inbox.Bury(ctx, record); err != nil {
		d.log.Error(err, "Could not write dead letter", "record", record.Seq, "deliveryID", record.DeliveryID)
		d.failed(record, refusal{reason: reason, scope: scopeCompletion})
		return
	}
	d.log.Info("Kept delivery as a dead letter", "record", record.Seq, "deliveryID", record.DeliveryID,
		"completion", keyOf(record), "reason", reason)
	d.measured.drained.WithLabelValues(string(Held)).Inc()
	d.end(record, false, true)
}

// end forgets a record that waits no longer. It is removed from the inbox where it is still there; answered tells that
// the API takes what its namespace has.
func (d *drainer) end(record *inbox.Record, remove, answered bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.retries.records, record.Seq)
	of := d.retries.of(record.Namespace)
	if probed := of.probing; answered && d.retries.recovered(record.Namespace) || probed {
		of.probing = false
		d.queue.Add(record.Namespace)
	}
	if !remove {
		delete(d.inFlight, record.Seq)
		return
	}
	d.done = append(d.done, record.ID())
	d.signal()
}

// erased puts on record that a record was dropped, and says nothing of whom it was about: by the delivery id, the audit
// record of the same delivery would say it, and by the number, what was logged when the record was retried.
func (d *drainer) erased(record *inbox.Record) {
	d.measured.drained.WithLabelValues(string(Erased)).Inc()
	d.log.Info("Dropped delivery from the inbox, the person was erased", "namespace", record.Namespace)
}

// failed has a record tried again later.
func (d *drainer) failed(record *inbox.Record, refused refusal) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.inFlight, record.Seq)
	longest := maxRetry
	if d.gateway.breaker.closedFor() < startTime {
		longest = maxSlowRetry
	}
	d.retries.failed(record, refused, longest, d.clock.Now())
	d.queue.Add(record.Namespace)
}

// describe has a record say what came of the last time that it was tried.
func (d *drainer) describe(record *inbox.Record) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if known := d.retries.records[record.Seq]; known != nil {
		record.Reason, record.Attempts = known.reason, known.attempts
	}
}

// errBeingTried says that a record cannot be dropped, since the API may get it at this moment.
var errBeingTried = errors.New("the record is being retried right now: try again in a moment")

// drop removes a record for good. Once it has, the API does not get the record; errBeingTried where it might.
func (d *drainer) drop(ctx context.Context, seq uint64) error {
	d.mu.Lock()
	if d.inFlight[seq] {
		d.mu.Unlock()
		return errBeingTried
	}
	d.inFlight[seq] = true
	d.mu.Unlock()
	err := d.inbox.Drop(ctx, seq)
	d.mu.Lock()
	delete(d.inFlight, seq)
	if err == nil {
		delete(d.retries.records, seq)
	}
	d.mu.Unlock()
	if err != nil {
		// It may have been passed over meanwhile.
		d.enqueueAll()
	}
	return err
}

// removeStored removes what is stored, many at a time. It ends once finished is closed and everything is removed that
// can be.
func (d *drainer) removeStored(finished <-chan struct{}) {
	delay := removeDelay
	for ended := false; !ended; {
		select {
		case <-d.stored:
			timer := d.clock.NewTimer(delay)
			select {
			case <-timer.C():
			case <-finished:
			}
			timer.Stop()
		case <-finished:
			ended = true
		}
		delay = removeDelay
		if err := d.remove(); err != nil {
			// They stay in flight, so that they are not tried again meanwhile.
			d.log.Error(err, "Could not remove stored deliveries from the inbox")
			delay = maxAPIWait
		}
	}
}

func (d *drainer) remove() error {
	d.mu.Lock()
	done := d.done
	d.done = nil
	d.mu.Unlock()
	if len(done) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), DiskTimeout)
	defer cancel()
	err := d.inbox.Remove(ctx, done...)
	d.mu.Lock()
	defer d.mu.Unlock()
	if err != nil {
		d.done = append(d.done, done...)
		d.signal()
		return err
	}
	for _, id := range done {
		delete(d.inFlight, id.Seq)
	}
	return nil
}

func (d *drainer) signal() {
	select {
	case d.stored <- struct{}{}:
	default:
	}
}

// keyOf names what a record is about.
func keyOf(record *inbox.Record) client.ObjectKey {
	return client.ObjectKey{Namespace: record.Namespace, Name: record.Name}
}
