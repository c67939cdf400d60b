// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"

	"github.com/lxp-dev/course-completion-operator/test/cluster"
)

// measureGrowth measures what one more completion costs the processor, of the controller-manager and of the API server,
// as more and more are stored.
func (w *world) measureGrowth(ctx context.Context, s size, t *table) error {
	w.say("CPU per completion with %v stored", s.growth)
	tenant, err := w.openTenant(ctx)
	if err != nil {
		return err
	}
	if err := tenant.applyPolicy(ctx, "lab", tenant.lab()); err != nil {
		return err
	}
	var first float64
	for i, stored := range s.growth {
		if err := tenant.growTo(ctx, stored, s.bulk, t); err != nil {
			return err
		}
		cost, err := tenant.costOfMore(ctx, s.growthStep)
		if err != nil {
			return err
		}
		w.say("with %d stored: %.2f ms per completion", stored, cost)
		if i == 0 {
			first = cost
			continue
		}
		t.atMost(fmt.Sprintf("CPU per completion, %d stored", stored), fmt.Sprintf("%.2f ms", cost),
			fmt.Sprintf("%.2f ms with %d", first, s.growth[0]), cost/first, 1.3)
	}
	t.note("CPU per completion: user and system time of controller-manager and API server, over %d more completions, "+
		"until each has its status", s.growthStep)
	return nil
}

// growTo has the tenant have so many completions that grant nothing.
func (t *tenant) growTo(ctx context.Context, stored, bulk int, table *table) error {
	more := stored - t.enrollments
	switch {
	case more <= 0:
		return nil
	case more > bulk:
		return t.stock(ctx, idle, more, table)
	}
	_, err := t.settle(ctx, more)
	return err
}

// costOfMore returns the CPU time of one of n more completions, in milliseconds.
func (t *tenant) costOfMore(ctx context.Context, n int) (float64, error) {
	if _, err := t.w.awaitQuiet(ctx); err != nil {
		return 0, err
	}
	spent := func() float64 {
		return cpuSeconds(t.w.plane.PID(cluster.APIServer)) + cpuSeconds(t.w.system.ControllerManager.PID())
	}
	before := spent()
	if _, err := t.settle(ctx, n); err != nil {
		return 0, err
	}
	return (spent() - before) * 1000 / float64(n), nil
}
