// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Command faults runs the real programs, two webhook servers and a controller-manager on a real control plane, under a
// steady load of deliveries, and lets things go wrong at random instants: programs die or stop, disks are full, clocks
// are set. After each round everything that was acknowledged has to be stored exactly once with the newest content, and
// what policies grant has to be granted. docs/faults.md says how to use it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

// maxSeed keeps seeds short enough to type.
const maxSeed = 999_999

// ownMountsVariable says that this process may mount what it likes.
const ownMountsVariable = "FAULTS_OWN_MOUNTS"

func main() {
	c := &campaign{out: os.Stdout}
	flag.Uint64Var(&c.seed, "seed", 0, "chooses the faults and the deliveries; 0 takes one at random")
	flag.IntVar(&c.first, "first", 0, "the number of the first round, to see one again")
	flag.IntVar(&c.rounds, "rounds", 0, "end after so many rounds; 0 for no bound")
	flag.DurationVar(&c.duration, "duration", 0, "begin no round after this time; 0 for no bound")
	flag.IntVar(&c.grantsEvery, "grants-every", 5, "check the grants after each so many rounds")
	flag.IntVar(&c.schoolsEvery, "institutions-every", 10, "make new institutions after each so many rounds")
	flag.TextVar(&c.start, "start", time.Time{},
		"the time of the first deliveries, as in 2026-03-01T12:00:00Z (default: a day before now)")
	logs := flag.String("logs", "", "the folder for logs and data, kept (default: a temporary one, kept after a failure)")
	flag.Parse()
	if flag.NArg() > 0 || c.rounds < 0 || c.duration < 0 || c.grantsEvery < 1 || c.schoolsEvery < 1 {
		fmt.Fprintln(os.Stderr, "faults: takes no arguments, no negative bounds, and at least 1 for every ...-every")
		os.Exit(2)
	}
	if c.rounds == 0 && c.duration == 0 {
		c.rounds = 20
	}
	if c.seed == 0 {
		c.seed = rand.Uint64N(maxSeed) + 1
	}
	if os.Geteuid() == 0 && os.Getenv(ownMountsVariable) == "" && ownMounts() != nil {
		os.Exit(runWithOwnMounts(c.seed))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	if err := execute(ctx, c, *logs); err != nil {
		fmt.Fprintf(os.Stderr, "\nfaults: %v\n", err)
		os.Exit(1)
	}
}

// runWithOwnMounts runs this program once more where it may mount small file systems that go away with it.
func runWithOwnMounts(seed uint64) int {
	self, err := os.Executable()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	cmd := exec.Command(self, append(os.Args[1:], fmt.Sprintf("--seed=%d", seed))...)
	cmd.Env = append(os.Environ(), ownMountsVariable+"=1")
	cmd.Stdout, cmd.Stderr, cmd.SysProcAttr = os.Stdout, os.Stderr, ownMounts()
	// A ctrl-C reaches the child as well; a SIGTERM is handed on.
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	if err := cmd.Start(); err != nil {
		fmt.Fprintln(os.Stderr, "faults: a process with mounts of its own:", err)
		return 1
	}
	go func() {
		for received := range signals {
			if received == syscall.SIGTERM {
				_ = cmd.Process.Signal(received)
			}
		}
	}()
	if err := cmd.Wait(); err != nil {
		return 1
	}
	return 0
}

// execute starts everything, runs the campaign and stops everything. The folder with the logs stays after a failure.
func execute(ctx context.Context, c *campaign, logs string) (err error) {
	dir := logs
	if dir == "" {
		if dir, err = os.MkdirTemp("", "faults-"); err != nil {
			return err
		}
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return err
	}
	c.began = time.Now()
	if c.start.IsZero() {
		c.start = c.began.AddDate(0, 0, -1)
	}
	c.start = c.start.UTC().Truncate(time.Second)
	c.say("seed %d, start %s; logs in %s", c.seed, c.start.Format(time.RFC3339), dir)
	c.world, err = startWorld(ctx, dir, os.Getenv(ownMountsVariable) != "")
	if err != nil {
		return err
	}
	err = c.run(ctx)
	c.report()
	err = errors.Join(err, c.world.stop())
	if err != nil {
		return fmt.Errorf("seed %d, logs in %s: %w", c.seed, dir, err)
	}
	if logs == "" {
		return os.RemoveAll(dir)
	}
	return nil
}
