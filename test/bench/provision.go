// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/sender"
)

// durations are how long something took, each time.
type durations []time.Duration

func (d durations) quantile(q float64) time.Duration {
	if len(d) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(d))
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))]
}

func (d durations) String() string {
	return fmt.Sprintf("p50 %s, p99 %s of %d", milliseconds(d.quantile(0.5)), milliseconds(d.quantile(0.99)), len(d))
}

func milliseconds(d time.Duration) string { return fmt.Sprintf("%.1f ms", d.Seconds()*1000) }

// access watches for RoleBindings, by the namespace.
func (w *world) access(ctx context.Context) (*observer, error) {
	return w.observe(ctx, "RoleBindings", &rbacv1.RoleBindingList{}, "", placed(anything))
}

// oneByOne sends deliveries, each after the access of the one before is there, and returns how long each of them took
// from sending to working access.
func (t *tenant) oneByOne(ctx context.Context, people []student) (durations, error) {
	bindings, err := t.w.access(ctx)
	if err != nil {
		return nil, err
	}
	defer bindings.stop()
	platform := sender.NewClient(1, deliveryTimeout, nil)
	defer platform.Close()
	var took durations
	for _, person := range people {
		began := time.Now()
		if err := post(ctx, platform, t.URLs[0], person.body); err != nil {
			return nil, err
		}
		at, err := bindings.awaitOne(ctx, person.namespace)
		if err != nil {
			return nil, err
		}
		took = append(took, at.Sub(began))
	}
	return took, nil
}

// measureAccess measures how long one delivery takes until its access works, while nothing else happens.
func (w *world) measureAccess(ctx context.Context, s size, t *table) error {
	w.say("delivery to access, one at a time: %d runs of %d", s.runs, s.singles)
	tenant, err := w.openTenant(ctx)
	if err != nil {
		return err
	}
	if err := tenant.applyPolicy(ctx, "lab", tenant.lab()); err != nil {
		return err
	}
	if _, err := tenant.sendSingles(ctx, s.singles); err != nil { // Warms both up.
		return err
	}
	var took, raw durations
	for range s.runs {
		one, err := tenant.sendSingles(ctx, s.singles)
		if err != nil {
			return err
		}
		reference, err := w.rawSingles(ctx, tenant, s.singles)
		if err != nil {
			return err
		}
		took, raw = append(took, one...), append(raw, reference...)
		w.say("delivery to access: %s; same writes, raw: %s", one, reference)
	}
	for _, q := range []struct {
		name     string
		quantile float64
		most     float64
	}{{"p50", 0.5, 1.5}, {"p99", 0.99, 3}} {
		t.atMost("delivery to access, one at a time, "+q.name, milliseconds(took.quantile(q.quantile)),
			milliseconds(raw.quantile(q.quantile))+" same writes, raw, one at a time",
			took.quantile(q.quantile).Seconds()/raw.quantile(q.quantile).Seconds(), q.most)
	}
	t.note("delivery to access: from the first byte of the delivery until a watch shows the RoleBinding; raw: "+
		"completion, Grant, namespace and its contents, created one after the other; %s; raw %s", took, raw)
	return nil
}

func (t *tenant) sendSingles(ctx context.Context, n int) (durations, error) {
	people, err := t.students(n, course)
	if err != nil {
		return nil, err
	}
	took, err := t.oneByOne(ctx, people)
	if err != nil {
		return nil, err
	}
	_, err = t.w.awaitQuiet(ctx)
	return took, err
}

// rawSingles writes copies of what n people got, one person after the other.
func (w *world) rawSingles(ctx context.Context, tenant *tenant, n int) (durations, error) {
	people, err := tenant.granted(ctx, n)
	if err != nil {
		return nil, err
	}
	var took durations
	err = w.without(ctx, func() error {
		raw, err := w.copies(ctx, tenant, people)
		if err != nil {
			return err
		}
		_, err = raw.each(1, func(g *granted) error {
			access, err := raw.write(ctx, g)
			took = append(took, access)
			return err
		})
		if err != nil {
			return err
		}
		return raw.clear(ctx)
	})
	return took, err
}

// measureSettled measures how fast completions that no policy wants are stored and told so.
func (w *world) measureSettled(ctx context.Context, s size, t *table) error {
	w.say("completions processed: %d runs of %d", s.runs, s.settled)
	tenant, err := w.openTenant(ctx)
	if err != nil {
		return err
	}
	if err := tenant.applyPolicy(ctx, "lab", tenant.lab()); err != nil {
		return err
	}
	var figures, references []float64
	writes := 0
	for run := range s.runs {
		before, err := w.awaitQuiet(ctx)
		if err != nil {
			return err
		}
		rate, err := tenant.settle(ctx, s.settled)
		if err != nil {
			return err
		}
		after, err := w.awaitQuiet(ctx)
		if err != nil {
			return err
		}
		writes += after.since(before).sum()
		raw, err := w.rawSettled(ctx, tenant, s.settled)
		if err != nil {
			return err
		}
		figures, references = append(figures, rate), append(references, raw)
		w.say("run %d: %.0f processed, %.0f raw creates with status per second", run+1, rate, raw)
	}
	t.compare("completions processed, no policy matches", "raw creates with status", figures, references, 0.85)
	t.equal("writes for these completions", writes, 2*s.runs*s.settled, "completion and status")
	return nil
}

// completions watches those of a tenant until they have a property.
func (t *tenant) completions(ctx context.Context, what string, has func(client.Object) bool) (*observer, error) {
	return t.w.observe(ctx, what, &v1alpha1.CourseCompletionList{}, t.Namespace, named(has))
}

func (t *tenant) settle(ctx context.Context, n int) (float64, error) {
	people, err := t.students(n, idle)
	if err != nil {
		return 0, err
	}
	settled, err := t.completions(ctx, "completions with a status", told)
	if err != nil {
		return 0, err
	}
	defer settled.stop()
	var took time.Duration
	err = t.w.underLoad(ctx, func() error {
		began := time.Now()
		if err := t.deliver(ctx, people); err != nil {
			return err
		}
		err := settled.await(ctx, n)
		took = time.Since(began)
		return err
	})
	return float64(n) / took.Seconds(), err
}

func (w *world) rawSettled(ctx context.Context, tenant *tenant, n int) (float64, error) {
	var completions v1alpha1.CourseCompletionList
	if err := w.admin.List(ctx, &completions, client.InNamespace(tenant.Namespace)); err != nil {
		return 0, err
	}
	var people []granted
	for i := range completions.Items[:min(n, len(completions.Items))] {
		people = append(people, granted{completion: &completions.Items[i], grant: &v1alpha1.Grant{}})
	}
	var took time.Duration
	err := w.without(ctx, func() error {
		raw, err := w.copies(ctx, tenant, people)
		if err != nil {
			return err
		}
		if took, err = raw.each(connections, func(g *granted) error { return raw.settle(ctx, g) }); err != nil {
			return err
		}
		return raw.clear(ctx)
	})
	return float64(len(people)) / took.Seconds(), err
}

// measureGranted measures how fast Grants become Active when many come at once, and what each of them costs.
func (w *world) measureGranted(ctx context.Context, s size, t *table) error {
	w.say("Grants activated under load: %d runs of %d", s.runs, s.granted)
	tenant, err := w.openTenant(ctx)
	if err != nil {
		return err
	}
	if err := tenant.applyPolicy(ctx, "lab", tenant.lab()); err != nil {
		return err
	}
	w.crowd = tenant
	var figures, references []float64
	var writes, needed int
	for run := range s.runs {
		rate, written, err := tenant.grant(ctx, s.granted)
		if err != nil {
			return err
		}
		raw, each, err := w.rawGranted(ctx, tenant, s.granted)
		if err != nil {
			return err
		}
		figures, references = append(figures, rate), append(references, raw)
		writes, needed = writes+written.sum(), needed+each*s.granted
		w.say("run %d: %.1f activated, %.1f raw per second; writes: %s", run+1, rate, raw, written)
	}
	t.compare("Grants activated under load", "same writes, raw", figures, references, 0.85)
	t.equal("writes for these Grants", writes, needed, "one per object and status")
	return nil
}

// grant delivers what grants n people something, and returns how many a second became Ready, and what was written.
func (t *tenant) grant(ctx context.Context, n int) (float64, writeCounts, error) {
	people, err := t.students(n, course)
	if err != nil {
		return 0, nil, err
	}
	before, err := t.w.awaitQuiet(ctx)
	if err != nil {
		return 0, nil, err
	}
	done, err := t.completions(ctx, "completions that are Ready", ready)
	if err != nil {
		return 0, nil, err
	}
	defer done.stop()
	var took time.Duration
	err = t.w.underLoad(ctx, func() error {
		began := time.Now()
		if err := t.deliver(ctx, people); err != nil {
			return err
		}
		err := done.await(ctx, n)
		took = time.Since(began)
		return err
	})
	if err != nil {
		return 0, nil, err
	}
	after, err := t.w.awaitQuiet(ctx)
	return float64(n) / took.Seconds(), after.since(before), err
}

// rawGranted writes copies of what n people got, and returns how many a second that were, and the writes of one. It
// also takes the reference of an edit, of the same copies.
func (w *world) rawGranted(ctx context.Context, tenant *tenant, n int) (rate float64, writes int, err error) {
	people, err := tenant.granted(ctx, n)
	if err != nil {
		return 0, 0, err
	}
	if len(people) < n {
		return 0, 0, fmt.Errorf("%d people were granted something, want %d", len(people), n)
	}
	err = w.without(ctx, func() error {
		raw, err := w.copies(ctx, tenant, people)
		if err != nil {
			return err
		}
		took, err := raw.each(inFlight, func(g *granted) error {
			_, err := raw.write(ctx, g)
			return err
		})
		if err != nil {
			return err
		}
		rate = float64(n) / took.Seconds()
		if took, err = raw.each(inFlight, func(g *granted) error { return raw.edit(ctx, g, "11") }); err != nil {
			return err
		}
		w.rawEdits = append(w.rawEdits, float64(n)/took.Seconds())
		return raw.clear(ctx)
	})
	// A completion, a Grant, a status of each, and the objects.
	return rate, 4 + len(people[0].objects), err
}

// quotaIs notes the granted namespaces of a tenant whose quota says so.
func (t *tenant) inNamespaces(has func(client.Object) bool) func(watch.EventType, client.Object) string {
	return placed(func(object client.Object) bool {
		return strings.HasPrefix(object.GetNamespace(), t.prefix) && has(object)
	})
}
