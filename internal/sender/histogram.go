// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package sender

import (
	"math/bits"
	"time"
)

// steps is into how many parts each doubling of a duration is divided; a quantile is wrong by at most one part.
const steps = 32

// Histogram counts durations in buckets that grow with them, so that it stays small and a quantile is right to 3 %. The
// zero value is empty and ready to use. Not safe for use by several goroutines.
type Histogram struct {
	counts [64 * steps]int
	count  int
	most   time.Duration
}

// Add counts a duration. A negative one counts as none.
func (h *Histogram) Add(d time.Duration) {
	d = max(d, 0)
	h.counts[bucket(uint64(d.Microseconds()))]++
	h.count++
	h.most = max(h.most, d)
}

// bucket returns the place of a number of microseconds: exact below steps, then by its highest bits.
func bucket(us uint64) int {
	if us < steps {
		return int(us)
	}
	// The five bits after the highest one choose the part of the doubling.
	shift := bits.Len64(us) - 6
	return shift*steps + int(us>>shift)
}

// upper returns the greatest number of microseconds that is counted in a bucket.
func upper(at int) uint64 {
	if at < 2*steps {
		return uint64(at)
	}
	shift := at/steps - 1
	return uint64(at-shift*steps+1)<<shift - 1
}

// Count returns how many durations were added.
func (h *Histogram) Count() int { return h.count }

// Max returns the longest duration.
func (h *Histogram) Max() time.Duration { return h.most }

// Quantile returns the duration that a share q (0 to 1) of all durations did not exceed, 0 without any.
func (h *Histogram) Quantile(q float64) time.Duration {
	rank := int(q*float64(h.count) + 0.5)
	seen := 0
	for at, n := range h.counts {
		seen += n
		if n > 0 && seen >= rank {
			if us := upper(at); us < uint64(h.most.Microseconds()) {
				return time.Duration(us) * time.Microsecond
			}
			return h.most
		}
	}
	return h.most
}

// Merge adds what another one has counted.
func (h *Histogram) Merge(other *Histogram) {
	for at, n := range other.counts {
		h.counts[at] += n
	}
	h.count += other.count
	h.most = max(h.most, other.most)
}
