// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package clockoffset is a clock that somebody else can set while a program runs, as an administrator or a time server
// sets that of a machine. Programs have it only when they are built with the tag clockoffset, for the fault tests.
package clockoffset

import (
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
	"unsafe"

	"k8s.io/utils/clock"
)

// FileVariable names the environment variable with the path of the file that sets the clock: seconds, as an integer,
// that it is ahead of the machine's. Without it, without the file or with anything else in it, the clock is right.
const FileVariable = "COMPLETION_CLOCK_OFFSET_FILE"

// readEvery bounds how often the file is read.
const readEvery = 20 * time.Millisecond

// Clock shows a wall clock that may be wrong. Timers and durations are right all the same, as they are on a machine
// whose clock is set: they go by its monotonic clock.
type Clock struct {
	clock.RealClock
	path string

	mu     sync.Mutex
	read   time.Time
	offset int64
}

var _ clock.WithTicker = &Clock{}

// FromEnvironment returns the clock that the environment asks for.
func FromEnvironment() *Clock { return New(os.Getenv(FileVariable)) }

// New returns a clock that is set by a file.
func New(path string) *Clock { return &Clock{path: path} }

// Now returns the time that the wrong clock shows.
func (c *Clock) Now() time.Time {
	now := time.Now()
	return shift(now, c.ahead(now))
}

// ahead returns what the file says.
func (c *Clock) ahead(now time.Time) int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.read.IsZero() || now.Sub(c.read) >= readEvery {
		c.read, c.offset = now, 0
		if content, err := os.ReadFile(c.path); err == nil {
			if seconds, err := strconv.ParseInt(strings.TrimSpace(string(content)), 10, 32); err == nil {
				c.offset = seconds
			}
		}
	}
	return c.offset
}

// shift sets the wall clock of a time forward and leaves its monotonic reading alone, which is what happens to the
// times of a program when its machine's clock is set. Time.Add would move both, and every duration across the step
// would be wrong, which no real step makes it.
func shift(t time.Time, seconds int64) time.Time {
	const (
		hasMonotonic    = 1 << 63
		nanosecondsBits = 30
	)
	// A time with a monotonic reading has its seconds, since 1885, above its nanoseconds in the first word.
	wall := (*uint64)(unsafe.Pointer(&t))
	if *wall&hasMonotonic == 0 {
		return t.Add(time.Duration(seconds) * time.Second)
	}
	*wall += uint64(seconds) << nanosecondsBits
	return t
}
