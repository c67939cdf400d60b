//go:build linux

// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// spawnAttributes has the kernel kill a program when this process dies, even by SIGKILL.
func spawnAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// stopped returns nil once every thread of a process is in the stopped state: a signal is delivered to each of
// them in its own time.
func stopped(pid int) error {
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	if err != nil || len(threads) == 0 {
		return fmt.Errorf("process %d has no threads: %w", pid, errEnded)
	}
	for _, thread := range threads {
		stat, err := os.ReadFile(thread)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("reading the state of process %d: %w", pid, err)
		}
		// pid (name) state ...: the name may contain anything, also parentheses.
		text := string(stat)
		state := strings.TrimSpace(text[strings.LastIndexByte(text, ')')+1:])
		if !strings.HasPrefix(state, "T") {
			return fmt.Errorf("process %d still runs", pid)
		}
	}
	return nil
}
