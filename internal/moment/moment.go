// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package moment computes with moments that the API holds.
package moment

import "time"

// Day is a day of 24 hours.
const Day = 24 * time.Hour

// Last is the last one that the API holds: the years of its times have four digits.
var Last = time.Date(9999, time.December, 31, 23, 59, 59, 0, time.UTC)

// After returns a moment that much later, at most the last one. Nothing else adds to a moment that is written.
func After(at time.Time, by time.Duration) time.Time {
	later := at.Add(by).UTC()
	if later.After(Last) {
		return Last
	}
	return later
}

// Days returns as many days of 24 hours.
func Days(count int32) time.Duration { return time.Duration(count) * Day }

// Later returns the later of two moments.
func Later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
