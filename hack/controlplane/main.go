// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Command controlplane builds a Kubernetes control plane (etcd, kube-apiserver, kube-controller-manager, kubectl)
// from Go modules and runs it on loopback, for tests, demos and benchmarks.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"
	"time"
)

const usage = `usage: controlplane <command> [flags]

  build  build what is missing into the cache folder and print that folder
  start  start the control plane, print one JSON line when it is ready, take JSON commands on stdin
  clean  remove the builds of other versions from the cache folder

controlplane <command> -h lists the flags of a command.
`

func main() {
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run returns the exit code: 0 also when a signal or the end of stdin stopped a control plane, 1 on an error,
// 2 on wrong usage.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	if len(args) == 0 {
		fmt.Fprint(stderr, usage)
		return 2
	}
	// A reader that went away must not kill this process before it has cleaned up: with a handler, writes to a
	// broken pipe return EPIPE. (signal.Ignore would be inherited by the parts.)
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	var err error
	switch args[0] {
	case "build":
		err = runBuild(ctx, args[1:], stdout, stderr)
	case "start":
		err = runStart(ctx, args[1:], stdin, stdout, stderr)
	case "clean":
		err = runClean(args[1:], stderr)
	case reapCommand:
		err = reap(stdin)
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

func runBuild(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags := newFlagSet("build", stderr)
	cache := flags.String("cache", "", "cache folder (default $CONTROLPLANE_CACHE, else in the user's cache folder)")
	if err := parse(flags, args); err != nil {
		return err
	}
	release, err := newRelease(*cache)
	if err != nil {
		return err
	}
	if err := release.build(ctx, stderr); err != nil {
		return err
	}
	_, err = fmt.Fprintln(stdout, release.dir)
	return err
}

func runStart(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) error {
	flags := newFlagSet("start", stderr)
	cache := flags.String("cache", "", "cache folder (default $CONTROLPLANE_CACHE, else in the user's cache folder)")
	dir := flags.String("dir", "", "absolute path of the state folder, removed at the end (default a temporary folder)")
	auditLevel := flags.String("audit-level", "None", "audit level: None, Metadata, Request or RequestResponse")
	buildFirst := flags.Bool("build", false, "build what is missing first")
	foreground := flags.Bool("foreground", false, "ignore stdin; run until SIGINT, SIGTERM or SIGHUP")
	timeout := flags.Duration("timeout", 2*time.Minute, "how long one part may take to become ready")
	if err := parse(flags, args); err != nil {
		return err
	}
	if !slices.Contains(auditLevels, *auditLevel) {
		return fmt.Errorf("--audit-level %q is none of %v", *auditLevel, auditLevels)
	}
	if *dir != "" && !filepath.IsAbs(*dir) {
		return fmt.Errorf("--dir %q is relative: give an absolute path (go run -C changes the working folder)", *dir)
	}
	release, err := newRelease(*cache)
	if err != nil {
		return err
	}
	session := &session{stdout: stdout, stderr: stderr}
	if !*foreground {
		// Reading starts before the build, so that the death of our parent also ends a long build.
		ctx = session.readCommands(ctx, stdin)
	}
	if *buildFirst {
		err = release.build(ctx, stderr)
	} else {
		err = release.check()
	}
	if err == nil {
		err = session.run(ctx, release, options{dir: *dir, auditLevel: *auditLevel, timeout: *timeout})
	}
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return nil
	}
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
