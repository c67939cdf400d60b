// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"sync"
	"time"

	"github.com/lxp-dev/course-completion-operator/webhookserver/inbox"
)

const (
	// drainPage is how many records are read from the inbox at once.
	drainPage = 128
	// removeDelay is how long removals gather before they are written. A record that is stored and not yet removed is
	// found to be a duplicate after a crash, so nothing hurries.
	removeDelay = 100 * time.Millisecond
)

// drainer stores what the inbox has: the namespaces take turns, each with its oldest record. One goroutine chooses the
// records, and as many as there are slots try them.
type drainer struct {
	*Store
	measured *inboxInstruments
	// woken has something in it after somebody asked to try everything at once.
	woken chan struct{}
	// stored has something in it after records could be removed.
	stored chan struct{}

	mu sync.Mutex
	// inFlight are the records that are being tried, and those that are done and not removed yet.
	inFlight map[uint64]stage
	trying   int
	done     []inbox.ID
	waits    *waits
	// resting tells that the one who chooses waits, with as many records in its hands as idle.
	resting bool
	idle    int
	// seen says up to what arrivals and returns it has looked at everything.
	seen counts

	// What follows belongs to the goroutine that chooses.
	page     []*inbox.Record
	position inbox.Position
	ended    bool
	// read says up to what arrivals and returns everything is behind the position.
	read counts
}

// counts are those of an inbox.
type counts struct{ arrived, returned uint64 }

// stage is how far a record is.
type stage int

const (
	// inHand: chosen, and not more.
	inHand stage = iota + 1
	// asked: the API may have it, or get it.
	asked
	// dropping: somebody is removing it.
	dropping
)

func newDrainer(s *Store, measured *inboxInstruments) *drainer {
	d := &drainer{
		Store: s, measured: measured,
		woken: make(chan struct{}, 1), stored: make(chan struct{}, 1),
		inFlight: make(map[uint64]stage), waits: newWaits(),
	}
	s.took = d.took
	return d
}

// took ends the waiting of a namespace that has taken a live delivery.
func (d *drainer) took(namespace string) {
	if d.waits.held.Load() == 0 {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.waits.took(namespace)
}

// run drains until ctx ends, and then lets those finish that are being tried.
func (d *drainer) run(ctx context.Context) {
	var workers, removing sync.WaitGroup
	finished := make(chan struct{})
	removing.Go(func() { d.removeStored(finished) })
	workers.Go(func() { d.watch(ctx) })
	for ctx.Err() == nil {
		record := d.next()
		if record == nil {
			d.rest(ctx)
			continue
		}
		leave, giveBack := d.leave(ctx)
		if giveBack == nil {
			d.release(record)
			continue
		}
		workers.Go(func() { d.try(context.WithoutCancel(ctx), record, leave, giveBack) })
	}
	workers.Wait()
	close(finished)
	removing.Wait()
}

// next chooses a record and marks it as being tried. It is nil where there is none now.
func (d *drainer) next() *inbox.Record {
	for {
		for len(d.page) > 0 {
			record := d.page[0]
			d.page = d.page[1:]
			if d.claim(record) {
				return record
			}
		}
		if d.ended {
			return nil
		}
		d.read.arrived = d.inbox.Arrived()
		page, more, err := d.inbox.Next(&d.position, drainPage, d.mayTry)
		if err != nil {
			d.log.Error(err, "Inbox cannot be read")
			d.ended = true
			d.again(d.clock.Now().Add(maxAPIWait))
			return nil
		}
		d.page, d.ended = page, !more
	}
}

// mayTry tells whether a record need not wait.
func (d *drainer) mayTry(seq uint64, namespace string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.inFlight[seq] == 0 && d.waits.over(seq, namespace, d.clock.Now())
}

// claim marks a record as being tried, unless something has changed since it was read.
func (d *drainer) claim(record *inbox.Record) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.inFlight[record.Seq] != 0 || !d.waits.claim(record.Seq, record.Namespace, d.clock.Now()) {
		return false
	}
	d.inFlight[record.Seq] = inHand
	d.trying++
	d.resting = false
	return true
}

// release takes the mark away from a record that was not tried in the end.
func (d *drainer) release(record *inbox.Record) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.inFlight[record.Seq] == inHand {
		delete(d.inFlight, record.Seq)
	}
	d.trying--
	d.waits.release(record.Namespace, d.clock.Now())
}

// ask marks a record as being with the API. It is false where somebody is removing it, or has.
func (d *drainer) ask(record *inbox.Record) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.inFlight[record.Seq] != inHand {
		return false
	}
	d.inFlight[record.Seq] = asked
	return true
}

func (d *drainer) again(at time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.waits.again(at)
}

// rest waits at the end of the inbox: for records that come, or for those that were passed over.
func (d *drainer) rest(ctx context.Context) {
	d.mu.Lock()
	d.resting, d.idle, d.seen = true, 0, d.read
	d.waits.endPass(d.clock.Now())
	at := d.waits.due()
	d.mu.Unlock()
	var due <-chan time.Time
	if !at.IsZero() {
		timer := d.clock.NewTimer(max(0, at.Sub(d.clock.Now())))
		defer timer.Stop()
		due = timer.C()
	}
	select {
	case <-d.inbox.Arrivals():
		// They are at the end.
		d.ended = false
	case <-d.inbox.Behind():
		d.restart()
	case <-due:
		d.restart()
	case <-d.waits.changed:
		// A record that failed may be due earlier than what this was waiting for.
	case <-d.woken:
		d.anew()
	case <-ctx.Done():
	}
}

// anew begins with the oldest record again, and lets none wait.
func (d *drainer) anew() {
	d.mu.Lock()
	d.waits.forget()
	d.mu.Unlock()
	d.restart()
}

// restart begins with the oldest record again.
func (d *drainer) restart() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.page, d.position, d.ended = nil, inbox.Position{}, false
	d.read.returned = d.inbox.Returned()
	d.waits.newPass(d.clock.Now())
}

// leave waits until the API may be asked. It returns how to give the slot back, nil where ctx has ended or the inbox is
// to be read again from its beginning.
func (d *drainer) leave(ctx context.Context) (leave pass, giveBack func()) {
	for ctx.Err() == nil {
		away, back := d.circuit.away()
		if giveBack = d.slots.borrow(); giveBack == nil {
			select {
			case <-d.slots.freed:
			case <-ctx.Done():
			}
			continue
		}
		leave, wait, ok := d.circuit.allow()
		if ok {
			d.mu.Lock()
			d.resting = false
			d.mu.Unlock()
			return leave, giveBack
		}
		giveBack()
		if !d.awaitProbe(ctx, wait, away, back) {
			return pass{}, nil
		}
	}
	return pass{}, nil
}

// awaitProbe waits until a probe of the API is due. It is false once the API is back: those that were tried as probes
// are the oldest, and have been passed over. It is false too where everything is to be tried at once: what was retried
// has its old place, which has been passed.
func (d *drainer) awaitProbe(ctx context.Context, wait time.Duration, away bool, back <-chan struct{}) bool {
	if !away {
		return true
	}
	d.mu.Lock()
	d.resting, d.idle = true, 1
	d.mu.Unlock()
	timer := d.clock.NewTimer(max(wait, time.Millisecond))
	defer timer.Stop()
	select {
	case <-timer.C():
		return true
	case <-back:
		d.restart()
		return false
	case <-d.inbox.Behind():
		d.restart()
		return false
	case <-d.woken:
		d.circuit.now()
		d.anew()
		return false
	case <-ctx.Done():
		return false
	}
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
			// They stay marked, so that they are not tried again meanwhile.
			d.log.Error(err, "Stored deliveries cannot be removed from the inbox")
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

// wake tries everything at once, whatever it was waiting for.
func (d *drainer) wake() {
	d.circuit.now()
	select {
	case d.woken <- struct{}{}:
	default:
	}
}

// settled tells whether the inbox is empty, or what it has must wait for the API.
func (d *drainer) settled() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.inbox.Stats().Records == 0 {
		return true
	}
	// Where the API is away, it does not matter what else there is.
	now := counts{d.inbox.Arrived(), d.inbox.Returned()}
	return d.resting && d.trying <= d.idle && len(d.done) == 0 && (d.idle > 0 || d.seen == now)
}

// empty drains as long as that makes sense or until ctx ends.
func (d *drainer) empty(ctx context.Context) {
	tick := d.clock.NewTicker(removeDelay / 4)
	defer tick.Stop()
	for !d.settled() {
		select {
		case <-tick.C():
		case <-ctx.Done():
			return
		}
	}
}
