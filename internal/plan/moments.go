// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import "time"

// lastMoment is the last one that the API holds: the years of its times have four digits.
var lastMoment = time.Date(9999, time.December, 31, 23, 59, 59, 0, time.UTC)

// after returns a moment that much later, at most the last one. Nothing else adds to a moment that is written.
func after(at time.Time, by time.Duration) time.Time {
	later := at.Add(by).UTC()
	if later.After(lastMoment) {
		return lastMoment
	}
	return later
}

// days returns as many days of 24 hours.
func days(count int32) time.Duration { return time.Duration(count) * day }
