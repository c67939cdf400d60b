// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/lxp-dev/course-completion-operator/webhookserver/inbox"
)

// inboxInstruments say what the inbox has and what becomes of it.
type inboxInstruments struct {
	drained, administered *prometheus.CounterVec
	expired               prometheus.Counter
}

func newInboxInstruments(registry prometheus.Registerer, stats func() inbox.Stats) (*inboxInstruments, error) {
	gauge := func(name, help string, value func(inbox.Stats) float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help},
			func() float64 { return value(stats()) })
	}
	m := &inboxInstruments{drained: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "completion_inbox_drained_total",
		Help: "Attempts to store what the inbox has, by what came of them: created, updated, duplicate, stale, erased, " +
			"held, retried.",
	}, []string{"outcome"}), administered: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "completion_inbox_administered_total",
		Help: "Records that a person decided about, by the decision: retried, dropped.",
	}, []string{"action"}), expired: prometheus.NewCounter(prometheus.CounterOpts{
		Name: "completion_inbox_expired_total",
		Help: "Dead letters that were dropped because nobody decided about them within the retention.",
	})}
	for _, collector := range []prometheus.Collector{
		m.drained, m.administered, m.expired,
		gauge("completion_inbox_records", "Deliveries in the inbox that wait until the API takes them.",
			func(s inbox.Stats) float64 { return float64(s.Records) }),
		gauge("completion_inbox_dead_letters", "Deliveries in the inbox that the API refuses for good.",
			func(s inbox.Stats) float64 { return float64(s.DeadLetters) }),
		gauge("completion_inbox_bytes", "What the inbox takes in its file, as far as it is in use.",
			func(s inbox.Stats) float64 { return float64(s.Bytes) }),
		gauge("completion_inbox_max_bytes", "The bound of completion_inbox_bytes.",
			func(s inbox.Stats) float64 { return float64(s.MaxBytes) }),
		gauge("completion_inbox_oldest_timestamp_seconds",
			"When the oldest of the waiting deliveries was received, in seconds since 1970; 0 without any.",
			func(s inbox.Stats) float64 {
				if s.Oldest.IsZero() {
					return 0
				}
				return float64(s.Oldest.UnixNano()) / 1e9
			}),
		gauge("completion_inbox_failing", "1 while the inbox cannot be written.",
			func(s inbox.Stats) float64 {
				if s.Failure != nil {
					return 1
				}
				return 0
			}),
	} {
		if err := registry.Register(collector); err != nil {
			return nil, fmt.Errorf("registering the metrics of the inbox: %w", err)
		}
	}
	return m, nil
}
