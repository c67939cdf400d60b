// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package institution

import (
	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/internal/budget"
	"github.com/lxp-dev/course-completion-operator/internal/kube"
)

// BrakeGauges show the brakes to Prometheus. There is one series of each for every institution.
type BrakeGauges struct{ held, tripped *prometheus.GaugeVec }

// NewBrakeGauges registers the gauges.
func NewBrakeGauges(registry prometheus.Registerer) (*BrakeGauges, error) {
	held, err := kube.RegisterGauge(registry, "completion_revocations_held",
		"Grants with a revocation held back by the brake of their institution.",
		"namespace", "institution")
	if err != nil {
		return nil, err
	}
	tripped, err := kube.RegisterGauge(registry, "completion_brake_tripped",
		"1 while the brake of an institution pauses revocations, otherwise 0.", "namespace", "institution")
	return &BrakeGauges{held: held, tripped: tripped}, err
}

func (g *BrakeGauges) set(institution client.ObjectKey, s *budget.Transition) {
	held, tripped := float64(0), float64(0)
	if s.To.Trip != "" {
		held, tripped = float64(s.Held), 1
	}
	g.held.WithLabelValues(institution.Namespace, institution.Name).Set(held)
	g.tripped.WithLabelValues(institution.Namespace, institution.Name).Set(tripped)
}

func (g *BrakeGauges) forget(institution client.ObjectKey) {
	g.held.DeleteLabelValues(institution.Namespace, institution.Name)
	g.tripped.DeleteLabelValues(institution.Namespace, institution.Name)
}
