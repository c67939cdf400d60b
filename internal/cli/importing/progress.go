// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package importing

import (
	"fmt"
	"io"
	"strings"
	"time"

	"k8s.io/utils/clock"
)

// barWidth is how many characters a progress bar has.
const barWidth = 24

// refreshed is how often progress is shown.
const refreshed = 200 * time.Millisecond

// progress shows on a terminal how far an import is.
type progress struct {
	out   io.Writer
	clock clock.WithTicker
	began time.Time
	// total is how many rows there are; 0 where that is not known.
	total int
	// done returns how many rows are done.
	done func() int
}

// show refreshes the line until stop is closed.
func (p *progress) show(stop <-chan struct{}) {
	ticker := p.clock.NewTicker(refreshed)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C():
			fmt.Fprintf(p.out, "\r%s\x1b[K", p.line(p.done(), p.clock.Since(p.began)))
		case <-stop:
			fmt.Fprint(p.out, "\r\x1b[K")
			return
		}
	}
}

// line is what is shown after some time.
func (p *progress) line(done int, elapsed time.Duration) string {
	rate := float64(done) / max(elapsed.Seconds(), 1e-3)
	if p.total == 0 {
		return fmt.Sprintf("%d rows, %.0f a second", done, rate)
	}
	filled := min(done*barWidth/p.total, barWidth)
	text := fmt.Sprintf("[%s%s] %d of %d rows, %.0f a second", strings.Repeat("#", filled),
		strings.Repeat(".", barWidth-filled), done, p.total, rate)
	if done == 0 {
		return text
	}
	left := time.Duration(float64(p.total-done) / rate * float64(time.Second)).Round(time.Second)
	return text + ", " + left.String() + " left"
}
