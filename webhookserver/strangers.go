// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package webhookserver

import (
	"context"
	"net/netip"
	"sync"
	"time"
)

const (
	// summaryInterval is how often the audit log tells how many calls it has no record of.
	summaryInterval = time.Minute
	// maxSummarised is how many networks are told apart meanwhile; the rest are one.
	maxSummarised = 256
	// strangersOfAll is how many times the records of one network those of all may be.
	strangersOfAll = 10
)

// strangers bounds what calls without a good token write into the audit log. Anybody can make any number of them, and
// with a record of each could have those that matter rotated away. What has no record of its own is counted.
type strangers struct {
	// recordsPerMinute is how many calls of a network get one; 0 is any number.
	recordsPerMinute int

	mu       sync.Mutex
	recorded map[netip.Prefix]int
	total    int
	left     map[netip.Prefix]*auditSummary
}

// auditSummary is the line that the audit log has of calls without records of their own.
type auditSummary struct {
	// Time is when the last of the calls came, and Since when the first did.
	Time  time.Time `json:"time"`
	Since time.Time `json:"since"`
	// RemoteNetwork is the address of the clients, or the /64 network of IPv6; others for all beyond the first 256 in a
	// minute, and unknown where nothing told the address.
	RemoteNetwork string `json:"remoteNetwork"`
	Calls         int    `json:"calls"`
	// Reasons counts the calls by why they were refused.
	Reasons map[string]int `json:"reasons"`
}

func newStrangers(recordsPerMinute int) *strangers {
	return &strangers{
		recordsPerMinute: recordsPerMinute,
		recorded:         make(map[netip.Prefix]int),
		left:             make(map[netip.Prefix]*auditSummary),
	}
}

// record tells whether a call gets a record of its own, and counts it otherwise. One over the limit of its address
// never does: that it goes on is all there is to say of it.
func (s *strangers) record(c *call, a *answer) bool {
	if c.institution != nil || s.recordsPerMinute == 0 {
		return true
	}
	network := networkOf(c.origin.limitedBy())
	s.mu.Lock()
	defer s.mu.Unlock()
	_, known := s.recorded[network]
	if a.reason != ProblemTooManyFailures && s.recorded[network] < s.recordsPerMinute &&
		s.total < strangersOfAll*s.recordsPerMinute && (known || len(s.recorded) < maxAddresses) {
		s.recorded[network]++
		s.total++
		return true
	}
	s.count(network, c.received, a.reason)
	return false
}

// count notes a call that has no record. The caller holds the lock.
func (s *strangers) count(network netip.Prefix, at time.Time, reason string) {
	name := network.Masked().String()
	switch {
	case !network.IsValid():
		name = "unknown"
	case network.IsSingleIP():
		name = network.Addr().String()
	}
	if _, known := s.left[network]; !known && len(s.left) >= maxSummarised {
		// No network has so many addresses.
		network, name = netip.PrefixFrom(netip.IPv4Unspecified(), 0), "others"
	}
	summary := s.left[network]
	if summary == nil {
		summary = &auditSummary{Since: at.UTC(), RemoteNetwork: name, Reasons: make(map[string]int)}
		s.left[network] = summary
	}
	summary.Time = at.UTC()
	summary.Calls++
	summary.Reasons[reason]++
}

// end ends the interval and returns what has no record in it.
func (s *strangers) end() []*auditSummary {
	s.mu.Lock()
	defer s.mu.Unlock()
	var summaries []*auditSummary
	for _, summary := range s.left {
		summaries = append(summaries, summary)
	}
	clear(s.recorded)
	clear(s.left)
	s.total = 0
	return summaries
}

// summarise writes the summaries until ctx ends, and then those that are left.
func (h *handler) summarise(ctx context.Context) {
	tick := h.clock.NewTicker(summaryInterval)
	defer tick.Stop()
	for ended := false; !ended; {
		select {
		case <-tick.C():
		case <-ctx.Done():
			ended = true
		}
		for _, summary := range h.strangers.end() {
			h.audit(summary)
		}
	}
}
