// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/lxp-dev/course-completion-operator/test/system"
)

// awaitCaughtUp waits until the controller-manager leads and its loops have nothing left to do.
func (w *world) awaitCaughtUp(ctx context.Context) error {
	return system.WaitFor(ctx, settleTimeout, func(ctx context.Context) error {
		text, err := w.metrics.Read(ctx, w.system.ControllerManagerMetrics)
		if err != nil {
			return err
		}
		parser := expfmt.NewTextParser(model.UTF8Validation)
		families, err := parser.TextToMetricFamilies(strings.NewReader(text))
		if err != nil {
			return fmt.Errorf("reading the metrics: %w", err)
		}
		lead := false
		for _, metric := range families["leader_election_master_status"].GetMetric() {
			lead = lead || metric.GetGauge().GetValue() > 0
		}
		if !lead {
			return fmt.Errorf("the controller-manager does not lead")
		}
		depth, done := 0.0, 0.0
		for _, metric := range families["workqueue_depth"].GetMetric() {
			depth += metric.GetGauge().GetValue()
		}
		for _, metric := range families["controller_runtime_active_workers"].GetMetric() {
			depth += metric.GetGauge().GetValue()
		}
		for _, metric := range families["controller_runtime_reconcile_total"].GetMetric() {
			done += metric.GetCounter().GetValue()
		}
		if depth > 0 || done == 0 {
			return fmt.Errorf("the loops have %.0f to do and have done %.0f", depth, done)
		}
		return nil
	})
}
