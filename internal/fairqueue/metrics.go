// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package fairqueue

import (
	"errors"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
)

// controller-runtime has the metrics of work queues, under names that everybody's dashboards know, but exports none of
// them. What describes one alike finds it in the registry.
var (
	labels = []string{"name", "controller"}
	depth  = registered(prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Subsystem: metrics.WorkQueueSubsystem, Name: metrics.DepthKey,
		Help: "Current depth of workqueue by workqueue and priority",
	}, append(labels, "priority")))
	adds = registered(prometheus.NewCounterVec(prometheus.CounterOpts{
		Subsystem: metrics.WorkQueueSubsystem, Name: metrics.AddsKey,
		Help: "Total number of adds handled by workqueue",
	}, labels))
	latency = registered(prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Subsystem: metrics.WorkQueueSubsystem, Name: metrics.QueueLatencyKey,
		Help: "How long in seconds an item stays in workqueue before being requested",
	}, labels))
	duration = registered(prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Subsystem: metrics.WorkQueueSubsystem, Name: metrics.WorkDurationKey,
		Help: "How long in seconds processing an item from workqueue takes.",
	}, labels))
	unfinished = registered(prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Subsystem: metrics.WorkQueueSubsystem, Name: metrics.UnfinishedWorkKey,
		Help: "How many seconds of work has been done that " +
			"is in progress and hasn't been observed by work_duration. Large " +
			"values indicate stuck threads. One can deduce the number of stuck " +
			"threads by observing the rate at which this increases.",
	}, labels))
	longest = registered(prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Subsystem: metrics.WorkQueueSubsystem, Name: metrics.LongestRunningProcessorKey,
		Help: "How many seconds has the longest running " +
			"processor for workqueue been running.",
	}, labels))
	retries = registered(prometheus.NewCounterVec(prometheus.CounterOpts{
		Subsystem: metrics.WorkQueueSubsystem, Name: metrics.RetriesKey,
		Help: "Total number of items added to the workqueue with a non-zero delay (rate-limited requeues, explicit " +
			"RequeueAfter or AddAfter calls)",
	}, labels))
)

// registered returns the collector of the registry that is described alike.
func registered[C prometheus.Collector](collector C) C {
	known, already := errors.AsType[prometheus.AlreadyRegisteredError](metrics.Registry.Register(collector))
	if !already {
		return collector
	}
	existing, ok := known.ExistingCollector.(C)
	if !ok {
		return collector
	}
	return existing
}

// Provider makes the metrics of controller-runtime's work queues.
type provider struct{}

func (provider) NewDepthMetric(name string) workqueue.GaugeMetric {
	return depth.WithLabelValues(name, name, "")
}

func (provider) NewAddsMetric(name string) workqueue.CounterMetric {
	return adds.WithLabelValues(name, name)
}

func (provider) NewLatencyMetric(name string) workqueue.HistogramMetric {
	return latency.WithLabelValues(name, name)
}

func (provider) NewWorkDurationMetric(name string) workqueue.HistogramMetric {
	return duration.WithLabelValues(name, name)
}

func (provider) NewUnfinishedWorkSecondsMetric(name string) workqueue.SettableGaugeMetric {
	return unfinished.WithLabelValues(name, name)
}

func (provider) NewLongestRunningProcessorSecondsMetric(name string) workqueue.SettableGaugeMetric {
	return longest.WithLabelValues(name, name)
}

func (provider) NewRetriesMetric(name string) workqueue.CounterMetric {
	return retries.WithLabelValues(name, name)
}

// depthOf counts what is ready by priority.
type depthOf func(priority int) workqueue.GaugeMetric

// queueMetrics are those of one queue, whose lock protects them. Nil has none.
type queueMetrics[T comparable] struct {
	clock                   clock.Clock
	depth                   depthOf
	adds, retries           workqueue.CounterMetric
	latency, duration       workqueue.HistogramMetric
	unfinishedWork, longest workqueue.SettableGaugeMetric
	// added and begun are since when a key waits, and is worked on.
	added, begun map[T]time.Time
}

func newMetrics[T comparable](from workqueue.MetricsProvider, name string, now clock.Clock) *queueMetrics[T] {
	if name == "" {
		return nil
	}
	m := &queueMetrics[T]{clock: now, added: map[T]time.Time{}, begun: map[T]time.Time{}}
	if from == nil {
		from = provider{}
		m.depth = func(priority int) workqueue.GaugeMetric {
			return depth.WithLabelValues(name, name, strconv.Itoa(priority))
		}
	} else {
		all := from.NewDepthMetric(name)
		m.depth = func(int) workqueue.GaugeMetric { return all }
	}
	m.adds, m.retries = from.NewAddsMetric(name), from.NewRetriesMetric(name)
	m.latency, m.duration = from.NewLatencyMetric(name), from.NewWorkDurationMetric(name)
	m.unfinishedWork = from.NewUnfinishedWorkSecondsMetric(name)
	m.longest = from.NewLongestRunningProcessorSecondsMetric(name)
	return m
}

func (m *queueMetrics[T]) retried() {
	if m != nil {
		m.retries.Inc()
	}
}

func (m *queueMetrics[T]) waits(key T, priority int) {
	if m == nil {
		return
	}
	m.adds.Inc()
	m.depth(priority).Inc()
	m.added[key] = m.clock.Now()
}

func (m *queueMetrics[T]) moved(from, to int) {
	if m == nil {
		return
	}
	m.depth(from).Dec()
	m.depth(to).Inc()
}

func (m *queueMetrics[T]) begins(key T, priority int) {
	if m == nil {
		return
	}
	m.depth(priority).Dec()
	m.latency.Observe(m.clock.Since(m.added[key]).Seconds())
	delete(m.added, key)
	m.begun[key] = m.clock.Now()
}

func (m *queueMetrics[T]) ends(key T) {
	if m == nil {
		return
	}
	m.duration.Observe(m.clock.Since(m.begun[key]).Seconds())
	delete(m.begun, key)
}

// run keeps up to date how long what is worked on has taken so far.
func (m *queueMetrics[T]) run(lock sync.Locker, done <-chan struct{}) {
	if m == nil {
		return
	}
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-done:
			return
		case <-tick.C:
		}
		lock.Lock()
		total, most := time.Duration(0), time.Duration(0)
		for _, since := range m.begun {
			taken := m.clock.Since(since)
			total, most = total+taken, max(most, taken)
		}
		m.unfinishedWork.Set(total.Seconds())
		m.longest.Set(most.Seconds())
		lock.Unlock()
	}
}
