/*
Copyright 2026 The Course Completion Operator Authors.

Licensed under the Apache License, Version 2.0 (the "License");
you may not use this file except in compliance with the License.
You may obtain a copy of the License at

    http://www.apache.org/licenses/LICENSE-2.0

Unless required by applicable law or agreed to in writing, software
distributed under the License is distributed on an "AS IS" BASIS,
WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
See the License for the specific language governing permissions and
limitations under the License.
*/

package controllers

import (
	"context"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/lxp-dev/course-completion-operator/internal/apply"
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
	gauge, err := registeredGauge(registry, "completion_admission_policy_in_place",
		"1 while an admission policy of the installation refuses what it is there for, otherwise 0.", "policy")
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
			a.log.V(1).Info("Could not look at an admission policy", "policy", name, "reason", err.Error())
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
			a.log.Error(nil, "An admission policy is not in place: apply config/admission again", "policy", name,
				"reason", reason)
		default:
			a.log.Info("An admission policy is in place again", "policy", name)
		}
		a.reasons[name] = reason
	}
}
