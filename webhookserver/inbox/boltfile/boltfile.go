// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package boltfile is what bbolt does not do for a file that holds what nobody else has: it looks through all of the
// file before bbolt trusts it, waits for its lock, writes its meta pages again after a failed fsync, and turns the
// panics of bbolt into errors.
package boltfile

import (
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"syscall"
	"time"
)

var (
	// ErrForeign says that the file is something else than an inbox.
	ErrForeign = errors.New("the file is not an inbox")
	// ErrCorrupt says that the file is an inbox, and damaged.
	ErrCorrupt = errors.New("the inbox is damaged")
	// ErrLocked says that another process has the file open.
	ErrLocked = errors.New("another process has the inbox open")
)

// Lock takes the file for this process. bbolt locks it again, which changes nothing.
func Lock(file *os.File, wait time.Duration) error {
	const pause = 50 * time.Millisecond
	for left := wait; ; left -= pause {
		err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		switch {
		case err == nil:
			return nil
		case !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR):
			return fmt.Errorf("locking the inbox: %w", err)
		case left <= 0:
			return ErrLocked
		}
		<-time.After(pause)
	}
}

// RewriteMeta writes both meta pages again as they are. After a failed fsync the kernel may show a page that it has
// not written and never will: the next commit would then use pages again which, on the disk, are still in use.
func RewriteMeta(file *os.File) error {
	info, err := file.Stat()
	if err != nil {
		return err
	}
	meta, err := readMeta(file, info.Size())
	if err != nil {
		return err
	}
	pages := make([]byte, 2*meta.pageSize)
	if _, err := file.ReadAt(pages, 0); err != nil {
		return err
	}
	if _, err := file.WriteAt(pages, 0); err != nil {
		return err
	}
	return file.Sync()
}

// Guard turns a fault in reading the mapped file (the disk fails, somebody cuts the file off) and a panic of bbolt
// into an error.
func Guard(do func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if defect := recover(); defect != nil {
			err = fmt.Errorf("%w: %v", ErrCorrupt, defect)
		}
	}()
	return do()
}

// SizeOf returns how many bytes of the file a key with its value takes: its part of a page that holds as many of its
// size as fit. bbolt puts two at least into a page, which then has as many pages behind it as that needs.
func SizeOf(key, value int) int64 {
	const page, header = 4 << 10, pageHeaderBytes
	needs := int64(elementBytes + key + value)
	if fit := (page - header) / needs; fit >= 2 {
		return (page + fit - 1) / fit
	}
	pages := (header + 2*needs + page - 1) / page
	return pages * page / 2
}
