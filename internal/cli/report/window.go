// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package report

import (
	"fmt"
	"time"
)

// window bounds when a course was completed. Days are read in the zone of each institution.
type window struct{ since, until string }

// bounds returns the first moment, and the first one that is over, in a zone; zero for none.
func (w window) bounds(zone *time.Location) (from, to time.Time, err error) {
	if w.since != "" {
		if from, err = moment(w.since, zone, 0); err != nil {
			return from, to, fmt.Errorf("--since %w", err)
		}
	}
	if w.until != "" {
		if to, err = moment(w.until, zone, 1); err != nil {
			return from, to, fmt.Errorf("--until %w", err)
		}
	}
	if !from.IsZero() && !to.IsZero() && !from.Before(to) {
		return from, to, fmt.Errorf("--since %s must be before --until %s", w.since, w.until)
	}
	return from, to, nil
}

// moment reads a day, of which it takes the beginning so many days later, or a moment.
func moment(text string, zone *time.Location, later int) (time.Time, error) {
	if day, err := time.ParseInLocation(time.DateOnly, text, zone); err == nil {
		return day.AddDate(0, 0, later), nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}, fmt.Errorf("%q is neither a day, yyyy-MM-dd, nor a time such as 2026-12-18T18:00:00-03:00",
			text)
	}
	return at, nil
}
