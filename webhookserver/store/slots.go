// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"container/list"
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"k8s.io/utils/clock"
)

// slots bound how many deliveries are with the API at a time. The namespaces of live ones take turns, so that many of
// one institution do not hold up another one's; the drainer gets what they leave, and one more of its own, so that it
// is never starved.
type slots struct {
	mu   sync.Mutex
	free int
	own  bool
	// queues are those namespaces of which deliveries wait, in the order of their turns, and byNamespace where in it.
	queues      *list.List
	byNamespace map[string]*list.Element
	// freed has something in it after the drainer may have a slot.
	freed chan struct{}
}

// slotQueue is the deliveries of one namespace that wait, each with what is told when it has a slot.
type slotQueue struct {
	namespace string
	waiting   *list.List
}

func newSlots(n int) *slots {
	return &slots{
		free: n, own: true, queues: list.New(), byNamespace: make(map[string]*list.Element), freed: make(chan struct{}, 1),
	}
}

// acquire takes a slot for a live delivery, and waits a moment for it. Whoever gets true has to release it.
func (s *slots) acquire(ctx context.Context, namespace string, moment time.Duration) bool {
	s.mu.Lock()
	if s.free > 0 && s.queues.Len() == 0 {
		s.free--
		s.mu.Unlock()
		return true
	}
	turn := make(chan struct{}, 1)
	queue, waits := s.byNamespace[namespace]
	if !waits {
		queue = s.queues.PushBack(&slotQueue{namespace: namespace, waiting: list.New()})
		s.byNamespace[namespace] = queue
	}
	element := queue.Value.(*slotQueue).waiting.PushBack(turn)
	s.mu.Unlock()

	timer := time.NewTimer(moment)
	defer timer.Stop()
	select {
	case <-turn:
		return true
	case <-timer.C:
	case <-ctx.Done():
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-turn:
		// It came at the last moment.
		return true
	default:
		queue.Value.(*slotQueue).waiting.Remove(element)
		s.tidy(queue)
		return false
	}
}

// tidy removes the queue of a namespace of which nothing waits. The caller guards.
func (s *slots) tidy(element *list.Element) {
	if queue := element.Value.(*slotQueue); queue.waiting.Len() == 0 {
		s.queues.Remove(element)
		delete(s.byNamespace, queue.namespace)
	}
}

// release gives a slot back, to what has waited for the longest time of the namespace that has its turn.
func (s *slots) release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if next := s.queues.Front(); next != nil {
		waiting := next.Value.(*slotQueue).waiting
		waiting.Remove(waiting.Front()).(chan struct{}) <- struct{}{}
		s.queues.MoveToBack(next)
		s.tidy(next)
		return
	}
	s.free++
	s.signal()
}

// borrow takes a slot for the drainer, if there is one that no live delivery waits for. It returns how to give it back,
// nil where there is none.
func (s *slots) borrow() (giveBack func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.own:
		s.own = false
		return func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.own = true
			s.signal()
		}
	case s.free > 0 && s.queues.Len() == 0:
		s.free--
		return s.release
	default:
		return nil
	}
}

func (s *slots) signal() {
	select {
	case s.freed <- struct{}{}:
	default:
	}
}

// Bounds of the wait between two probes of an API that was away.
const (
	minAPIWait = 100 * time.Millisecond
	maxAPIWait = 5 * time.Second
)

// circuit knows whether the API is away. While it is, deliveries need not find that out one by one, each by a time-out:
// now and then one is let through as a probe.
type circuit struct {
	clock clock.PassiveClock

	mu      sync.Mutex
	open    bool
	probing bool
	pause   time.Duration
	probeAt time.Time
	// since is when the API came back, or this began.
	since time.Time
	// changed is closed when the API is back, and made anew.
	changed chan struct{}
}

func newCircuit(c clock.PassiveClock) *circuit {
	return &circuit{clock: c, since: c.Now(), changed: make(chan struct{})}
}

// pass is the leave to try.
type pass struct {
	probe bool
	// question marks a probe that stores nothing. Its answer does not show that the API stores anything.
	question bool
}

// allow gives leave to try, or tells when to ask again. Every leave has to be given back by settle
// or abandon.
func (c *circuit) allow() (leave pass, wait time.Duration, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.open {
		return pass{}, 0, true
	}
	if c.probing {
		return pass{}, c.pause, false
	}
	if wait := c.probeAt.Sub(c.clock.Now()); wait > 0 {
		return pass{}, wait, false
	}
	c.probing = true
	return pass{probe: true}, 0, true
}

// settle says what came of a try: whether the API was there, and how long it asked to be left alone.
func (c *circuit) settle(leave pass, away bool, wait time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case !away:
		if !leave.question {
			c.pause = 0
		}
		if c.open {
			c.open, c.probing, c.since = false, false, c.clock.Now()
			close(c.changed)
			c.changed = make(chan struct{})
		}
	case !c.open:
		c.open, c.pause = true, min(max(2*c.pause, minAPIWait), maxAPIWait)
		c.schedule(wait)
	case leave.probe:
		c.probing = false
		c.pause = min(2*c.pause, maxAPIWait)
		c.schedule(wait)
	}
}

// abandon gives back a leave that was not used. It says nothing of the API.
func (c *circuit) abandon(leave pass) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if leave.probe && c.open && c.probing {
		c.probing = false
		c.schedule(0)
	}
}

// question gives leave for a probe that stores nothing, where one has been due for longer than late and nobody has
// made it.
func (c *circuit) question(late time.Duration) (leave pass, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.open || c.probing || c.clock.Since(c.probeAt) < late {
		return pass{}, false
	}
	c.probing = true
	return pass{probe: true, question: true}, true
}

// schedule sets when the next probe is due, not for all servers at the same moment.
func (c *circuit) schedule(wait time.Duration) {
	jittered := c.pause/2 + rand.N(c.pause)
	c.probeAt = c.clock.Now().Add(max(jittered, wait))
}

// away tells whether the API is away, and returns what is closed when it is back.
func (c *circuit) away() (bool, <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.open, c.changed
}

// settling tells whether the API came back less than a time ago.
func (c *circuit) settling(within time.Duration) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.clock.Since(c.since) < within
}

// now makes the next probe due.
func (c *circuit) now() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.probeAt = c.clock.Now()
}
