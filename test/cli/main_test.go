// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package cli tests the plugin `kubectl course` as people use it: as a program, against a real control plane with both
// programs running, with the rights of the roles that config/rbac ships.
package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/test/cluster"
	"github.com/lxp-dev/course-completion-operator/test/system"
)

const (
	// soon bounds what the operator does by itself. Only a failure takes so long: the machine may be slow and busy.
	soon = 3 * time.Minute
	// often is how often a condition is looked at.
	often = 100 * time.Millisecond
)

// What all tests share. Each test has institutions and users of its own, so that they can run side by side.
var (
	operator *system.System
	plane    *cluster.Cluster
	admin    client.WithWatch
	// plugin is the program under test; scratch is a folder for credentials.
	plugin, scratch string
)

func TestMain(m *testing.M) { os.Exit(run(m)) }

// run returns the exit code, after everything that was started has been stopped.
func run(m *testing.M) (code int) {
	ctx, release := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer release()
	dir, err := os.MkdirTemp("", "cli-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	stop, err := start(ctx, dir)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	finished := make(chan struct{})
	defer close(finished)
	go func() {
		select {
		case <-finished:
		case <-ctx.Done():
			fmt.Fprintln(os.Stderr, "interrupted:", stop())
			os.Exit(130)
		}
	}()
	code = m.Run()
	if code != 0 {
		for _, program := range operator.Programs() {
			fmt.Fprintf(os.Stderr, "the end of the log of %s:\n%s\n", program.Name, program.LogTail())
		}
	}
	if err := stop(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

func start(ctx context.Context, dir string) (stop func() error, err error) {
	scratch = dir
	bin := filepath.Join(dir, "bin")
	if err := system.Build(ctx, bin, os.Stderr); err != nil {
		return nil, err
	}
	if plugin, err = system.BuildPlugin(ctx, bin, os.Stderr); err != nil {
		return nil, err
	}
	if plane, err = cluster.Start(ctx, cluster.Options{}); err != nil {
		return nil, err
	}
	if admin, err = system.NewClient(plane.AdminConfig()); err == nil {
		operator, err = system.Start(ctx, plane, system.Options{
			Dir: dir, Bin: bin, WebhookServerArgs: []string{"--failed-authentications-per-minute=0"}, Replicas: 2,
		})
	}
	if err != nil {
		return nil, errors.Join(err, plane.Stop())
	}
	return func() error { return errors.Join(operator.Stop(), plane.Stop()) }, nil
}
