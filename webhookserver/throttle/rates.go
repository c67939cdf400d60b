// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package throttle bounds what senders may do: how fast and how many at a time their deliveries come, how much memory
// their bodies take, and what calls without a good token write into the audit log. It says whether something is
// permitted, and how long to wait; its user answers the calls.
package throttle

import (
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
	"k8s.io/utils/lru"

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

// Rates holds senders to their rates. It counts what comes to this process.
type Rates struct {
	failuresPerMinute int

	addresses, institutions *buckets
}

// NewRates allows an address some failed authentications in a minute; 0 is any number.
func NewRates(failuresPerMinute int) *Rates {
	return &Rates{
		failuresPerMinute: failuresPerMinute,
		addresses:         newBuckets(maxAddresses),
		institutions:      newBuckets(maxInstitutions),
	}
}

// AuthenticationFailed counts a failed authentication and returns how long the address has to wait before its next one
// is looked at as one; 0 where it is not too fast. Good tokens are never asked for: all institutions share the
// addresses of the platform, and one wrong URL there must not lock the others out. All addresses that are not known
// share a bucket.
func (r *Rates) AuthenticationFailed(address netip.Addr, now time.Time) time.Duration {
	if r.failuresPerMinute == 0 {
		return 0
	}
	limit := rate.Limit(float64(r.failuresPerMinute) / time.Minute.Seconds())
	return r.addresses.take(networkOf(address), limit, r.failuresPerMinute, now)
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

// Delivery counts a delivery of an institution and returns how long the sender has to wait; 0 where it is taken.
func (r *Rates) Delivery(institution *v1alpha1.Institution, now time.Time) time.Duration {
	limits := institution.Spec.Limits
	if limits.DeliveriesPerSecond == 0 {
		return 0
	}
	burst := limits.Burst
	if burst == 0 {
		burst = limits.DeliveriesPerSecond
	}
	return r.institutions.take(institution.UID, rate.Limit(limits.DeliveriesPerSecond), int(burst), now)
}

// buckets are token buckets by key, as many as were used last.
type buckets struct {
	// mu keeps two calls from making two buckets of one key.
	mu     sync.Mutex
	recent *lru.Cache
}

func newBuckets(most int) *buckets { return &buckets{recent: lru.New(most)} }

// take takes one token from the bucket of a key, which fills at the rate and holds as many as burst. It returns how
// long it takes until there is one, and takes none, where there is none now.
func (b *buckets) take(key lru.Key, limit rate.Limit, burst int, now time.Time) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	var limiter *rate.Limiter
	if known, ok := b.recent.Get(key); ok {
		limiter = known.(*rate.Limiter)
	} else {
		limiter = rate.NewLimiter(limit, burst)
		b.recent.Add(key, limiter)
	}
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
