// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/lxp-dev/course-completion-operator/internal/sender"
)

const (
	// overload is how much more than the API takes is offered.
	overload = 5
	// burstConnections are enough to offer that: as many as the API takes wait for it, and the others do not.
	burstConnections = 4 * connections
)

// measureBurst measures what becomes of far more deliveries than the API can take.
func (w *world) measureBurst(ctx context.Context, s size, t *table) error {
	runs := min(s.runs, burstRuns)
	w.say("%d deliveries at %d times what the API takes, %d runs", s.burst, overload, runs)
	if _, err := w.store(ctx, s.raw); err != nil {
		return err
	}
	objects, err := w.samples(ctx, s.raw)
	if err != nil {
		return err
	}
	w.memory.enter("burst")
	var whole, drains, besides, references []float64
	cost := &costs{}
	for run := range runs {
		began := time.Now()
		idle := w.cpu(0)
		before, err := w.createRaw(ctx, objects)
		if err != nil {
			return err
		}
		cost.add(false, idle, w.cpu(0), s.raw)
		b, err := w.burst(ctx, s.burst, overload*before, cost)
		if err != nil {
			return err
		}
		idle = w.cpu(0)
		after, err := w.createRaw(ctx, objects)
		if err != nil {
			return err
		}
		cost.add(false, idle, w.cpu(0), s.raw)
		references = append(references, (before+after)/2)
		whole = append(whole, b.whole)
		if b.waiting > 0 {
			drains, besides = append(drains, b.drain), append(besides, (before+after)/2)
		}
		t.note("burst %d: %d connections, %.0f/s offered, %.0f/s acknowledged (p99 %s), %s; raw creates %.0f/s before, "+
			"%.0f/s after", run+1, burstConnections, overload*before, float64(s.burst)/b.offered.Seconds(),
			b.p99.Round(10*time.Microsecond), b.answers, before, after)
		w.say("run %d: drained at %.0f per second, %.0f including the burst; raw creates %.0f", run+1, b.drain, b.whole,
			references[run])
		if deadline, ok := ctx.Deadline(); ok && run+1 < runs && time.Until(deadline) < time.Since(began)*5/4 {
			runs = run + 1
			t.note("no time for another burst on this machine: %d runs", runs)
			break
		}
	}
	if len(drains) > 0 {
		t.compare("inbox drained after a burst", "raw creates", drains, besides, 0.9)
	}
	cost.note(t, "inbox drained after a burst", "raw creates")
	t.compare("deliveries stored, burst and drain together", "raw creates", whole, references, 0.9)
	t.bound(fmt.Sprintf("deliveries refused or lost, of %d", runs*s.burst), "0", "0", true)
	return nil
}

// burst is what came of one.
type burst struct {
	// drain is how many a second were stored from the last acknowledgement on, whole from the first delivery on.
	drain, whole float64
	// waiting is how many were in the inbox at the last acknowledgement.
	waiting      int
	offered, p99 time.Duration
	answers      string
}

// burst sends deliveries at a rate, waits until all are stored, and checks that none is missing. A delivery that was
// refused is an error.
func (w *world) burst(ctx context.Context, n int, rate float64, cost *costs) (burst, error) {
	began := time.Now()
	var report *sender.Report
	err := w.underLoad(ctx, func() (err error) {
		report, err = w.send(ctx, n, burstConnections, rate)
		return err
	})
	if err != nil {
		return burst{}, errors.Join(fmt.Errorf("answers %v", report.Answers), err)
	}
	waiting, err := w.queued(ctx)
	if err != nil {
		return burst{}, err
	}
	acknowledged, before := time.Now(), w.cpu(0)
	if err := w.awaitDrained(ctx); err != nil {
		return burst{}, err
	}
	ended := time.Now()
	cost.add(true, before, w.cpu(0), waiting)
	if err := w.check(ctx); err != nil {
		return burst{}, err
	}
	return burst{
		waiting: waiting, drain: float64(waiting) / ended.Sub(acknowledged).Seconds(),
		whole: float64(n) / ended.Sub(began).Seconds(), offered: report.Elapsed, p99: report.Latency.Quantile(0.99),
		answers: fmt.Sprintf("%v, %d in the inbox at the end of it", report.Answers, waiting),
	}, nil
}
