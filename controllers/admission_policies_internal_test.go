// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/go-logr/logr/testr"
	. "github.com/onsi/gomega"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/internal/apply"
)

// answering answers every read with the same error.
type answering struct{ err error }

func (a answering) Get(context.Context, client.ObjectKey, client.Object, ...client.GetOption) error {
	return a.err
}

func (a answering) List(context.Context, client.ObjectList, ...client.ListOption) error { return a.err }

// That they are in place is shown by the test of the whole system.
func TestMissingAdmissionPoliciesAreTold(t *testing.T) {
	g := NewWithT(t)
	missing := apierrors.NewNotFound(schema.GroupResource{}, "")
	clock := clocktesting.NewFakePassiveClock(time.Now())
	for _, tc := range []struct {
		err  error
		want float64
	}{{missing, 0}, {apierrors.NewForbidden(schema.GroupResource{}, "", nil), 0}, {errors.New("away"), 0.5}} {
		policies, err := newAdmissionPolicies(prometheus.NewRegistry(),
			apply.NewOwnerLabel(answering{tc.err}, clock), testr.New(t))
		g.Expect(err).NotTo(HaveOccurred())
		for _, name := range apply.AdmissionPolicies {
			policies.gauge.WithLabelValues(name).Set(0.5)
		}
		policies.look(t.Context())
		for _, name := range apply.AdmissionPolicies {
			var got dto.Metric
			g.Expect(policies.gauge.WithLabelValues(name).Write(&got)).To(Succeed())
			g.Expect(got.GetGauge().GetValue()).To(Equal(tc.want), "%s: %v", name, tc.err)
		}
	}
}
