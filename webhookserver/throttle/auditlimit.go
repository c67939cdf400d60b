// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package throttle

import (
	"net/netip"
	"sync"
	"time"
)

const (
	// maxSummarised is how many networks are told apart meanwhile; the rest are one.
	maxSummarised = 256
	// networksTogether is how many times the records of one network those of all may be.
	networksTogether = 10
)

// AuditLimit bounds what calls without a good token write into the audit log. Anybody can make any number of them, and
// with a record of each could have those that matter rotated away. What has no record of its own is counted.
type AuditLimit struct {
	// recordsPerMinute is how many calls of a network get one; 0 is any number.
	recordsPerMinute int

	mu       sync.Mutex
	recorded map[netip.Prefix]int
	total    int
	left     map[netip.Prefix]*AuditSummary
}

// AuditSummary is what the audit log says of calls without records of their own.
type AuditSummary struct {
	// Time is when the last of the calls came, and Since when the first did.
	Time  time.Time
	Since time.Time
	// RemoteNetwork is the address of the clients, or the /64 network of IPv6; others for all beyond the first 256 in a
	// minute, and unknown where nothing told the address.
	RemoteNetwork string
	Calls         int
	// Reasons counts the calls by why they were refused.
	Reasons map[string]int
}

// NewAuditLimit allows a network some records in a minute, and all of them ten times as many; 0 is any number.
func NewAuditLimit(recordsPerMinute int) *AuditLimit {
	return &AuditLimit{
		recordsPerMinute: recordsPerMinute,
		recorded:         make(map[netip.Prefix]int),
		left:             make(map[netip.Prefix]*AuditSummary),
	}
}

// Record tells whether a call without a good token gets a record of its own, and counts it otherwise. One over the
// limit of its address never does: that it goes on is all there is to say of it.
func (l *AuditLimit) Record(address netip.Addr, at time.Time, reason string, overLimit bool) bool {
	if l.recordsPerMinute == 0 {
		return true
	}
	network := networkOf(address)
	l.mu.Lock()
	defer l.mu.Unlock()
	_, known := l.recorded[network]
	if !overLimit && l.recorded[network] < l.recordsPerMinute &&
		l.total < networksTogether*l.recordsPerMinute && (known || len(l.recorded) < maxAddresses) {
		l.recorded[network]++
		l.total++
		return true
	}
	l.count(network, at, reason)
	return false
}

// count notes a call that has no record. The caller holds the lock.
func (l *AuditLimit) count(network netip.Prefix, at time.Time, reason string) {
	name := network.Masked().String()
	switch {
	case !network.IsValid():
		name = "unknown"
	case network.IsSingleIP():
		name = network.Addr().String()
	}
	if _, known := l.left[network]; !known && len(l.left) >= maxSummarised {
		// No network has so many addresses.
		network, name = netip.PrefixFrom(netip.IPv4Unspecified(), 0), "others"
	}
	summary := l.left[network]
	if summary == nil {
		summary = &AuditSummary{Since: at.UTC(), RemoteNetwork: name, Reasons: make(map[string]int)}
		l.left[network] = summary
	}
	summary.Time = at.UTC()
	summary.Calls++
	summary.Reasons[reason]++
}

// Next begins the next minute, and returns what has no record in the one before.
func (l *AuditLimit) Next() []*AuditSummary {
	l.mu.Lock()
	defer l.mu.Unlock()
	var summaries []*AuditSummary
	for _, summary := range l.left {
		summaries = append(summaries, summary)
	}
	clear(l.recorded)
	clear(l.left)
	l.total = 0
	return summaries
}
