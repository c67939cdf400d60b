// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Command controlplane builds a Kubernetes control plane (etcd, kube-apiserver, kube-controller-manager, kubectl)
// from Go modules; package test/cluster runs it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

const usage = `usage: controlplane <command> [flags]

  build  build what is missing into the cache folder and print that folder
  clean  remove the builds of other versions from the cache folder

controlplane <command> -h lists the flags of a command.
`

func main() {
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run returns the exit code: 1 on an error, 2 on wrong usage.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	if len(args) == 0 {
		fmt.Fprint(stderr, usage)
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	var err error
	switch args[0] {
	case "build":
		err = runBuild(ctx, args[1:], stdin, stdout, stderr)
	case "clean":
		err = runClean(args[1:], stderr)
	default:
		fmt.Fprintf(stderr, "controlplane: unknown command %q\n%s", args[0], usage)
		return 2
	}
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return 0
	default:
		fmt.Fprintf(stderr, "controlplane: %v\n", err)
		return 1
	}
}

func runBuild(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) error {
	flags := newFlagSet("build", stderr)
	cache := flags.String("cache", "", "cache folder (default $CONTROLPLANE_CACHE, else in the user's cache folder)")
	untilStdinEnds := flags.Bool("until-stdin-ends", false, "give up when stdin ends, as it does with the caller")
	if err := parse(flags, args); err != nil {
		return err
	}
	release, err := newRelease(*cache)
	if err != nil {
		return err
	}
	if *untilStdinEnds {
		var cancel context.CancelFunc
		ctx, cancel = context.WithCancel(ctx)
		go func() {
			defer cancel()
			_, _ = io.Copy(io.Discard, stdin)
		}()
	}
	if err := release.build(ctx, stderr); err != nil {
		return err
	}
	_, err = fmt.Fprintln(stdout, release.dir)
	return err
}

func runClean(args []string, stderr io.Writer) error {
	flags := newFlagSet("clean", stderr)
	cache := flags.String("cache", "", "cache folder (default $CONTROLPLANE_CACHE, else in the user's cache folder)")
	if err := parse(flags, args); err != nil {
		return err
	}
	release, err := newRelease(*cache)
	if err != nil {
		return err
	}
	return release.clean(stderr)
}

func newFlagSet(name string, stderr io.Writer) *flag.FlagSet {
	flags := flag.NewFlagSet("controlplane "+name, flag.ContinueOnError)
	flags.SetOutput(stderr)
	return flags
}

func parse(flags *flag.FlagSet, args []string) error {
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("%s takes no arguments, got %q", flags.Name(), flags.Args())
	}
	return nil
}
