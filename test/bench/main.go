// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Command bench measures the intake against references that it takes in the same run, on the same machine, with the
// load generator beside it, and prints one table: figure, reference, ratio. Figures and references take turns, so that
// a machine that gets slower or busier does so for both. docs/benchmark.md says what is measured and how.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"slices"
	"strings"
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
	// singles are the deliveries of one run that are sent one at a time; settled the completions, and granted the people
	// of one run under load.
	singles, settled, granted int
	// seats are those of a pool that twice as many people want.
	seats int
	// perPerson are the completions of somebody who has many, and institutions are how many there are.
	perPerson, institutions int
	// growth are how many completions are stored when one more is measured, as one of so many. Beyond bulk at a time they
	// are stored raw.
	growth           []int
	growthStep, bulk int
	// grants are stored raw, each with a namespace and what is in it.
	grants int
	// limit bounds everything together.
	limit time.Duration
	// figures are those that are measured where none are named; empty for all.
	figures string
}

var (
	full = size{
		runs: 5, stored: 3000, away: 6000, burst: 50_000, raw: 8000, singles: 40, settled: 2000, granted: 300,
		seats: 1000, perPerson: 200, institutions: 500, growth: []int{1000, 10_000}, growthStep: 1000, bulk: 10_000,
		limit: 90 * time.Minute,
	}
	// large is what a cluster has after years. Its figures are those that grow with what is stored.
	large = size{
		runs: 1, singles: 20, settled: 2000, granted: 300, seats: 5000, growth: []int{1000, 100_000}, growthStep: 1000,
		bulk: 10_000, grants: 10_000, limit: 3 * time.Hour,
		figures: "stock,edit,growth,restart,relist",
	}
	short = size{
		runs: 1, stored: 64, away: 256, burst: 512, raw: 64, singles: 3, settled: 40, granted: 10,
		seats: 10, perPerson: 5, institutions: 3, growth: []int{20, 60}, growthStep: 20, bulk: 20, grants: 3,
		limit: 10 * time.Minute,
	}
)

// burstRuns is how often the burst is measured: each takes over a minute.
const burstRuns = 3

// gcPercent is how much the memory of the load generator may grow before it is collected.
const gcPercent = 800

func main() {
	if path := os.Getenv(groupCommitVariable); path != "" {
		os.Exit(serveGroupCommits(path))
	}
	quick := flag.Bool("short", false, "measure a little of everything: a functional check, not a measurement")
	which := flag.String("size", "full", "how much is stored: full, or large (10,000 Grants and 100,000 completions)")
	only := flag.String("only", "", "measure only these figures, separated by commas: "+strings.Join(names(), ", "))
	runs := flag.Int("runs", 0, "how often each figure is measured; 0 for the default")
	address := flag.String("pprof-address", "0",
		"address at which the controller-manager serves profiles, such as 127.0.0.1:6060; 0 for none")
	profiles := flag.String("profiles", "", "folder for profiles of both programs and the API server under each load")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	// Every delivery is remembered. Going through all of them time and again would take the processor from what is
	// measured.
	debug.SetGCPercent(gcPercent)
	chosen, found := map[string]size{"full": full, "large": large}[*which]
	if !found {
		fmt.Fprintf(os.Stderr, "bench: --size is %q: use full or large\n", *which)
		os.Exit(2)
	}
	if *quick {
		chosen = short
	}
	if *runs > 0 {
		chosen.runs = *runs
	}
	chosen.figures = cmp.Or(*only, chosen.figures)
	table, err := bench(ctx, chosen, profiling{dir: *profiles, address: *address}, os.Stdout)
	if table != nil {
		table.print(os.Stdout)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "bench: %v\n", err)
		os.Exit(1)
	}
}

// figure is one thing that is measured.
type figure struct {
	name string
	// running is whether the controller-manager has to run.
	running bool
	run     func(*world, context.Context, size, *table) error
}

func (f *figure) measure(ctx context.Context, w *world, s size, t *table) error {
	w.figure = f.name
	if f.running && w.system.ControllerManager.PID() == 0 {
		if err := w.system.ControllerManager.Start(ctx); err != nil {
			return err
		}
	}
	return f.run(w, ctx, s, t)
}

// figures are all, in the order in which they are measured: some need what one before has left.
var figures = []figure{
	{"stored", false, (*world).measureStored},
	{"away", false, (*world).measureAway},
	{"burst", false, (*world).measureBurst},
	{"access", true, (*world).measureAccess},
	{"settled", true, (*world).measureSettled},
	{"granted", true, (*world).measureGranted},
	{"stock", true, (*world).measureStock},
	{"policies", true, (*world).measurePolicyEvents},
	{"edit", true, (*world).measureEdit},
	{"flood", true, (*world).measureFlood},
	{"claims", true, (*world).measureClaims},
	{"many", true, (*world).measureMany},
	{"growth", true, (*world).measureGrowth},
	{"restart", true, (*world).measureRestart},
	{"relist", true, (*world).measureRelist},
	{"revocation", true, (*world).measureRevocation},
	{"retention", true, (*world).measureRetention},
}

func names() []string {
	var names []string
	for _, f := range figures {
		names = append(names, f.name)
	}
	return names
}

// choose returns the figures of some names, all without any.
func choose(only string) ([]figure, error) {
	if only == "" {
		return figures, nil
	}
	wanted := strings.Split(only, ",")
	for _, name := range wanted {
		if !slices.Contains(names(), name) {
			return nil, fmt.Errorf("--only: unknown figure %q: use one or more of %s", name, strings.Join(names(), ", "))
		}
	}
	return slices.DeleteFunc(slices.Clone(figures), func(f figure) bool { return !slices.Contains(wanted, f.name) }), nil
}

// bench measures everything. The table has what was measured before an error.
func bench(ctx context.Context, s size, profiles profiling, out io.Writer) (t *table, err error) {
	ctx, cancel := context.WithTimeout(ctx, s.limit)
	defer cancel()
	say := progress(out)
	say("building the programs and starting the control plane")
	world, err := startWorld(ctx, profiles)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, world.stop()) }()
	world.say = say
	t = &table{began: time.Now()}
	chosen, err := choose(s.figures)
	if err != nil {
		return nil, err
	}
	for _, figure := range chosen {
		if err := figure.measure(ctx, world, s, t); err != nil {
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
