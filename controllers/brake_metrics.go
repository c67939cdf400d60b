// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"errors"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// brakeGauges show the brakes to Prometheus. There is one series of each for every institution.
type brakeGauges struct{ held, tripped *prometheus.GaugeVec }

func newBrakeGauges(registry prometheus.Registerer) (*brakeGauges, error) {
	held, err := registeredGauge(registry, "completion_revocations_held",
		"Grants that keep what is to be taken away, because the brake of their institution has tripped.",
		"namespace", "institution")
	if err != nil {
		return nil, err
	}
	tripped, err := registeredGauge(registry, "completion_brake_tripped",
		"1 while the brake of an institution pauses revocations, otherwise 0.", "namespace", "institution")
	return &brakeGauges{held: held, tripped: tripped}, err
}

// registeredGauge registers a gauge, or returns the one that another manager in this process has registered.
func registeredGauge(
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

func (g *brakeGauges) set(institution client.ObjectKey, s *stance) {
	held, tripped := float64(0), float64(0)
	if s.to.Trip != "" {
		held, tripped = float64(s.held), 1
	}
	g.held.WithLabelValues(institution.Namespace, institution.Name).Set(held)
	g.tripped.WithLabelValues(institution.Namespace, institution.Name).Set(tripped)
}

func (g *brakeGauges) forget(institution client.ObjectKey) {
	g.held.DeleteLabelValues(institution.Namespace, institution.Name)
	g.tripped.DeleteLabelValues(institution.Namespace, institution.Name)
}
