// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package memory

import "time"

// Patience is for how long what is absent is waited for before the absence counts. The zero value of a field is its
// default.
type Patience struct {
	// Absent is for completions, policies and Grants that this process did not see being deleted: somebody deleted them
	// while it was down, or they are still to be restored. 5 minutes by default.
	Absent time.Duration
	// Replaced is for a policy that was deleted: tools replace one by deleting it and making it again. 1 minute by
	// default.
	Replaced time.Duration
	// Restored is for the Seats of Grants that came from a backup: their pools give none to others so long. 2 minutes by
	// default.
	Restored time.Duration
	// Planned is for completions that are still to be planned and come first in the queue for a seat: a fault that holds
	// up one person is not to hold up everybody. 5 minutes by default.
	Planned time.Duration
}

// OrDefault returns the patience with what is not said filled in.
func (p Patience) OrDefault() Patience {
	for _, field := range []struct {
		is *time.Duration
		by time.Duration
	}{{&p.Absent, 5 * time.Minute}, {&p.Replaced, time.Minute}, {&p.Restored, 2 * time.Minute}, {&p.Planned,
		5 * time.Minute}} {
		if *field.is == 0 {
			*field.is = field.by
		}
	}
	return p
}
