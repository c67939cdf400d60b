// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Command bench measures the intake against references that it takes in the same run, on the same machine, with the
// load generator beside it, and prints one table: figure, reference, ratio. Figures and references take turns, so that
// a machine that gets slower or busier does so for both. docs/benchmark.md says what is measured and how.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"
)

// size says how much is measured.
type size struct {
	// runs is how often each figure and its reference are taken; the table shows medians.
	runs int
	// stored, away and burst are the deliveries of one run of a figure.
	stored, away, burst int
	// raw is how many objects a reference of the burst creates, before and after it.
	raw int
	// limit bounds everything together.
	limit time.Duration
}

var (
	full  = size{runs: 5, stored: 3000, away: 6000, burst: 50_000, raw: 8000, limit: 18 * time.Minute}
	short = size{runs: 1, stored: 64, away: 256, burst: 512, raw: 64, limit: 5 * time.Minute}
)

// burstRuns is how often the burst is measured: each takes over a minute.
const burstRuns = 3

// gcPercent is how much the memory of the load generator may grow before it is collected.
const gcPercent = 800

func main() {
	if path := os.Getenv(groupCommitVariable); path != "" {
		os.Exit(serveGroupCommits(path))
	}
	quick := flag.Bool("short", false, "take a few deliveries of everything: shows that it works, not how fast it is")
	only := flag.String("only", "", "measure one figure: stored, away or burst")
	runs := flag.Int("runs", 0, "how often each figure is taken; 0 for the usual number")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	// Every delivery is remembered. Going through all of them time and again would take the processor from what is
	// measured.
	debug.SetGCPercent(gcPercent)
	chosen := full
	if *quick {
		chosen = short
	}
	if *runs > 0 {
		chosen.runs = *runs
	}
	table, err := bench(ctx, chosen, *only, os.Stdout)
	if table != nil {
		table.print(os.Stdout)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "bench: %v\n", err)
		os.Exit(1)
	}
}

// bench measures everything. The table has what was measured before an error.
func bench(ctx context.Context, s size, only string, out io.Writer) (t *table, err error) {
	ctx, cancel := context.WithTimeout(ctx, s.limit)
	defer cancel()
	say := progress(out)
	say("building the programs and starting the control plane")
	world, err := startWorld(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, world.stop()) }()
	world.say = say
	t = &table{began: time.Now()}
	for _, figure := range []struct {
		name    string
		measure func(context.Context, size, *table) error
	}{
		{"stored", world.measureStored},
		{"away", world.measureAway},
		{"burst", world.measureBurst},
	} {
		if only != "" && only != figure.name {
			continue
		}
		if err := figure.measure(ctx, s, t); err != nil {
			return t, fmt.Errorf("%s: %w", figure.name, err)
		}
	}
	world.measureMemory(t)
	return t, nil
}

// progress returns what prints a line with the time since the start.
func progress(out io.Writer) func(format string, args ...any) {
	began := time.Now()
	return func(format string, args ...any) {
		fmt.Fprintf(out, "%6.1fs  %s\n", time.Since(began).Seconds(), fmt.Sprintf(format, args...))
	}
}
