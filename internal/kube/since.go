// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"maps"
	"sync"
	"time"
)

// sinceKept is for how long something is remembered that nobody has looked at since. No gap is longer.
const sinceKept = time.Hour

// Since remembers since when something has been the case, by key. The zero value is ready, and safe for concurrent use.
// It is in memory alone: a restart begins anew.
type Since[K comparable] struct {
	mu     sync.Mutex
	spans  map[K]span
	purged time.Time
}

// span is since when something is the case, and when that was looked at last.
type span struct{ since, last time.Time }

// Lasting notes that something is the case now, and returns since when it has been. What was not looked at for longer
// than the gap may have been otherwise meanwhile, and begins anew.
func (s *Since[K]) Lasting(key K, now time.Time, gap time.Duration) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.spans == nil {
		s.spans, s.purged = map[K]span{}, now
	}
	if now.Sub(s.purged) > sinceKept {
		s.purged = now
		maps.DeleteFunc(s.spans, func(_ K, one span) bool { return now.Sub(one.last) > sinceKept })
	}
	is, found := s.spans[key]
	if !found || now.Sub(is.last) > min(gap, sinceKept) {
		is.since = now
	}
	is.last = now
	s.spans[key] = is
	return is.since
}

// End notes that something is not the case.
func (s *Since[K]) End(key K) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.spans, key)
}
