// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"testing"
)

// exitInterrupted is what a shell reports for ctrl-C.
const exitInterrupted = 130

// Main is for TestMain: it starts a cluster, hands it to use, runs the tests, stops the cluster and returns the exit
// code. On SIGINT and SIGTERM it stops the cluster and exits at once. What a cluster leaves undone when it stops
// fails the tests.
//
//	func TestMain(m *testing.M) {
//		os.Exit(cluster.Main(m, cluster.Options{}, func(c *cluster.Cluster) { shared = c }))
//	}
func Main(m *testing.M, opts Options, use func(*Cluster)) int {
	ctx, release := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer release()
	c, err := Start(ctx, opts)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	ended := make(chan struct{})
	defer close(ended)
	go func() {
		select {
		case <-ended:
		case <-ctx.Done():
			if err := c.Stop(); err != nil {
				fmt.Fprintln(os.Stderr, err)
			}
			os.Exit(exitInterrupted)
		}
	}()
	// Runs also when use panics; then the panic goes on.
	defer func() { _ = c.Stop() }()
	use(c)
	code := m.Run()
	if err := c.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}
