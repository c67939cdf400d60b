// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package system

import (
	"context"
	"fmt"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// pollInterval is short enough to measure what should take less than a second.
const pollInterval = 10 * time.Millisecond

// The client library wants a logger before anything is logged; here errors are returned.
func init() { log.SetLogger(logr.Discard()) }

// NewClient returns a client without a cache for the built-in kinds and ours.
func NewClient(config *rest.Config) (client.WithWatch, error) {
	kinds := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{scheme.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(kinds); err != nil {
			return nil, fmt.Errorf("registering the kinds: %w", err)
		}
	}
	return client.NewWithWatch(config, client.Options{Scheme: kinds})
}

// WaitFor repeats a check until it returns nil. After the timeout it returns what the check said last.
func WaitFor(ctx context.Context, timeout time.Duration, check func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		err := check(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("not within %s: %w", timeout, err)
		}
	}
}
