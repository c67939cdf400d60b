// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/sender"
	"github.com/lxp-dev/course-completion-operator/test/cluster"
	"github.com/lxp-dev/course-completion-operator/test/system"
)

const (
	// connections is how many deliveries, and how many raw creates, are under way at the same time.
	connections = 64
	// deliveryTimeout is far above what any delivery may take.
	deliveryTimeout = time.Minute
	// drainTimeout bounds how long an inbox may take to empty.
	drainTimeout = 5 * time.Minute
	// queryEvery is how often the metrics are read while the inbox empties.
	queryEvery = 250 * time.Millisecond
	// queueMetric is how many deliveries wait in the inbox.
	queueMetric = "completion_inbox_records"
)

// world is everything that runs.
type world struct {
	dir     string
	plane   *cluster.Cluster
	system  *system.System
	admin   client.WithWatch
	memory  *memory
	say     func(format string, args ...any)
	school  *system.Institution
	account *rest.Config
	metrics *system.MetricsReader
	// seeds and references count, so that every run has people and a namespace of its own.
	seeds, references, tenants int
	ledger                     sender.Ledger
	// figure is the name of the one that is measured.
	figure string
	// profiles says where profiles of the programs go.
	profiles profiling
	profiled []profiled
	// crowd is the tenant of measureGranted, which has many grants, and rawEdits is what an edit of them costs raw.
	crowd    *tenant
	rawEdits []float64
}

// startWorld starts a control plane and the webhook server, and leaves the controller-manager stopped once it has made
// the institution known, as the figures of the intake want it.
func startWorld(ctx context.Context, profiles profiling) (w *world, err error) {
	w = &world{profiles: profiles}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.stop())
		}
	}()
	if w.dir, err = os.MkdirTemp("", "bench-"); err != nil {
		return nil, err
	}
	bin := filepath.Join(w.dir, "bin")
	// With a clock that can be set, so that retention has something to do.
	if err := system.Build(ctx, bin, os.Stderr, "clockoffset"); err != nil {
		return nil, err
	}
	if w.plane, err = cluster.Start(ctx, cluster.Options{ContentionProfiling: profiles.dir != ""}); err != nil {
		return nil, err
	}
	if w.admin, err = system.NewClient(w.plane.AdminConfig()); err != nil {
		return nil, err
	}
	manager, server, err := profiles.arguments()
	if err != nil {
		return nil, err
	}
	options := system.Options{
		Dir: w.dir, Bin: bin, ClockDir: w.dir, ControllerManagerArgs: manager, WebhookServerArgs: server,
	}
	if w.system, err = system.Start(ctx, w.plane, options); err != nil {
		return nil, err
	}
	if profiles.dir != "" {
		if w.profiled, err = w.profiledPrograms(manager, server); err != nil {
			return nil, err
		}
	}
	if w.metrics, err = w.system.MetricsReader(ctx); err != nil {
		return nil, err
	}
	if w.school, err = w.system.OpenInstitution(ctx, w.admin, 7001); err != nil {
		return nil, err
	}
	if err := w.system.ControllerManager.Stop(); err != nil {
		return nil, err
	}
	w.account, err = w.plane.ServiceAccountConfig(ctx, system.Namespace, "completion-webhook-server")
	if err != nil {
		return nil, err
	}
	w.memory = watchMemory(w.system.WebhookServer)
	return w, nil
}

// stop ends everything and returns what was left undone.
func (w *world) stop() error {
	var failures []error
	if w.memory != nil {
		w.memory.stop()
	}
	if w.system != nil {
		failures = append(failures, w.system.Stop())
	}
	if w.plane != nil {
		failures = append(failures, w.plane.Stop())
	}
	if w.dir != "" {
		failures = append(failures, os.RemoveAll(w.dir))
	}
	return errors.Join(failures...)
}

// deliveries makes n new deliveries of people that no other run has. They are made before the clock starts, and what
// making them leaves behind is collected before it too.
func (w *world) deliveries(n int) (func() sender.Delivery, error) {
	w.seeds++
	generator, err := sender.NewGenerator(sender.Plan{
		Institutions: []sender.Institution{{ID: w.school.ID, URLs: w.school.URLs}},
		Courses:      []v1alpha1.PlatformID{123456},
		Seed:         uint64(w.seeds),
		Mix:          sender.Mix{sender.KindNew: 1},
		Start:        time.Now().UTC().AddDate(0, 0, -2),
	})
	if err != nil {
		return nil, err
	}
	made := make([]sender.Delivery, n)
	for i := range made {
		made[i] = generator.Next()
		made[i].Index += w.seeds * 10_000_000
	}
	runtime.GC()
	at := 0
	return func() sender.Delivery {
		at++
		return made[at-1]
	}, nil
}

// send sends n new deliveries over so many connections, at a rate or as fast as they go. That any of them is not
// acknowledged is an error.
func (w *world) send(ctx context.Context, n, over int, rate float64) (*sender.Report, error) {
	next, err := w.deliveries(n)
	if err != nil {
		return nil, err
	}
	report, err := sender.Run(ctx, next, sender.Options{
		Connections: over, Count: n, Rate: rate, Timeout: deliveryTimeout, Ledger: &w.ledger,
	})
	if err != nil {
		return nil, err
	}
	return report, report.Err()
}

// check compares everything that is stored with everything that was ever acknowledged.
func (w *world) check(ctx context.Context) error {
	return w.ledger.Await(ctx, w.admin, w.school.ID, w.school.Namespace, false, drainTimeout)
}

// awaitDrained waits until the inbox is empty. It asks rarely: on the same two cores each answer takes time from what
// is measured.
func (w *world) awaitDrained(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, drainTimeout)
	defer cancel()
	tick := time.NewTicker(queryEvery)
	defer tick.Stop()
	for {
		n, err := w.queued(ctx)
		if err != nil || n == 0 {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("%d deliveries still wait in the inbox after %s", n, drainTimeout)
		}
	}
}

// queued returns how many deliveries wait in the inbox.
func (w *world) queued(ctx context.Context) (int, error) {
	text, err := w.metrics.Read(ctx, w.system.WebhookServerMetrics)
	if err != nil {
		return 0, err
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(text))
	if err != nil {
		return 0, fmt.Errorf("reading the metrics: %w", err)
	}
	family := families[queueMetric]
	if family == nil || len(family.GetMetric()) != 1 {
		return 0, fmt.Errorf("the webhook server has no metric %s", queueMetric)
	}
	return int(family.GetMetric()[0].GetGauge().GetValue()), nil
}
