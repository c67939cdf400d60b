// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

// The program kubectl-course is the kubectl plugin `kubectl course`.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	_ "time/tzdata" // The zones of institutions must not depend on the machine.

	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/lxp-dev/course-completion-operator/internal/cli"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// A second ctrl-C ends at once.
	context.AfterFunc(ctx, stop)
	streams := genericiooptions.IOStreams{In: os.Stdin, Out: os.Stdout, ErrOut: os.Stderr}
	code := cli.Run(ctx, cli.NewCommand(streams), os.Args[1:])
	stop()
	os.Exit(code)
}
