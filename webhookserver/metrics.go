// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package webhookserver

import (
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// outcome is what came of a call, in a word.
type outcome string

const (
	// outcomeCreated: stored as a new completion.
	outcomeCreated outcome = "created"
	// outcomeQueued: on the disk, since the API does not take it now.
	outcomeQueued outcome = "queued"
	// outcomeHeld: on the disk among the dead letters, since the API refuses it for good.
	outcomeHeld outcome = "held"
	// outcomeErased: about a person whose data was erased; nothing is stored of it.
	outcomeErased outcome = "erased"
	// outcomeIgnored: an event that is not about a completed course; nothing is stored of it.
	outcomeIgnored outcome = "ignored"
	// outcomeChecked: no delivery, but a check of the URL.
	outcomeChecked outcome = "checked"
	// outcomeRefused: the sender has to change something.
	outcomeRefused outcome = "refused"
	// outcomeUnavailable: not stored now; the sender has to send it again.
	outcomeUnavailable outcome = "unavailable"
	// outcomeFailed: a defect of the server.
	outcomeFailed outcome = "failed"
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
			Help: "Calls of the webhook by what came of them and why.",
		}, []string{"outcome", "reason"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "completion_delivery_duration_seconds",
			Help:    "Time from the header of a call to its answer, by what came of it.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
		}, []string{"outcome"}),
		unknownFields: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "completion_delivery_unknown_fields_total",
			Help: "Fields of accepted deliveries that the contract does not know. They were ignored.",
		}),
		ignoredEvents: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "completion_ignored_events_total",
			Help: "Events other than activities.course.completed by their slug; other for those of slugs beyond the first 32.",
		}, []string{"slug"}),
		rejected: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "completion_rejected_authentications_total",
			Help: "Calls that were not let in, by reason: missing, malformed, differing, wrong, address.",
		}, []string{"reason"}),
		throttled: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "completion_throttled_total",
			Help: "Calls that got 429 by what was too fast: failures of an address, the rate or the places of an institution.",
		}, []string{"limit"}),
		auditFailures: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "completion_audit_failures_total",
			Help: "Audit records that the audit log did not take. They are in the program's log.",
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
		Help: "Open connections of the webhook; --max-connections bounds them.",
	}, func() float64 { return float64(open()) }))
}

func (m *instruments) observe(a *answer, duration time.Duration) {
	m.deliveries.WithLabelValues(string(a.outcome), a.reason).Inc()
	m.duration.WithLabelValues(string(a.outcome)).Observe(duration.Seconds())
}
