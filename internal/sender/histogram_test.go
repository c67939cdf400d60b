// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package sender

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

func TestHistogramQuantiles(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var both, half Histogram
	var all []time.Duration
	for i := range 20_000 {
		d := time.Duration(random.ExpFloat64()*float64(3*time.Millisecond)) + time.Duration(random.IntN(40))*time.Microsecond
		all = append(all, d)
		if i%2 == 0 {
			both.Add(d)
		} else {
			half.Add(d)
		}
	}
	both.Merge(&half)
	slices.Sort(all)
	for _, q := range []float64{0.01, 0.5, 0.9, 0.99, 0.999, 1} {
		want := all[min(int(q*float64(len(all))), len(all)-1)]
		got := both.Quantile(q)
		if off := float64(got-want) / float64(want); off < -0.04 || off > 0.04 {
			t.Errorf("quantile %g is %s, want %s", q, got, want)
		}
	}
	if got, want := both.Max(), all[len(all)-1]; got != want {
		t.Errorf("the longest is %s, want %s", got, want)
	}
	if got := both.Count(); got != len(all) {
		t.Errorf("counted %d, want %d", got, len(all))
	}
}

func TestHistogramExtremes(t *testing.T) {
	var h Histogram
	if got := h.Quantile(0.5); got != 0 {
		t.Errorf("the median of nothing is %s", got)
	}
	h.Add(-time.Second)
	h.Add(1<<63 - 1)
	if got := h.Quantile(0.5); got != 0 {
		t.Errorf("the median is %s, want the negative one as 0", got)
	}
	if got, want := h.Quantile(1), time.Duration(1<<63-1); got != want {
		t.Errorf("the greatest is %d, want %d", got, want)
	}
	for us := range uint64(100_000) {
		at := bucket(us)
		if upper(at) < us || (at > 0 && upper(at-1) >= us) {
			t.Fatalf("%d us is counted in bucket %d, which ends at %d", us, at, upper(at))
		}
	}
}
