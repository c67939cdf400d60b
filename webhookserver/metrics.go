// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package webhookserver

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// instruments count what came of the calls. Their labels are fixed words; of what a sender chooses, only the slugs of
// events, and of those only so many.
type instruments struct {
	deliveries    *prometheus.CounterVec
	duration      *prometheus.HistogramVec
	unknownFields prometheus.Counter
	ignoredEvents *prometheus.CounterVec
	// rejected counts calls that were not let in, throttled those with good or bad credentials that came too fast.
	rejected      *prometheus.CounterVec
	throttled     *prometheus.CounterVec
	auditFailures prometheus.Counter
}

func newInstruments(registry prometheus.Registerer) (*instruments, error) {
	m := &instruments{
		deliveries: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "completion_deliveries_total",
			Help: "Calls to the webhook, by outcome and reason.",
		}, []string{"outcome", "reason"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "completion_delivery_duration_seconds",
			Help:    "Time from the header of a call to its answer, by outcome.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
		}, []string{"outcome"}),
		unknownFields: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "completion_delivery_unknown_fields_total",
			Help: "Fields of accepted deliveries that are not in the contract, and were ignored.",
		}),
		ignoredEvents: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "completion_ignored_events_total",
			Help: "Events other than activities.course.completed, by slug; other after the first 32 slugs.",
		}, []string{"slug"}),
		rejected: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "completion_rejected_authentications_total",
			Help: "Calls rejected at authentication, by reason: missing, malformed, differing, wrong, address.",
		}, []string{"reason"}),
		throttled: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "completion_throttled_total",
			Help: "Calls answered 429, by the exceeded limit: failures of an address, rate or concurrency of an institution.",
		}, []string{"limit"}),
		auditFailures: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "completion_audit_failures_total",
			Help: "Audit records that could not be written to the audit log, and went to the program's log.",
		}),
	}
	for _, collector := range []prometheus.Collector{
		m.deliveries, m.duration, m.unknownFields, m.ignoredEvents, m.rejected, m.throttled, m.auditFailures,
	} {
		if err := registry.Register(collector); err != nil {
			return nil, fmt.Errorf("registering the metrics of the webhook server: %w", err)
		}
	}
	return m, nil
}

// observeConnections counts the open connections of the webhook.
func observeConnections(registry prometheus.Registerer, open func() int) error {
	return registry.Register(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "completion_connections",
		Help: "Open connections of the webhook, limited by --max-connections.",
	}, func() float64 { return float64(open()) }))
}

// observeSnapshot measures the age of the snapshot of the Institutions.
func observeSnapshot(registry prometheus.Registerer, taken *atomic.Int64) error {
	return registry.Register(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "completion_snapshot_timestamp_seconds",
		Help: "Unix time when the API server last confirmed the inbox's snapshot of Institutions; 0 without one.",
	}, func() float64 { return float64(taken.Load()) / 1e9 }))
}

func (m *instruments) observe(a *answer, duration time.Duration) {
	m.deliveries.WithLabelValues(string(a.outcome), a.reason).Inc()
	m.duration.WithLabelValues(string(a.outcome)).Observe(duration.Seconds())
}
