// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"math/rand/v2"
	"sync/atomic"
	"time"
)

// Bounds of the wait between two attempts of a record, or at a namespace, that was refused for now.
const (
	minRetry = time.Second
	maxRetry = time.Minute
	// maxSlowRetry is that of a namespace whose deliveries take too long. Where the API itself is away, it must not be
	// what everybody waits for.
	maxSlowRetry = 5 * time.Second
	// settleTime is for how long after the API came back no namespace waits longer than maxSlowRetry. An API server that
	// has just started refuses everybody until it knows the rights, which says nothing of the namespace.
	settleTime = time.Minute
)

// waits say which records have to wait, and for how long. A namespace that takes nothing holds up nobody else: its
// records are passed over, and one of them is tried when its wait is over. Their user guards them.
type waits struct {
	namespaces map[string]*wait
	records    map[uint64]*wait
	// past is what came of the tries of those that wait.
	past map[uint64]past
	// freed counts for each namespace how often its waiting ended because it took a delivery.
	freed map[string]uint64
	// held is how many namespaces wait, for those who do not want to ask the guard.
	held atomic.Int32
	// next is when something is due that was passed over; zero where nothing was.
	next time.Time
	// changed has something in it after next has become earlier.
	changed chan struct{}
}

// past is what came of the tries of one record.
type past struct {
	// tries counts how often it failed where the API was there.
	tries uint32
	// reason is that of the last time.
	reason string
	// freed is how often the waiting of its namespace had ended by the last time.
	freed uint64
	// alone tells that it failed again after its namespace had taken another delivery.
	alone bool
}

// wait is that of one record or namespace.
type wait struct {
	until time.Time
	pause time.Duration
	// probing is set while one of the namespace's records is being tried.
	probing bool
	// tried is the record that was tried last. The next attempt takes a later one, so that a single record which always
	// fails holds up only itself. After the last one comes the oldest again.
	tried uint64
	// whole tells that this pass began after the wait was over and took no record yet, skipped that it met records up to
	// tried.
	whole, skipped bool
}

func newWaits() *waits {
	w := &waits{changed: make(chan struct{}, 1)}
	w.forget()
	return w
}

// forget makes everything due. What was tried how often stays known.
func (w *waits) forget() {
	w.namespaces, w.records, w.next = make(map[string]*wait), make(map[uint64]*wait), time.Time{}
	w.held.Store(0)
	if w.past == nil {
		w.past, w.freed = make(map[uint64]past), make(map[string]uint64)
	}
}

// again notes that there is something to do at a time.
func (w *waits) again(at time.Time) {
	if !w.next.IsZero() && !at.Before(w.next) {
		return
	}
	w.next = at
	select {
	case w.changed <- struct{}{}:
	default:
	}
}

// due returns when there is something to do; zero where there is not.
func (w *waits) due() time.Time { return w.next }

// newPass begins with the oldest record again.
func (w *waits) newPass(now time.Time) {
	w.next = time.Time{}
	for _, waiting := range w.namespaces {
		waiting.whole, waiting.skipped = !waiting.probing && !now.Before(waiting.until), false
	}
}

// endPass is for when all records have been looked at. A namespace whose later records have all been tried begins with
// its oldest one again.
func (w *waits) endPass(now time.Time) {
	for _, waiting := range w.namespaces {
		if !waiting.skipped {
			continue
		}
		if waiting.whole {
			waiting.tried = 0
		}
		waiting.skipped = false
		w.again(now)
	}
}

// over tells whether a record need not wait, and notes when it is due where it must.
func (w *waits) over(seq uint64, namespace string, now time.Time) bool {
	if waiting := w.records[seq]; waiting != nil && now.Before(waiting.until) {
		w.again(waiting.until)
		return false
	}
	waiting := w.namespaces[namespace]
	switch {
	case waiting == nil:
		return true
	case waiting.probing:
		// What comes of it says when the others are due.
		return false
	case now.Before(waiting.until):
		w.again(waiting.until)
		return false
	case seq <= waiting.tried:
		waiting.skipped = true
		return false
	default:
		return true
	}
}

// claim takes the leave to try a record, if it need not wait.
func (w *waits) claim(seq uint64, namespace string, now time.Time) bool {
	if !w.over(seq, namespace, now) {
		return false
	}
	if waiting := w.namespaces[namespace]; waiting != nil {
		waiting.probing, waiting.whole, waiting.skipped = true, false, false
	}
	return true
}

// release gives back the leave to try a record of a namespace.
func (w *waits) release(namespace string, now time.Time) {
	if waiting := w.namespaces[namespace]; waiting != nil {
		waiting.probing = false
	}
	w.again(now)
}

// succeeded ends all waiting of a namespace.
func (w *waits) succeeded(seq uint64, namespace string) {
	delete(w.records, seq)
	delete(w.past, seq)
	w.took(namespace)
}

// took ends the waiting of a namespace that has taken a delivery.
func (w *waits) took(namespace string) {
	if _, waited := w.namespaces[namespace]; !waited {
		return
	}
	delete(w.namespaces, namespace)
	w.held.Store(int32(len(w.namespaces)))
	w.freed[namespace]++
	// Those that were passed over.
	w.again(time.Time{}.Add(1))
}

// failed lets wait whom a refusal concerns, a namespace for not much more than longest.
func (w *waits) failed(seq uint64, namespace string, refused refusal, longest time.Duration, now time.Time) {
	if waiting := w.namespaces[namespace]; waiting != nil {
		waiting.probing = false
	}
	before, again := w.past[seq]
	alone := again && (before.alone || before.freed < w.freed[namespace])
	before.reason, before.freed = refused.reason, w.freed[namespace]
	if refused.scope != scopeAPI {
		before.tries++
		before.alone = alone
	}
	w.past[seq] = before
	switch refused.scope {
	case scopeNamespace:
		w.blame(seq, namespace, refused, alone, longest, now)
	case scopeAPI:
		if refused.slow {
			// Others have their turn first: if they fare better, it is not the API.
			w.blame(seq, namespace, refused, alone, min(longest, maxSlowRetry), now)
		}
		// The circuit lets nobody through before the next probe is due.
		w.again(now)
	default:
		w.holdAlone(seq, refused, maxRetry, now)
	}
}

// blame lets the namespace wait, and the record too where the namespace takes others.
func (w *waits) blame(
	seq uint64, namespace string, refused refusal, alone bool, longest time.Duration, now time.Time,
) {
	if alone {
		w.holdAlone(seq, refused, longest, now)
	}
	if !alone || w.namespaces[namespace] != nil {
		w.hold(seq, namespace, refused, longest, now)
	}
}

// holdAlone lets a record wait.
func (w *waits) holdAlone(seq uint64, refused refusal, longest time.Duration, now time.Time) {
	alone := w.records[seq]
	if alone == nil {
		alone = &wait{}
		w.records[seq] = alone
	}
	alone.extend(refused, longest, now)
	w.again(alone.until)
}

// hold lets a namespace wait after one of its records failed.
func (w *waits) hold(seq uint64, namespace string, refused refusal, longest time.Duration, now time.Time) {
	waiting := w.namespaces[namespace]
	if waiting == nil {
		waiting = &wait{}
		w.namespaces[namespace] = waiting
		w.held.Store(int32(len(w.namespaces)))
	} else if now.Before(waiting.until) {
		// Tried at the same time as the one that made it wait.
		w.again(waiting.until)
		return
	}
	waiting.tried = seq
	waiting.extend(refused, longest, now)
	w.again(waiting.until)
}

// dropped forgets a record that was removed while it was not being tried.
func (w *waits) dropped(seq uint64) {
	delete(w.records, seq)
	delete(w.past, seq)
}

// gone forgets a record that was removed before it was tried.
func (w *waits) gone(seq uint64, namespace string, now time.Time) {
	delete(w.records, seq)
	delete(w.past, seq)
	w.release(namespace, now)
}

// extend doubles the pause up to the longest. Not everybody comes back at the same moment.
func (w *wait) extend(refused refusal, longest time.Duration, now time.Time) {
	w.pause = min(max(2*w.pause, minRetry), longest)
	w.until = now.Add(max(w.pause/2+rand.N(w.pause), refused.wait))
}

// attempts returns how often a record failed where the API was there.
func (w *waits) attempts(seq uint64) uint32 { return w.past[seq].tries }
