//go:build !linux

// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import "syscall"

// partAttributes has no parent death signal outside Linux: there the reaper ends the parts.
func partAttributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// stopped cannot look at the threads outside Linux.
func stopped(int) error { return nil }
