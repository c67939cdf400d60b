// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

var errLocked = errors.New("locked by another process")

// lockNow takes an exclusive lock on a file, or fails with errLocked. Closing the file lets go of it; the kernel does
// so when this process, and whoever inherited the file, has ended, however it ended.
func lockNow(path string) (*os.File, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("creating the folder of lock %s: %w", path, err)
	}
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening lock: %w", err)
	}
	if err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err == nil {
		return file, nil
	}
	_ = file.Close()
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, fmt.Errorf("%s: %w", path, errLocked)
	}
	return nil, fmt.Errorf("locking %s: %w", path, err)
}

// lockWaiting takes the lock as soon as it is free, and says so while it waits.
func lockWaiting(ctx context.Context, path string, stderr io.Writer) (*os.File, error) {
	start, said := time.Now(), time.Time{}
	poll := time.NewTicker(200 * time.Millisecond)
	defer poll.Stop()
	for {
		lock, err := lockNow(path)
		if !errors.Is(err, errLocked) {
			return lock, err
		}
		if time.Since(said) >= heartbeat {
			said = time.Now()
			fmt.Fprintf(stderr, "controlplane: another process is building (lock %s), waiting; %s so far\n",
				path, time.Since(start).Round(time.Second))
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("waiting for another build: %w", ctx.Err())
		case <-poll.C:
		}
	}
}
