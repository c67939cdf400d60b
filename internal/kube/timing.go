// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"cmp"
	"time"
)

// StaleInterval is how long a loop waits for the cache after a conflict, or where it is behind.
const StaleInterval = 100 * time.Millisecond

// How often a Grant looks whether what it waits for has come, where nothing tells it: an object that is not ours has
// no watch.
const (
	MinWait = 2 * time.Second
	MaxWait = time.Minute
)

// LookAgain returns when to look again for what no watch tells of: as long as it has been waited for already, within
// bounds, so that many who wait for long do not keep the API server busy.
func LookAgain(waited, most time.Duration) time.Duration {
	return min(max(MinWait, waited), most)
}

// Sooner returns the sooner of two moments to look again; zero is never.
func Sooner(a, b time.Duration) time.Duration {
	if a == 0 || b == 0 {
		return cmp.Or(a, b)
	}
	return min(a, b)
}

// Earlier returns the earlier of two moments; zero is none.
func Earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
