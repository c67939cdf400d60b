// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/clock"

	"github.com/lxp-dev/course-completion-operator/webhookserver/inbox"
)

// recheckInterval is how often the drainer is asked whether it is idle.
const recheckInterval = 25 * time.Millisecond

// checkIdle is the key that has a turn where somebody waits until the drainer is idle. No namespace is called so.
const checkIdle = ""

// drainer stores what the inbox has. The namespaces wait in a work queue, so that they take turns: a turn tries the
// oldest record that is not being tried and does not back off, and puts the namespace into the queue again, at once or
// once its backoff is over.
type drainer struct {
	log      logr.Logger
	clock    clock.WithTicker
	inbox    *inbox.Inbox
	gateway  *gateway
	measured *inboxInstruments
	queue    workqueue.TypedDelayingInterface[string]
	// stored has something in it after records could be removed.
	stored chan struct{}
	// idle takes something when all that the inbox has must wait.
	idle chan struct{}
	// recoveries has the namespaces of live deliveries that the API has taken, while any namespace backs off. A live
	// delivery does not wait for the drainer: what does not fit is left out.
	recoveries chan string

	mu      sync.Mutex
	retries *retries
	// inFlight are the records that are being tried, those that are stored and not removed yet, and those that somebody
	// is dropping.
	inFlight map[uint64]bool
	done     []inbox.ID
	// queued is the count of the inbox's changes that the queue knows of.
	queued uint64
}

func newDrainer(log logr.Logger, kept *inbox.Inbox, g *gateway, measured *inboxInstruments) *drainer {
	return &drainer{
		log: log, clock: g.clock, inbox: kept, gateway: g, measured: measured,
		queue:  workqueue.NewTypedDelayingQueueWithConfig(workqueue.TypedDelayingQueueConfig[string]{Clock: g.clock}),
		stored: make(chan struct{}, 1), idle: make(chan struct{}), recoveries: make(chan string, 64),
		retries: newRetries(), inFlight: make(map[uint64]bool),
	}
}

// run drains until ctx ends, and then lets those finish that are being tried.
func (d *drainer) run(ctx context.Context) {
	var attempts, removing sync.WaitGroup
	finished := make(chan struct{})
	removing.Go(func() { d.removeStored(finished) })
	attempts.Go(func() { d.gateway.probe(ctx) })
	attempts.Go(func() { d.follow(ctx) })
	context.AfterFunc(ctx, d.queue.ShutDown)
	for {
		namespace, ended := d.queue.Get()
		if ended {
			break
		}
		if record, p, ok := d.turn(ctx, namespace); ok {
			attempts.Go(func() { d.try(context.WithoutCancel(ctx), record, p) })
		}
		d.queue.Done(namespace)
	}
	attempts.Wait()
	close(finished)
	removing.Wait()
}

// follow has the queue know the namespaces that the inbox has records of, and those of what comes.
func (d *drainer) follow(ctx context.Context) {
	d.enqueueAll()
	for {
		select {
		case namespace := <-d.recoveries:
			d.unblock(namespace)
		case <-d.inbox.Appended():
			d.enqueueAll()
		case <-d.inbox.Requeued():
			d.mu.Lock()
			d.retries.rewind()
			d.mu.Unlock()
			d.enqueueAll()
		case <-ctx.Done():
			return
		}
	}
}

func (d *drainer) enqueueAll() {
	changes := d.inbox.Changes()
	for namespace, count := range d.inbox.Namespaces() {
		if count.Records > 0 {
			d.queue.Add(namespace)
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.queued = max(d.queued, changes)
}

// turn chooses the record that a namespace is to have stored, and the permit for it, once there is one.
func (d *drainer) turn(ctx context.Context, namespace string) (*inbox.Record, permit, bool) {
	if namespace == checkIdle {
		d.tellIdle()
		return nil, permit{}, false
	}
	p, ok := d.gateway.acquireSpare(ctx)
	if !ok {
		return nil, permit{}, false
	}
	record := d.next(namespace)
	if record == nil {
		d.gateway.cancel(p)
		return nil, permit{}, false
	}
	return record, p, true
}

// next returns the record of a namespace that is to be tried, and marks it as in flight. Where it is nil, the queue has
// the namespace again when there may be one. The inbox is read without the lock, since a disk may hang.
func (d *drainer) next(namespace string) *inbox.Record {
	d.mu.Lock()
	of, now := d.retries.of(namespace), d.clock.Now()
	after, wait, probing := of.after, of.until.Sub(now), of.probing
	d.mu.Unlock()
	if probing {
		return nil
	}
	if wait > 0 {
		d.queue.AddAfter(namespace, wait)
		return nil
	}
	record, due, err := d.read(namespace, after, now)
	if record == nil && err == nil && after > 0 {
		record, due, err = d.read(namespace, 0, now)
	}
	switch {
	case err != nil:
		d.log.Error(err, "Could not read inbox")
		d.queue.AddAfter(namespace, maxAPIWait)
		return nil
	case record == nil:
		if !due.IsZero() {
			d.queue.AddAfter(namespace, due.Sub(now))
		}
		return nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if of.after == after {
		// Otherwise the oldest is to be next.
		of.after = record.Seq
	}
	if d.inFlight[record.Seq] {
		// Somebody is dropping it.
		d.queue.Add(namespace)
		return nil
	}
	d.inFlight[record.Seq], of.probing = true, of.pause > 0
	if !of.probing {
		d.queue.Add(namespace)
	}
	return record
}

// read returns the oldest record after another one that may be tried now, and otherwise when one may be whose own
// backoff is over by then.
func (d *drainer) read(namespace string, after uint64, now time.Time) (*inbox.Record, time.Time, error) {
	var due time.Time
	record, err := d.inbox.Next(namespace, after, func(seq uint64) bool {
		d.mu.Lock()
		defer d.mu.Unlock()
		if d.inFlight[seq] {
			return false
		}
		known := d.retries.records[seq]
		if known == nil || !now.Before(known.until) {
			return true
		}
		if due.IsZero() || known.until.Before(due) {
			due = known.until
		}
		return false
	})
	return record, due, err
}

// recovered is told the namespace of every live delivery that the API has taken.
func (d *drainer) recovered(namespace string) {
	if d.retries.backingOff.Load() == 0 {
		return
	}
	select {
	case d.recoveries <- namespace:
	default:
	}
}

func (d *drainer) unblock(namespace string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.retries.recovered(namespace) {
		d.queue.Add(namespace)
	}
}

// restart tries everything at once, whatever it was waiting for, the oldest first.
func (d *drainer) restart() {
	d.mu.Lock()
	d.retries.reset()
	d.mu.Unlock()
	d.gateway.breaker.probeNow()
	d.enqueueAll()
}

// empty waits until the inbox is empty or all that it has must wait, or until ctx ends.
func (d *drainer) empty(ctx context.Context) {
	tick := d.clock.NewTicker(recheckInterval)
	defer tick.Stop()
	for !d.blocked() {
		// What is in the queue before it has its turn first.
		d.queue.Add(checkIdle)
		select {
		case <-d.idle:
			return
		case <-tick.C():
		case <-ctx.Done():
			return
		}
	}
}

// blocked tells whether the inbox is empty, or the API is away and nothing is being tried: it does not matter then what
// else there is.
func (d *drainer) blocked() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	away, _ := d.gateway.breaker.away()
	return d.inbox.Stats().Records == 0 || away && len(d.inFlight) == 0
}

// tellIdle tells that all that the inbox has must wait, if that is so and somebody wants to know.
func (d *drainer) tellIdle() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.queue.Len() > 0 || len(d.inFlight) > 0 || d.queued != d.inbox.Changes() {
		return
	}
	select {
	case d.idle <- struct{}{}:
	default:
	}
}
