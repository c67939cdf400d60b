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
		Help: "Attempts to store a record of the inbox, by outcome: created, updated, duplicate, stale, erased, " +
			"held, retried.",
	}, []string{"outcome"}), administered: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "completion_inbox_administered_total",
		Help: "Records that a person retried or dropped, by action.",
	}, []string{"action"}), expired: prometheus.NewCounter(prometheus.CounterOpts{
		Name: "completion_inbox_expired_total",
		Help: "Dead letters dropped when their retention ended.",
	})}
	for _, collector := range []prometheus.Collector{
		m.drained, m.administered, m.expired,
		gauge("completion_inbox_records", "Deliveries in the inbox waiting to be stored in the API server.",
			func(s inbox.Stats) float64 { return float64(s.Records) }),
		gauge("completion_inbox_dead_letters", "Deliveries in the inbox that the API server refuses for good.",
			func(s inbox.Stats) float64 { return float64(s.DeadLetters) }),
		gauge("completion_inbox_bytes", "Bytes in use in the file of the inbox.",
			func(s inbox.Stats) float64 { return float64(s.Bytes) }),
		gauge("completion_inbox_max_bytes", "Limit of completion_inbox_bytes.",
			func(s inbox.Stats) float64 { return float64(s.MaxBytes) }),
		gauge("completion_inbox_oldest_timestamp_seconds",
			"Unix time when the oldest waiting delivery was received; 0 if none waits.",
			func(s inbox.Stats) float64 {
				if s.Oldest.IsZero() {
					return 0
				}
				return float64(s.Oldest.UnixNano()) / 1e9
			}),
		gauge("completion_inbox_failing", "1 while the inbox cannot be written, otherwise 0.",
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
