// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Command run starts the whole operator on a real control plane: it installs config/default, runs both programs with
// the rights of their ServiceAccounts, applies config/samples, posts the contract's example and shows what comes of it.
// It stays up until ctrl-C; with --demo it checks what came out, tears everything down and exits 0 or 1.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	demo := flag.Bool("demo", false, "check what a delivery grants, tear everything down, exit with 0 or 1")
	flag.Parse()
	if flag.NArg() > 0 {
		fmt.Fprintf(os.Stderr, "run: takes no arguments, got %q\n", flag.Args())
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	// A second ctrl-C ends at once; what was started ends with this process.
	context.AfterFunc(ctx, stop)
	// Whoever started it may hand on nothing but a ctrl-C (make, go run), so that its end is a sign to go too.
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go cancelWithParent(ctx, cancel)
	os.Exit(run(ctx, *demo))
}

// run returns the exit code. A ctrl-C is how `make run` ends, and a failure of `make demo`.
func run(ctx context.Context, demo bool) int {
	err := operate(ctx, demo)
	switch {
	case err == nil:
		return 0
	case ctx.Err() != nil && !demo && errors.Is(err, context.Canceled):
		return 0
	default:
		fmt.Fprintf(os.Stderr, "\nrun: %v\n", err)
		return 1
	}
}

// operate starts everything, does what was asked for, and stops everything.
func operate(ctx context.Context, demo bool) (err error) {
	began := time.Now()
	s, err := start(ctx, demo)
	if err != nil {
		return err
	}
	defer func() {
		say("stopping")
		err = errors.Join(err, s.stop())
	}()
	// A program that dies ends whatever is being waited for.
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	go s.watch(ctx, fail)
	if demo {
		err = s.demonstrate(ctx)
		if err == nil {
			say("all checks passed in %s", time.Since(began).Round(100*time.Millisecond))
		}
	} else {
		err = s.present(ctx, began)
	}
	if cause := context.Cause(ctx); cause != nil && !errors.Is(err, cause) {
		err = errors.Join(cause, err)
	}
	return err
}

// cancelWithParent cancels when the process that started this one is gone.
func cancelWithParent(ctx context.Context, cancel context.CancelFunc) {
	parent := os.Getppid()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if os.Getppid() != parent {
				cancel()
				return
			}
		}
	}
}

func say(format string, args ...any) {
	fmt.Printf("==> "+format+"\n", args...)
}
