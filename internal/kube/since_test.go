// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"testing"
	"time"
)

// What lasts is known from its beginning, unless it ended, or nobody looked for longer than the gap.
func TestSince(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	at := func(minutes int) time.Time { return start.Add(time.Duration(minutes) * time.Minute) }
	type look struct {
		at, want int
		ended    bool
	}
	for name, looks := range map[string][]look{
		"without a gap":       {{at: 0, want: 0}, {at: 5, want: 0}, {at: 9, want: 0}, {at: 14, want: 0}},
		"after a gap":         {{at: 0, want: 0}, {at: 5, want: 0}, {at: 11, want: 11}, {at: 12, want: 11}},
		"ended in between":    {{at: 0, want: 0}, {at: 2, want: 2, ended: true}, {at: 3, want: 2}},
		"where a clock jumps": {{at: 5, want: 5}, {at: 3, want: 5}, {at: 8, want: 5}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var since Since[string]
			for _, look := range looks {
				if look.ended {
					since.End("a")
				}
				if got := since.Lasting("a", at(look.at), 5*time.Minute); !got.Equal(at(look.want)) {
					t.Errorf("at minute %d: since %v, want minute %d", look.at, got, look.want)
				}
			}
		})
	}
}

// What nobody looks at any more is forgotten, so that it takes no memory for ever.
func TestSinceForgetsWhatNobodyLooksAt(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	var since Since[int]
	for key := range 100 {
		since.Lasting(key, start, sinceKept)
	}
	since.Lasting(0, start.Add(sinceKept/2), sinceKept)
	since.Lasting(100, start.Add(sinceKept+time.Second), sinceKept)
	if got := len(since.spans); got != 2 {
		t.Errorf("%d are remembered, want the 2 that were looked at within the last hour", got)
	}
}
