//go:build linux

// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// canLimit says whether the limits of another process can be set here.
const canLimit = true

// limitFiles lets a process write no file beyond a size; unlimited with noLimit.
func limitFiles(pid int, size uint64) error {
	var limit unix.Rlimit
	if err := unix.Prlimit(pid, unix.RLIMIT_FSIZE, nil, &limit); err != nil {
		return fmt.Errorf("reading the limit of process %d: %w", pid, err)
	}
	// The hard limit stays, so that anybody may raise the soft one again.
	limit.Cur = min(size, limit.Max)
	if err := unix.Prlimit(pid, unix.RLIMIT_FSIZE, &limit, nil); err != nil {
		return fmt.Errorf("setting the limit of process %d: %w", pid, err)
	}
	return nil
}

// noLimit is RLIM_INFINITY.
const noLimit = ^uint64(0)

// mountSmall mounts a file system of so many bytes in memory. Only root may.
func mountSmall(dir string, size int64) error {
	options := fmt.Sprintf("size=%d,mode=0700", size)
	if err := unix.Mount("tmpfs", dir, "tmpfs", unix.MS_NODEV|unix.MS_NOSUID, options); err != nil {
		return fmt.Errorf("mounting a small file system at %s: %w", dir, err)
	}
	return nil
}

func unmount(dir string) error {
	if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
		return fmt.Errorf("unmounting %s: %w", dir, err)
	}
	return nil
}

// fill writes a file until the file system has no room left.
func fill(path string) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer file.Close()
	for size := 1 << 20; size > 0; {
		_, err := file.Write(make([]byte, size))
		switch {
		case err == nil:
		case errors.Is(err, unix.ENOSPC):
			size /= 16
		default:
			return fmt.Errorf("filling the file system: %w", err)
		}
	}
	return nil
}

// ownMounts is what makes a new process mount for itself alone, so that nothing stays mounted when it dies.
func ownMounts() *unix.SysProcAttr {
	return &unix.SysProcAttr{Unshareflags: unix.CLONE_NEWNS, Pdeathsig: unix.SIGKILL}
}
