// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
)

// measureFlood measures how long somebody of one institution waits while another one has very much to do.
func (w *world) measureFlood(ctx context.Context, s size, t *table) error {
	w.say("burst of %d people from another institution", s.granted)
	quiet, err := w.openTenant(ctx)
	if err != nil {
		return err
	}
	noisy, err := w.openTenant(ctx)
	if err != nil {
		return err
	}
	for _, tenant := range []*tenant{quiet, noisy} {
		if err := tenant.applyPolicy(ctx, "lab", tenant.lab()); err != nil {
			return err
		}
	}
	idle, err := quiet.sendSingles(ctx, s.singles)
	if err != nil {
		return err
	}
	crowd, err := noisy.students(s.granted, course)
	if err != nil {
		return err
	}
	bindings, err := w.access(ctx)
	if err != nil {
		return err
	}
	defer bindings.stop()
	// All are stored before anybody is measured, so that what is measured is the controllers'.
	if err := noisy.deliver(ctx, crowd); err != nil {
		return err
	}
	var flooded durations
	for bindings.count() < s.granted+len(flooded) {
		people, err := quiet.students(1, course)
		if err != nil {
			return err
		}
		one, err := quiet.oneByOne(ctx, people)
		if err != nil {
			return err
		}
		flooded = append(flooded, one...)
	}
	if _, err := w.awaitQuiet(ctx); err != nil {
		return err
	}
	for _, q := range []struct {
		name     string
		quantile float64
		most     float64
	}{{"p50", 0.5, 1.5}, {"p99", 0.99, 2}} {
		t.atMost("delivery to access during another institution's burst, "+q.name,
			milliseconds(flooded.quantile(q.quantile)), milliseconds(idle.quantile(q.quantile))+" idle",
			flooded.quantile(q.quantile).Seconds()/idle.quantile(q.quantile).Seconds(), q.most)
	}
	t.note("another institution's burst: %d people at once; delivery to access meanwhile %s, idle %s",
		s.granted, flooded, idle)
	return nil
}

// measureMany measures one more completion of somebody who has many, and of one institution among many.
func (w *world) measureMany(ctx context.Context, s size, t *table) error {
	w.say("a person with %d completions, and one of %d institutions", s.perPerson, s.institutions)
	tenant, err := w.openTenant(ctx)
	if err != nil {
		return err
	}
	if err := tenant.applyPolicy(ctx, "lab", tenant.lab()); err != nil {
		return err
	}
	one, err := tenant.sendSingles(ctx, s.singles)
	if err != nil {
		return err
	}
	many, err := tenant.busyPeople(ctx, s)
	if err != nil {
		return err
	}
	t.atMost(fmt.Sprintf("delivery to access, person with %d completions, p50", s.perPerson),
		milliseconds(many.quantile(0.5)),
		milliseconds(one.quantile(0.5))+" person with one", many.quantile(0.5).Seconds()/one.quantile(0.5).Seconds(), 1.5)
	if err := w.openMany(ctx, s.institutions); err != nil {
		return err
	}
	among, err := tenant.sendSingles(ctx, s.singles)
	if err != nil {
		return err
	}
	t.atMost(fmt.Sprintf("delivery to access, %d institutions, p50", s.institutions), milliseconds(among.quantile(0.5)),
		milliseconds(one.quantile(0.5))+" few institutions", among.quantile(0.5).Seconds()/one.quantile(0.5).Seconds(), 1.5)
	return nil
}

// busyPeople gives some people many completions that grant nothing, and then each the one that grants.
func (t *tenant) busyPeople(ctx context.Context, s size) (durations, error) {
	first := t.users + 1
	people := max(1, s.singles/4)
	t.users += people
	var before, last []student
	for i := range people {
		for range s.perPerson {
			one, err := t.completion(numbered(first+i), idle)
			if err != nil {
				return nil, err
			}
			before = append(before, one)
		}
		one, err := t.completion(numbered(first+i), course)
		if err != nil {
			return nil, err
		}
		last = append(last, one)
	}
	if err := t.deliver(ctx, before); err != nil {
		return nil, err
	}
	if _, err := t.w.awaitQuiet(ctx); err != nil {
		return nil, err
	}
	took, err := t.oneByOne(ctx, last)
	if err != nil {
		return nil, err
	}
	_, err = t.w.awaitQuiet(ctx)
	return took, err
}

// openMany opens institutions that do nothing.
func (w *world) openMany(ctx context.Context, n int) error {
	for range n {
		if _, err := w.openTenant(ctx); err != nil {
			return err
		}
	}
	_, err := w.awaitQuiet(ctx)
	return err
}
