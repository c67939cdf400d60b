// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package webhookserver

import (
	"container/list"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
	"k8s.io/apimachinery/pkg/types"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

const (
	// maxAddresses and maxInstitutions bound what is remembered. What was not seen for the longest time is forgotten
	// first; it starts anew with a full bucket. Less than 2 MiB at most.
	maxAddresses    = 8192
	maxInstitutions = 8192
	// ipv6Network is the length of the prefix that one subscriber of an IPv6 network has to itself.
	ipv6Network = 64
)

// gate holds senders to their rates. It counts what comes to this process.
type gate struct {
	// failuresPerMinute is how many failed authentications an address may have in a minute; 0 is any number.
	failuresPerMinute int
	// share is how many deliveries of one institution may be read at the same time; 0 is any number.
	share int

	addresses    *buckets[netip.Prefix]
	institutions *buckets[types.UID]

	mu     sync.Mutex
	visits map[types.UID]visits
}

// visits are how many deliveries of an institution are being read, and how many are being handled, those included.
type visits struct{ reading, handled int }

func newGate(failuresPerMinute, share int) *gate {
	return &gate{
		failuresPerMinute: failuresPerMinute,
		share:             share,
		addresses:         newBuckets[netip.Prefix](maxAddresses),
		institutions:      newBuckets[types.UID](maxInstitutions),
		visits:            make(map[types.UID]visits),
	}
}

// failed counts a failed authentication and returns how long the address has to wait before its next one is looked at
// as one; 0 where it is not too fast. Good tokens are never asked for: all institutions share the addresses of the
// platform, and one wrong URL there must not lock the others out. All addresses that are not known share a bucket.
func (g *gate) failed(address netip.Addr, now time.Time) time.Duration {
	if g.failuresPerMinute == 0 {
		return 0
	}
	limit := rate.Limit(float64(g.failuresPerMinute) / time.Minute.Seconds())
	return g.addresses.take(networkOf(address), limit, g.failuresPerMinute, now)
}

// networkOf returns what one subscriber has to itself.
func networkOf(address netip.Addr) netip.Prefix {
	bits := address.BitLen()
	if address.Is6() {
		bits = ipv6Network
	}
	// The error is about the zero Addr, whose network is the zero Prefix.
	network, _ := address.Prefix(bits)
	return network
}

// delivery counts a delivery of an institution and returns how long the sender has to wait; 0 where it is taken.
func (g *gate) delivery(institution *v1alpha1.Institution, now time.Time) time.Duration {
	limits := institution.Spec.Limits
	if limits.DeliveriesPerSecond == 0 {
		return 0
	}
	burst := limits.Burst
	if burst == 0 {
		burst = limits.DeliveriesPerSecond
	}
	return g.institutions.take(institution.UID, rate.Limit(limits.DeliveriesPerSecond), int(burst), now)
}

// visit is a delivery that is being handled.
type visit struct {
	gate        *gate
	institution types.UID
	reading     bool
	// crowded tells that the institution has more of them than its share.
	crowded bool
}

// enter takes one of the institution's places for reading a delivery; false where it has none left. Without places one
// institution whose deliveries come slowly could use up all connections. Whoever gets true has to call leave.
func (g *gate) enter(institution *v1alpha1.Institution) (visit, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.visits[institution.UID]
	if g.share > 0 && now.reading >= g.share {
		return visit{}, false
	}
	now.reading++
	now.handled++
	g.visits[institution.UID] = now
	return visit{g, institution.UID, true, g.share > 0 && now.handled > g.share}, true
}

// read gives the place back once all of the delivery is there. What remains to be done takes a bounded time, and is not
// its sender's fault where that is long: nobody is refused for it.
func (v *visit) read() { v.end(0) }

// leave ends the visit.
func (v *visit) leave() { v.end(1) }

func (v *visit) end(handled int) {
	reading := 0
	if v.reading {
		reading, v.reading = 1, false
	}
	v.gate.mu.Lock()
	defer v.gate.mu.Unlock()
	now := v.gate.visits[v.institution]
	now.reading -= reading
	now.handled -= handled
	if now == (visits{}) {
		delete(v.gate.visits, v.institution)
		return
	}
	v.gate.visits[v.institution] = now
}

// buckets are token buckets by key, as many as were used last.
type buckets[K comparable] struct {
	most int

	mu    sync.Mutex
	byKey map[K]*list.Element
	// recent has the one first that was used last.
	recent *list.List
}

// bucket is one of them.
type bucket[K comparable] struct {
	key     K
	limiter *rate.Limiter
}

func newBuckets[K comparable](most int) *buckets[K] {
	return &buckets[K]{most: most, byKey: make(map[K]*list.Element), recent: list.New()}
}

// take takes one token from the bucket of a key, which fills at the rate and holds as many as burst. It returns how
// long it takes until there is one, and takes none, where there is none now.
func (b *buckets[K]) take(key K, limit rate.Limit, burst int, now time.Time) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	limiter := b.limiter(key, limit, burst)
	if limiter.Limit() != limit {
		limiter.SetLimitAt(now, limit)
	}
	if limiter.Burst() != burst {
		limiter.SetBurstAt(now, burst)
	}
	reservation := limiter.ReserveN(now, 1)
	wait := reservation.DelayFrom(now)
	if wait > 0 {
		reservation.CancelAt(now)
	}
	return wait
}

func (b *buckets[K]) limiter(key K, limit rate.Limit, burst int) *rate.Limiter {
	if element, ok := b.byKey[key]; ok {
		b.recent.MoveToFront(element)
		return element.Value.(*bucket[K]).limiter
	}
	if b.recent.Len() >= b.most {
		oldest := b.recent.Back()
		b.recent.Remove(oldest)
		delete(b.byKey, oldest.Value.(*bucket[K]).key)
	}
	limiter := rate.NewLimiter(limit, burst)
	b.byKey[key] = b.recent.PushFront(&bucket[K]{key: key, limiter: limiter})
	return limiter
}
