// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package condition is how the state of an object is told in its status: the conditions that kstatus reads.
package condition

// Verdict is the trio of conditions that kstatus reads.
type Verdict struct {
	Ready       bool
	Reconciling bool
	Stalled     bool
	// Reason and Message are those of Ready.
	Reason  string
	Message string
}
