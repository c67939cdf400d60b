// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/lxp-dev/course-completion-operator/internal/apply"
	"github.com/lxp-dev/course-completion-operator/internal/kube"
)

// admissionInterval is how often the leader looks whether the admission policies are in place: nothing else tells when
// somebody has removed one.
const admissionInterval = time.Minute

// admissionPolicies shows to Prometheus and in the log whether the admission policies of the installation are in place.
type admissionPolicies struct {
	label *apply.OwnerLabel
	log   logr.Logger
	gauge *prometheus.GaugeVec
	// reasons has why each of them refuses nothing, as it was logged last.
	reasons map[string]string
}

func newAdmissionPolicies(
	registry prometheus.Registerer, label *apply.OwnerLabel, log logr.Logger,
) (*admissionPolicies, error) {
	gauge, err := kube.RegisterGauge(registry, "completion_admission_policy_in_place",
		"1 while an admission policy of the installation is in force, otherwise 0.", "policy")
	if err != nil {
		return nil, err
	}
	return &admissionPolicies{label: label, log: log, gauge: gauge, reasons: map[string]string{}}, nil
}

// Start looks until the manager ends.
func (a *admissionPolicies) Start(ctx context.Context) error {
	wait.UntilWithContext(ctx, a.look, admissionInterval)
	return nil
}

func (a *admissionPolicies) look(ctx context.Context) {
	for _, name := range apply.AdmissionPolicies {
		reason, err := a.label.MissingAdmission(ctx, name)
		if err != nil {
			// What was seen last stands. That the API server is away is told elsewhere.
			a.log.V(1).Info("Could not check admission policy", "policy", name, "reason", err.Error())
			continue
		}
		inPlace := float64(1)
		if reason != "" {
			inPlace = 0
		}
		a.gauge.WithLabelValues(name).Set(inPlace)
		switch {
		case reason == a.reasons[name]:
		case reason != "":
			a.log.Error(nil, "Admission policy is not in place, apply config/admission again", "policy", name,
				"reason", reason)
		default:
			a.log.Info("Admission policy is in place again", "policy", name)
		}
		a.reasons[name] = reason
	}
}
