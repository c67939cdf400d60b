//go:build unix && !linux

// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package system

import "syscall"

// attributes cannot bind the life of a program to this process here, as it does on Linux.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}
