// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package throttle

import (
	"sync"

	"k8s.io/apimachinery/pkg/types"
)

// Concurrency bounds how many deliveries of one institution are read at the same time. Without that one institution
// whose deliveries come slowly could use up all connections.
type Concurrency struct {
	limit int

	mu    sync.Mutex
	inUse map[types.UID]inUse
}

// inUse is how many deliveries of an institution are being read, and how many are being handled, those included.
type inUse struct{ reading, handled int }

// NewConcurrency allows an institution to have as many deliveries read at a time as the limit says; 0 is any number.
func NewConcurrency(limit int) *Concurrency {
	return &Concurrency{limit: limit, inUse: make(map[types.UID]inUse)}
}

// RequestPermit is for one delivery that is being handled.
type RequestPermit struct {
	of          *Concurrency
	institution types.UID
	reading     bool
	// OverLimit tells that more of the institution's deliveries are being handled than may be read.
	OverLimit bool
}

// Acquire permits to read a delivery of an institution; false where as many are being read as may be. Whoever gets true
// has to call Release.
func (c *Concurrency) Acquire(institution types.UID) (*RequestPermit, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.inUse[institution]
	if c.limit > 0 && now.reading >= c.limit {
		return nil, false
	}
	now.reading++
	now.handled++
	c.inUse[institution] = now
	return &RequestPermit{c, institution, true, c.limit > 0 && now.handled > c.limit}, true
}

// BodyRead lets another delivery be read. What remains to be done for this one takes a bounded time, and is not its
// sender's fault where that is long: nobody is refused for it.
func (p *RequestPermit) BodyRead() { p.end(0) }

// Release is for when the delivery has been handled.
func (p *RequestPermit) Release() { p.end(1) }

func (p *RequestPermit) end(handled int) {
	reading := 0
	if p.reading {
		reading, p.reading = 1, false
	}
	p.of.mu.Lock()
	defer p.of.mu.Unlock()
	now := p.of.inUse[p.institution]
	now.reading -= reading
	now.handled -= handled
	if now == (inUse{}) {
		delete(p.of.inUse, p.institution)
		return
	}
	p.of.inUse[p.institution] = now
}
