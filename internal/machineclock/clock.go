//go:build !clockoffset

// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package machineclock is the clock that the programs run by. Only what the fault tests build, with the tag
// clockoffset, has one that can be set wrong.
package machineclock

import "k8s.io/utils/clock"

// New returns the clock of this machine.
func New() clock.WithTicker { return clock.RealClock{} }
