//go:build clockoffset

// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package machineclock is the clock that the programs run by. Only what the fault tests build, with the tag
// clockoffset, has one that can be set wrong.
package machineclock

import (
	"k8s.io/utils/clock"

	"github.com/lxp-dev/course-completion-operator/internal/clockoffset"
)

// New returns a clock that the fault tests set.
func New() clock.WithTicker { return clockoffset.FromEnvironment() }
