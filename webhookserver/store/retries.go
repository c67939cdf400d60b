// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/lxp-dev/course-completion-operator/webhookserver/inbox"
)

// Bounds of the wait between two attempts of a record, or at a namespace, that was refused for now.
const (
	minRetry = time.Second
	maxRetry = time.Minute
	// maxSlowRetry is that of a namespace whose deliveries take too long. Where the API itself is away, it must not be
	// what everybody waits for.
	maxSlowRetry = 5 * time.Second
	// startTime is for how long after the API came back no namespace waits longer than maxSlowRetry. An API server that
	// has just started refuses everybody until it knows the rights, which says nothing of the namespace.
	startTime = time.Minute
)

// retries know which namespaces and records back off after they were refused. Their user guards them. They are in
// memory alone: a restart tries everything at once, the oldest first.
type retries struct {
	namespaces map[string]*namespaceRetry
	records    map[uint64]*recordRetry
	// backingOff is how many namespaces back off, for those who do not want to ask the guard.
	backingOff atomic.Int32
}

// namespaceRetry is what is known of a namespace that has records.
type namespaceRetry struct {
	backoff
	// after is the record that was tried last. The next attempt takes a later one, so that a single record which always
	// fails holds up only itself. After the last one comes the oldest again.
	after uint64
	// probing tells that one record of a namespace that backs off is being tried.
	probing bool
	// recoveries counts how often it took a delivery after it had backed off.
	recoveries uint64
}

// recordRetry is what came of the attempts of one record.
type recordRetry struct {
	backoff
	// attempts counts how often it failed where the API was there.
	attempts uint32
	// reason is that of the last time.
	reason string
	// recoveries are those of its namespace by the last time.
	recoveries uint64
	// atFault tells that it failed again after its namespace had taken another delivery.
	atFault bool
}

// backoff doubles with each failure. The zero one is none.
type backoff struct {
	until time.Time
	pause time.Duration
}

// extend doubles the pause up to the longest. Not everybody comes back at the same moment.
func (b *backoff) extend(refused refusal, longest time.Duration, now time.Time) {
	b.pause = min(max(2*b.pause, minRetry), longest)
	b.until = now.Add(max(b.pause/2+rand.N(b.pause), refused.wait))
}

func newRetries() *retries {
	return &retries{namespaces: make(map[string]*namespaceRetry), records: make(map[uint64]*recordRetry)}
}

func (r *retries) of(namespace string) *namespaceRetry {
	known := r.namespaces[namespace]
	if known == nil {
		known = &namespaceRetry{}
		r.namespaces[namespace] = known
	}
	return known
}

// recovered ends the backoff of a namespace that has taken a delivery, and tells whether there was one. Its oldest
// record is next.
func (r *retries) recovered(namespace string) bool {
	of := r.namespaces[namespace]
	if of == nil || of.pause == 0 {
		return false
	}
	of.backoff, of.after = backoff{}, 0
	of.recoveries++
	r.backingOff.Add(-1)
	return true
}

// failed has whom a refusal concerns back off, a namespace for not much more than longest. What sounds like all of a
// namespace is blamed on the record where the namespace has taken others since the record failed before.
func (r *retries) failed(record *inbox.Record, refused refusal, longest time.Duration, now time.Time) {
	namespace, before := r.of(record.Namespace), r.records[record.Seq]
	namespace.probing = false
	if before == nil {
		before = &recordRetry{recoveries: namespace.recoveries}
		r.records[record.Seq] = before
	}
	atFault := before.atFault || before.recoveries < namespace.recoveries
	before.reason, before.recoveries = refused.reason, namespace.recoveries
	if refused.scope != scopeAPI {
		before.attempts++
		before.atFault = atFault
	}
	switch refused.scope {
	case scopeCompletion:
		before.extend(refused, maxRetry, now)
		return
	case scopeAPI:
		if !refused.slow {
			// The breaker lets nobody through before the next probe is due, and the oldest goes first then.
			namespace.after = 0
			return
		}
		// Others have their turn first: if they fare better, it is not the API.
		longest = min(longest, maxSlowRetry)
	}
	if atFault {
		before.extend(refused, longest, now)
	}
	if backsOff := namespace.pause > 0; (!atFault || backsOff) && !now.Before(namespace.until) {
		// Otherwise it was tried at the same time as the one for which the namespace backs off.
		if !backsOff {
			r.backingOff.Add(1)
		}
		namespace.extend(refused, longest, now)
	}
}

// reset ends every backoff, and has the oldest records go first. How often which was tried stays known.
func (r *retries) reset() {
	r.rewind()
	for _, of := range r.namespaces {
		of.backoff = backoff{}
	}
	for _, of := range r.records {
		of.backoff = backoff{}
	}
	r.backingOff.Store(0)
}

// rewind has the oldest records go first.
func (r *retries) rewind() {
	for _, of := range r.namespaces {
		of.after = 0
	}
}
