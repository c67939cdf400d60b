// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package memory holds what the loops have to know of one another, or of what happened before, and what no object
// records. It is in the memory of this process alone, and a restart loses it: each type says what that means.
//
//	Witness          what was seen, by all loops        a restart waits for what is absent, as for what is restored
//	Backlog          planner -> seatpool                a restart finds whom nobody has planned by the statuses
//	Plans            planner -> grant                   a restart deletes no data before it has planned again
//	NamespaceCounts  grant -> institution               a restart counts what the cache has
//
// What one loop alone remembers is in the file memory.go of its package; the brake is in package budget.
package memory
