// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"errors"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

// RegisterGauge registers a gauge, or returns the one that another manager in this process has registered.
func RegisterGauge(
	registry prometheus.Registerer, name, help string, labels ...string,
) (*prometheus.GaugeVec, error) {
	gauge := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, labels)
	err := registry.Register(gauge)
	if registered, ok := errors.AsType[prometheus.AlreadyRegisteredError](err); ok {
		if there, ok := registered.ExistingCollector.(*prometheus.GaugeVec); ok {
			return there, nil
		}
	}
	if err != nil {
		return nil, fmt.Errorf("register the metric %s: %w", name, err)
	}
	return gauge, nil
}
