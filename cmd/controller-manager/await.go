// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/go-logr/logr"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/diagnostics"
)

const (
	// awaitPause is how long it is between two questions whether the API is there, awaitTimeout how long one may take, and
	// awaitLog how long it is at least between two lines of the log that say it is not.
	awaitPause   = time.Second
	awaitTimeout = 5 * time.Second
	awaitLog     = 10 * time.Second
)

// awaiting waits for an API. The manager asks it for our kinds before it runs, and ends if there is no answer. What
// ends again and again is started later and later, and would come back minutes after a long outage.
type awaiting struct {
	log   logr.Logger
	clock clock.WithTicker
	// healthAddress is where /healthz is served meanwhile; empty or 0 serves none.
	healthAddress string
	kinds         []string
	discovery     *discovery.DiscoveryClient
}

func newAwaiting(config *rest.Config, scheme *runtime.Scheme, health string, log logr.Logger) (*awaiting, error) {
	config = rest.CopyConfig(config)
	config.Timeout = awaitTimeout
	asking, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("create discovery client: %w", err)
	}
	a := &awaiting{log: log, clock: clock.RealClock{}, healthAddress: health, discovery: asking}
	known := scheme.KnownTypes(v1alpha1.GroupVersion)
	for kind := range known {
		if _, ok := known[kind+"List"]; ok {
			a.kinds = append(a.kinds, kind)
		}
	}
	slices.Sort(a.kinds)
	return a, nil
}

// run returns once the API serves our kinds, or ctx ends. It is an error when the probes cannot be served.
func (a *awaiting) run(ctx context.Context) error {
	missing := a.ask(ctx)
	if missing == nil {
		return nil
	}
	stop, err := a.serveProbes(ctx)
	if err != nil {
		return err
	}
	defer stop()
	tick := a.clock.NewTicker(awaitPause)
	defer tick.Stop()
	began := a.clock.Now()
	for logged := (time.Time{}); missing != nil; {
		if a.clock.Since(logged) >= awaitLog {
			logged = a.clock.Now()
			a.log.Info("Waiting for the API server", "reason", missing.Error(), "waited", a.clock.Since(began).String())
		}
		select {
		case <-tick.C():
			missing = a.ask(ctx)
		case <-ctx.Done():
			return nil
		}
	}
	a.log.Info("API server is available", "waited", a.clock.Since(began).String())
	return nil
}

// ask returns what the API lacks, nil for nothing.
func (a *awaiting) ask(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, awaitTimeout)
	defer cancel()
	version := v1alpha1.GroupVersion.String()
	served, err := a.discovery.ServerResourcesForGroupVersionWithContext(ctx, version)
	if err != nil {
		return fmt.Errorf("discover %s: %w", version, err)
	}
	missing := slices.DeleteFunc(slices.Clone(a.kinds), func(kind string) bool {
		return slices.ContainsFunc(served.APIResources, func(r metav1.APIResource) bool { return r.Kind == kind })
	})
	if len(missing) > 0 {
		return fmt.Errorf("the API server does not serve %s in %s: install the CRDs of this version",
			strings.Join(missing, ", "), version)
	}
	return nil
}

// serveProbes answers that the program is alive, and not ready, until stop is called. The manager's own probes have the
// same address.
func (a *awaiting) serveProbes(ctx context.Context) (stop func(), err error) {
	if diagnostics.None(a.healthAddress) {
		return func() {}, nil
	}
	probes := http.NewServeMux()
	probes.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	probes.HandleFunc("/readyz", func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "the API server is not available", http.StatusServiceUnavailable)
	})
	server, listener, err := diagnostics.Listen(ctx, a.healthAddress, probes, false)
	if err != nil {
		return nil, fmt.Errorf("listen on the health address: %w", err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			a.log.Error(err, "Could not serve probes")
		}
	}()
	return func() {
		// Whoever asks at this moment asks again.
		_ = server.Close()
		<-ended
	}, nil
}
