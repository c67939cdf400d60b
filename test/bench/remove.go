// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/sender"
	"github.com/lxp-dev/course-completion-operator/test/system"
)

// retentionDays is how long completions are kept once they are due.
const retentionDays = 2

// acknowledgeEvery is how long there is between two deliveries of another institution.
const acknowledgeEvery = 100 * time.Millisecond

// measureRetention measures how fast completions go that are due all at once, and what that does to deliveries.
func (w *world) measureRetention(ctx context.Context, s size, t *table) error {
	w.say("retention: %d completions due at once", s.settled)
	tenant, err := w.openTenant(ctx)
	if err != nil {
		return err
	}
	if _, err := tenant.settle(ctx, s.settled); err != nil {
		return err
	}
	calm, err := tenant.acknowledgements(ctx, s.singles, nil)
	if err != nil {
		return err
	}
	raw, err := w.rawDeletes(ctx, tenant)
	if err != nil {
		return err
	}
	rate, meanwhile, err := tenant.expire(ctx)
	if err != nil {
		return err
	}
	w.say("%.0f deleted, %.0f raw deletes per second; acknowledgements meanwhile %s, before %s", rate, raw,
		meanwhile, calm)
	t.compare("completions deleted by retention", "raw deletes", []float64{rate}, []float64{raw}, 0.7)
	t.atMost("acknowledgement of a delivery during retention, p50", milliseconds(meanwhile.quantile(0.5)),
		milliseconds(calm.quantile(0.5))+" before", meanwhile.quantile(0.5).Seconds()/calm.quantile(0.5).Seconds(), 1.3)
	return nil
}

// acknowledgements sends deliveries one after the other, so many or until done is closed, and returns how long each
// took.
func (t *tenant) acknowledgements(ctx context.Context, n int, done <-chan struct{}) (durations, error) {
	platform := sender.NewClient(1, deliveryTimeout, nil)
	defer platform.Close()
	var took durations
	for done != nil || len(took) < n {
		select {
		case <-done:
			return took, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		default:
		}
		people, err := t.students(1, idle)
		if err != nil {
			return nil, err
		}
		began := time.Now()
		if err := post(ctx, platform, t.URLs[0], people[0].body); err != nil {
			return nil, err
		}
		took = append(took, time.Since(began))
		// Some now and then: as fast as they go, they alone would keep the API server busy.
		select {
		case <-time.After(acknowledgeEvery):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return took, nil
}

// expire has everything fall due that the tenant has, and returns how many a second are deleted. The clock of the
// controller-manager is set some days ahead, because the API server does not let anybody choose when something was
// made.
func (t *tenant) expire(ctx context.Context) (rate float64, meanwhile durations, err error) {
	var completions v1alpha1.CourseCompletionList
	if err := t.w.admin.List(ctx, &completions, client.InNamespace(t.Namespace)); err != nil {
		return 0, nil, err
	}
	n := len(completions.Items)
	gone, err := t.w.observe(ctx, "completions that were deleted", &v1alpha1.CourseCompletionList{}, t.Namespace, deleted)
	if err != nil {
		return 0, nil, err
	}
	defer gone.stop()
	if err := t.w.setClock(retentionDays * 24 * time.Hour); err != nil {
		return 0, nil, err
	}
	institution := &v1alpha1.Institution{}
	if err := t.w.admin.Get(ctx, client.ObjectKey{Namespace: t.Namespace, Name: "institution"}, institution); err != nil {
		return 0, nil, err
	}
	before := institution.DeepCopy()
	institution.Spec.RetentionDays = 1
	began := time.Now()
	if err := t.w.admin.Patch(ctx, institution, client.MergeFrom(before)); err != nil {
		return 0, nil, err
	}
	other, err := t.w.other(ctx)
	if err != nil {
		return 0, nil, err
	}
	done := make(chan struct{})
	var sending sync.WaitGroup
	var failed error
	sending.Go(func() { meanwhile, failed = other.acknowledgements(ctx, 0, done) })
	err = gone.await(ctx, n)
	took := time.Since(began)
	close(done)
	sending.Wait()
	return float64(n) / took.Seconds(), meanwhile, firstOf([]error{err, failed, t.w.setClock(0)})
}

// other is the institution that sends while another one's completions are deleted.
func (w *world) other(ctx context.Context) (*tenant, error) {
	if w.crowd != nil {
		return w.crowd, nil
	}
	return w.openTenant(ctx)
}

// setClock sets the clock of the controller-manager.
func (w *world) setClock(ahead time.Duration) error {
	path := filepath.Join(w.dir, system.ControllerManager)
	return os.WriteFile(path, fmt.Appendf(nil, "%d", int(ahead.Seconds())), 0o600)
}

// rawDeletes makes copies of the completions of a tenant and deletes them one by one.
func (w *world) rawDeletes(ctx context.Context, t *tenant) (float64, error) {
	var completions v1alpha1.CourseCompletionList
	if err := w.admin.List(ctx, &completions, client.InNamespace(t.Namespace)); err != nil {
		return 0, err
	}
	var people []granted
	for i := range completions.Items {
		people = append(people, granted{completion: &completions.Items[i], grant: &v1alpha1.Grant{}})
	}
	var took time.Duration
	err := w.without(ctx, func() error {
		raw, err := w.copies(ctx, t, people)
		if err != nil {
			return err
		}
		if _, err := raw.each(connections, func(g *granted) error { return raw.settle(ctx, g) }); err != nil {
			return err
		}
		took, err = raw.each(inFlight, func(g *granted) error { return raw.manager.Delete(ctx, g.completion) })
		return err
	})
	return float64(len(people)) / took.Seconds(), err
}

// measureRevocation measures how fast access and namespaces go that a policy no longer gives. It ends the crowd of
// measureGranted.
func (w *world) measureRevocation(ctx context.Context, _ size, t *table) error {
	tenant := w.crowd
	if tenant == nil {
		return nil
	}
	people, err := tenant.granted(ctx, tenant.users)
	if err != nil {
		return err
	}
	w.say("revoking %d Grants", len(people))
	raw, err := w.rawRevocation(ctx, tenant, people)
	if err != nil {
		return err
	}
	before, err := w.awaitQuiet(ctx)
	if err != nil {
		return err
	}
	bindings, err := w.observe(ctx, "deleted RoleBindings", &rbacv1.RoleBindingList{}, "", deleted)
	if err != nil {
		return err
	}
	defer bindings.stop()
	policy := &v1alpha1.CompletionPolicy{}
	policy.Namespace, policy.Name = tenant.Namespace, "lab"
	if err := w.admin.Delete(ctx, policy); err != nil {
		return err
	}
	if err := bindings.await(ctx, len(people)); err != nil {
		return err
	}
	// For a minute the policy may still come back, which is no matter of speed: it counts from the first that goes.
	rate := float64(len(people)) / bindings.spread().Seconds()
	after, err := w.awaitQuiet(ctx)
	if err != nil {
		return err
	}
	w.say("%.1f revoked, %.1f raw per second; writes: %s", rate, raw, after.since(before))
	t.compare("Grants revoked, within the budget of the brake", "same writes, raw",
		[]float64{rate}, []float64{raw}, 0.8)
	return nil
}

// rawRevocation deletes the RoleBinding and the namespace of copies and writes what has to be written of it: the end in
// the Grant, and its status.
func (w *world) rawRevocation(ctx context.Context, t *tenant, people []granted) (float64, error) {
	var took time.Duration
	err := w.without(ctx, func() error {
		raw, err := w.copies(ctx, t, people)
		if err != nil {
			return err
		}
		if _, err := raw.each(inFlight, func(g *granted) error {
			_, err := raw.write(ctx, g)
			return err
		}); err != nil {
			return err
		}
		if took, err = raw.each(inFlight, func(g *granted) error { return raw.revoke(ctx, g) }); err != nil {
			return err
		}
		return raw.clear(ctx)
	})
	return float64(len(people)) / took.Seconds(), err
}

// revoke deletes what one person has.
func (r *rawWrites) revoke(ctx context.Context, g *granted) error {
	if err := r.edit(ctx, &granted{grant: g.grant}, "10"); err != nil {
		return err
	}
	objects := []client.Object{g.objects[len(g.objects)-1], &corev1.Namespace{}}
	objects[1].SetName(objects[0].GetNamespace())
	for _, object := range objects {
		if err := r.manager.Delete(ctx, object); err != nil {
			return err
		}
	}
	return nil
}
