// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package e2e tests the whole way of a delivery: on a real control plane, with both programs as processes that have
// the rights of their ServiceAccounts and no others.
package e2e

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
	"github.com/lxp-dev/course-completion-operator/test/otlp"
	"github.com/lxp-dev/course-completion-operator/test/system"
)

const (
	// soon bounds what the operator does by itself. Only a failure takes so long: the machine may be slow and busy.
	soon = 3 * time.Minute
	// eventually bounds what waits for the control plane's controllers, a leader election or a retry with backoff.
	eventually = 5 * time.Minute
	// often is how often a condition is looked at. Looking more often makes the API server slower, and nothing faster.
	often = 100 * time.Millisecond
	// aWhile is how long something that must not happen has the time to.
	aWhile = 2 * time.Second
	// logEverything has the programs say as much as they can be asked to, so that what must not be in the logs is looked
	// for where it is most likely.
	logEverything = "--zap-log-level=7"
)

// What all tests share. They run one after the other, since some of them take things away.
var (
	operator  *system.System
	collector *otlp.Collector
	plane     *cluster.Cluster
	// auditLog is the file with the audit records of the webhook server.
	auditLog string
	admin    client.WithWatch
)

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

// run returns the exit code, after everything that was started has been stopped.
func run(m *testing.M) int {
	ctx, release := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer release()
	dir, err := os.MkdirTemp("", "e2e-")
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
	code := m.Run()
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
	bin := filepath.Join(dir, "bin")
	auditLog = filepath.Join(dir, "audit.jsonl")
	if err := system.Build(ctx, bin, os.Stderr); err != nil {
		return nil, err
	}
	if collector, err = otlp.Start(); err != nil {
		return nil, err
	}
	if plane, err = cluster.Start(ctx, cluster.Options{AuditLevel: cluster.AuditMetadata}); err != nil {
		return nil, err
	}
	if admin, err = system.NewClient(plane.AdminConfig()); err == nil {
		operator, err = system.Start(ctx, plane, system.Options{
			Dir: dir, Bin: bin, Args: []string{logEverything, "--otlp-endpoint=" + collector.URL()},
			// All tests together fail more often than an address may.
			WebhookServerArgs: []string{"--failed-authentications-per-minute=0", "--audit-log=" + auditLog},
		})
	}
	if err != nil {
		_ = plane.Stop()
		return nil, err
	}
	return func() error {
		stopped := errors.Join(operator.Stop(), collector.Stop())
		if err := plane.Stop(); err != nil {
			return err
		}
		return stopped
	}, nil
}
