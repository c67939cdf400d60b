// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"time"
)

// measureStored measures how fast deliveries get into the API while nothing else wants it.
func (w *world) measureStored(ctx context.Context, s size, t *table) error {
	w.say("deliveries stored and raw creates: %d runs of %d", s.runs, s.stored)
	// Connections are opened and caches filled before anything counts, for both.
	if _, err := w.store(ctx, s.stored); err != nil {
		return err
	}
	objects, err := w.samples(ctx, s.stored)
	if err != nil {
		return err
	}
	if _, err := w.createRaw(ctx, objects); err != nil {
		return err
	}
	var figures, references []float64
	cost := &costs{}
	for run := range s.runs {
		// Who begins takes turns, too.
		for _, figure := range []bool{run%2 == 0, run%2 != 0} {
			var rate float64
			before := w.cpu(0)
			if figure {
				rate, err = w.store(ctx, s.stored)
				figures = append(figures, rate)
			} else {
				rate, err = w.createRaw(ctx, objects)
				references = append(references, rate)
			}
			if err != nil {
				return err
			}
			cost.add(figure, before, w.cpu(0), s.stored)
		}
		w.say("run %d: %.0f stored, %.0f raw creates per second", run+1, figures[run], references[run])
	}
	t.compare("deliveries stored, API server running", "raw creates", figures, references, 0.9)
	t.note("deliveries stored, API server running: %d connections, new completions only, controller-manager stopped; raw "+
		"creates: the same objects in another namespace, client-go's typed client (JSON), %d in flight, no rate limit, "+
		"same ServiceAccount", connections, connections)
	cost.note(t, "deliveries stored, API server running", "raw creates")
	w.say("checking that every delivery is stored")
	return w.check(ctx)
}

// store sends new deliveries and returns how many a second were stored. What was only queued counts once it is stored.
func (w *world) store(ctx context.Context, n int) (float64, error) {
	began := time.Now()
	report, err := w.send(ctx, n, connections, 0)
	if err != nil {
		return 0, err
	}
	if report.Answers["200 created"] != n {
		w.say("not all were stored at once: %v", report.Answers)
		if err := w.awaitDrained(ctx); err != nil {
			return 0, fmt.Errorf("answers %v: %w", report.Answers, err)
		}
		return float64(n) / time.Since(began).Seconds(), nil
	}
	return float64(n) / report.Elapsed.Seconds(), nil
}
