// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package fairqueue is a queue of work for a controller that divides the workers fairly between tenants: a tenant with
// very much to do, or whose work takes very long, delays the others by no more than its turn. It takes the place of
// controller-runtime's priority queue, and does what that does: it holds each key once, takes the greatest priority and
// the earliest time of those that a key was added with, and hands out no key that is still worked on.
package fairqueue

import (
	"container/list"
	"sync"
	"time"

	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/controller/priorityqueue"
)

// agedTurn is which turn goes to the tenant that is next whatever the priority of its work, and which of its own turns
// a tenant spends on what has waited for longest: what is urgent somewhere all the time would otherwise let the rest
// wait for ever.
const agedTurn = 4

// contention is how long a tenant is taken to have work after its last: one that has a little of it all the time has
// none at most moments.
const contention = 5 * time.Second

// Options say how a queue divides the work.
type Options[T comparable] struct {
	// Name of the controller, for the metrics; empty is no metrics.
	Name string
	// Tenant returns whose work a key is.
	Tenant func(T) string
	// Share is how many keys of one tenant are worked on at the same time, so that some workers are left for the others
	// even where its work hangs. Zero is as many as there are workers.
	Share int
	// ContendedShare takes the place of Share while others have work, or had some within contention: what they all wait
	// for behind the queue, such as the API server, is then not full of one tenant's requests. It is also the share of
	// what a tenant does beside work of a greater priority of its own. Zero is Share.
	ContendedShare int
	// RateLimiter says how long a key waits that is added rate limited.
	RateLimiter workqueue.TypedRateLimiter[T]
	// Clock is the machine's unless a test sets it.
	Clock clock.WithTicker
	// Metrics are controller-runtime's unless a test sets them.
	Metrics workqueue.MetricsProvider
}

// Queue implements priorityqueue.PriorityQueue. Turns go round the tenants: of those that have work of the greatest
// priority that anybody has, the one is next that has waited for its turn for longest. Within a tenant the greater
// priority goes first, and then what was added first. A few turns go by age alone.
type Queue[T comparable] struct {
	options Options[T]
	metrics *queueMetrics[T]

	mu   sync.Mutex
	cond *sync.Cond
	// items are the keys that wait, for their time or their turn.
	items map[T]*item[T]
	// working are the keys that were handed out and not yet returned.
	working map[T]handedOut[T]
	delayed delays[T]
	tenants map[string]*tenant[T]
	// round has the tenants that have something ready, the next first.
	round list.List
	// ready counts the keys that wait for their turn.
	ready int
	added uint64
	turns uint64
	// last are the two tenants that work was handed out of most recently, the last one first.
	last [2]handout

	// sooner tells the timer that something is due before what it waits for.
	sooner chan struct{}
	done   chan struct{}
	end    sync.Once
}

var _ priorityqueue.PriorityQueue[string] = (*Queue[string])(nil)

// New returns a queue. It has to be shut down.
func New[T comparable](options Options[T]) *Queue[T] {
	if options.Clock == nil {
		options.Clock = clock.RealClock{}
	}
	if options.RateLimiter == nil {
		options.RateLimiter = workqueue.NewTypedItemExponentialFailureRateLimiter[T](5*time.Millisecond, 1000*time.Second)
	}
	q := &Queue[T]{
		options: options,
		metrics: newMetrics[T](options.Metrics, options.Name, options.Clock),
		items:   map[T]*item[T]{},
		working: map[T]handedOut[T]{},
		tenants: map[string]*tenant[T]{},
		sooner:  make(chan struct{}, 1),
		done:    make(chan struct{}),
	}
	q.cond = sync.NewCond(&q.mu)
	go q.wake()
	go q.metrics.run(&q.mu, q.done)
	return q
}

// AddWithOpts adds keys.
func (q *Queue[T]) AddWithOpts(options priorityqueue.AddOpts, keys ...T) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.ended() {
		return
	}
	priority := 0
	if options.Priority != nil {
		priority = *options.Priority
	}
	for _, key := range keys {
		after := options.After
		if options.RateLimited {
			if limited := q.options.RateLimiter.When(key); after == 0 || limited < after {
				after = limited
			}
		}
		if after > 0 {
			q.metrics.retried()
		}
		q.add(key, priority, after)
	}
}

func (q *Queue[T]) add(key T, priority int, after time.Duration) {
	it, known := q.items[key]
	if !known {
		it = &item[T]{key: key, priority: priority}
		q.items[key] = it
	}
	raised := priority > it.priority
	switch {
	case known && it.at.IsZero():
		// It waits for its turn already.
		if raised {
			q.metrics.moved(it.priority, priority)
			q.withdraw(it)
			it.priority = priority
			q.offer(it)
		}
	case after <= 0:
		it.priority = max(it.priority, priority)
		if known {
			q.delayed.remove(it)
		}
		q.due(it)
	default:
		it.priority = max(it.priority, priority)
		at := q.options.Clock.Now().Add(after)
		if known && !at.Before(it.at) {
			return
		}
		if known {
			q.delayed.remove(it)
		}
		it.at = at
		q.delayed.insert(it)
		if q.delayed.first() == it {
			notify(q.sooner)
		}
	}
}

// due lets a key wait for its turn.
func (q *Queue[T]) due(it *item[T]) {
	it.at = time.Time{}
	q.ready++
	q.metrics.waits(it.key, it.priority)
	q.offer(it)
}

// offer puts a key that is due among those of its tenant, unless it is being worked on: Done does it then.
func (q *Queue[T]) offer(it *item[T]) {
	if _, working := q.working[it.key]; working {
		return
	}
	q.added++
	it.added = q.added
	t := q.tenantOf(it.key)
	t.put(it)
	if t.place == nil {
		t.place = q.round.PushBack(t)
	}
	q.cond.Signal()
}

// withdraw takes a key from among those of its tenant.
func (q *Queue[T]) withdraw(it *item[T]) {
	if it.element == nil {
		return
	}
	t := q.tenantOf(it.key)
	t.remove(it)
	q.settle(t)
}

func (q *Queue[T]) tenantOf(key T) *tenant[T] {
	name := q.options.Tenant(key)
	t, known := q.tenants[name]
	if !known {
		t = &tenant[T]{name: name}
		q.tenants[name] = t
	}
	return t
}

// settle takes a tenant that has nothing ready out of the round, and forgets one that has no work at all.
func (q *Queue[T]) settle(t *tenant[T]) {
	if t.ready > 0 {
		return
	}
	if t.place != nil {
		q.round.Remove(t.place)
		t.place = nil
	}
	if t.working == 0 {
		delete(q.tenants, t.name)
	}
}

// GetWithPriority waits for a key whose turn it is, and returns it until Done is called with it.
func (q *Queue[T]) GetWithPriority() (key T, priority int, shutdown bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for !q.ended() {
		if it := q.next(); it != nil {
			return it.key, it.priority, false
		}
		q.cond.Wait()
	}
	return key, 0, true
}

// next takes the key whose turn it is out of the queue; nil if there is none that may be worked on now.
func (q *Queue[T]) next() *item[T] {
	aged, now := (q.turns+1)%agedTurn == 0, q.options.Clock.Now()
	var chosen *tenant[T]
	var it *item[T]
	for e := q.round.Front(); e != nil; e = e.Next() {
		t := e.Value.(*tenant[T])
		next := q.choose(t, now)
		if next == nil {
			continue
		}
		if chosen == nil || t.priority() > chosen.priority() {
			chosen, it = t, next
		}
		if aged {
			break
		}
	}
	if chosen == nil {
		return nil
	}
	q.turns++
	chosen.turns++
	chosen.remove(it)
	chosen.working++
	chosen.note(it.priority, now)
	q.note(chosen, now)
	q.round.MoveToBack(chosen.place)
	q.settle(chosen)
	delete(q.items, it.key)
	q.ready--
	q.working[it.key] = handedOut[T]{chosen, it.priority}
	q.metrics.begins(it.key, it.priority)
	return it
}

// choose returns which of its keys a tenant has worked on next; nil where its share is in use.
func (q *Queue[T]) choose(t *tenant[T], now time.Time) *item[T] {
	if share := q.share(t, now); share > 0 && t.working >= share {
		return nil
	}
	if it := t.oldest(); (t.turns+1)%agedTurn == 0 && q.hasRoom(t, it, now) {
		return it
	}
	if it := t.first(); q.hasRoom(t, it, now) {
		return it
	}
	return nil
}

// hasRoom reports whether a key of a tenant may be worked on beside what is more urgent of it, in view of how many are
// that are as little urgent.
func (q *Queue[T]) hasRoom(t *tenant[T], it *item[T], now time.Time) bool {
	urgent := t.urgency(now)
	if q.options.ContendedShare == 0 || it.priority >= urgent {
		return true
	}
	behind := 0
	for _, one := range q.working {
		if one.tenant == t && one.priority < urgent {
			behind++
		}
	}
	return behind < q.options.ContendedShare
}

// handedOut is a key that is worked on.
type handedOut[T comparable] struct {
	tenant   *tenant[T]
	priority int
}

// handout is when work of a tenant was handed out.
type handout struct {
	tenant string
	at     time.Time
}

func (q *Queue[T]) note(t *tenant[T], now time.Time) {
	if q.last[0].tenant != t.name {
		q.last[1] = q.last[0]
	}
	q.last[0] = handout{t.name, now}
}

// share returns how many keys of a tenant may be worked on at the same time; zero for any number.
func (q *Queue[T]) share(t *tenant[T], now time.Time) int {
	other := q.last[0]
	if other.tenant == t.name {
		other = q.last[1]
	}
	if q.options.ContendedShare == 0 || len(q.tenants) == 1 && now.Sub(other.at) >= contention {
		return q.options.Share
	}
	return q.options.ContendedShare
}

// Done returns a key that was worked on.
func (q *Queue[T]) Done(key T) {
	q.mu.Lock()
	defer q.mu.Unlock()
	one, working := q.working[key]
	if !working {
		return
	}
	t := one.tenant
	delete(q.working, key)
	t.working--
	q.metrics.ends(key)
	if it, again := q.items[key]; again && it.at.IsZero() {
		q.offer(it)
	}
	q.settle(t)
	// Its tenant may have a share again.
	q.cond.Signal()
}

// wake lets keys wait for their turn once their time has come.
func (q *Queue[T]) wake() {
	for {
		q.mu.Lock()
		now := q.options.Clock.Now()
		for it := q.delayed.first(); it != nil && !it.at.After(now); it = q.delayed.first() {
			q.delayed.remove(it)
			q.due(it)
		}
		var timer clock.Timer
		var due <-chan time.Time
		if it := q.delayed.first(); it != nil {
			timer = q.options.Clock.NewTimer(it.at.Sub(now))
			due = timer.C()
		}
		q.mu.Unlock()
		select {
		case <-due:
		case <-q.sooner:
		case <-q.done:
		}
		if timer != nil {
			timer.Stop()
		}
		select {
		case <-q.done:
			return
		default:
		}
	}
}

func notify(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Get is GetWithPriority without the priority.
func (q *Queue[T]) Get() (key T, shutdown bool) {
	key, _, shutdown = q.GetWithPriority()
	return key, shutdown
}

// Add adds a key that is due.
func (q *Queue[T]) Add(key T) { q.AddWithOpts(priorityqueue.AddOpts{}, key) }

// AddAfter adds a key that is due later.
func (q *Queue[T]) AddAfter(key T, after time.Duration) {
	q.AddWithOpts(priorityqueue.AddOpts{After: after}, key)
}

// AddRateLimited adds a key that is due when the rate limiter says so.
func (q *Queue[T]) AddRateLimited(key T) {
	q.AddWithOpts(priorityqueue.AddOpts{RateLimited: true}, key)
}

// Forget has the rate limiter begin anew with a key.
func (q *Queue[T]) Forget(key T) { q.options.RateLimiter.Forget(key) }

// NumRequeues returns how often a key was added rate limited since it was forgotten.
func (q *Queue[T]) NumRequeues(key T) int { return q.options.RateLimiter.NumRequeues(key) }

// Len returns how many keys wait for their turn; it leaves out those whose time is to come.
func (q *Queue[T]) Len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.ready
}

// ShutDown ends the queue at once: nothing more is handed out.
func (q *Queue[T]) ShutDown() {
	q.end.Do(func() {
		q.mu.Lock()
		close(q.done)
		q.mu.Unlock()
		q.cond.Broadcast()
	})
}

// ShutDownWithDrain is ShutDown: what is not worked on any more is found again after a start.
func (q *Queue[T]) ShutDownWithDrain() { q.ShutDown() }

// ShuttingDown reports whether the queue has ended.
func (q *Queue[T]) ShuttingDown() bool { return q.ended() }

func (q *Queue[T]) ended() bool {
	select {
	case <-q.done:
		return true
	default:
		return false
	}
}
