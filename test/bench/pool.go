// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/test/system"
)

// measureClaims measures how fast a pool gives its seats when twice as many wait for one.
func (w *world) measureClaims(ctx context.Context, s size, t *table) error {
	w.say("%d claims at once on a pool of %d seats", 2*s.seats, s.seats)
	tenant, err := w.openTenant(ctx)
	if err != nil {
		return err
	}
	pool := &v1alpha1.SeatPool{ObjectMeta: metav1.ObjectMeta{Namespace: tenant.Namespace, Name: "room"},
		Spec: v1alpha1.SeatPoolSpec{Capacity: new(int32(0))}}
	if err := w.admin.Create(ctx, pool); err != nil {
		return err
	}
	if err := tenant.applyPolicy(ctx, "seat", v1alpha1.CompletionPolicySpec{
		GrantPer: v1alpha1.GrantPerUser,
		Match:    v1alpha1.PolicyMatch{CourseIDs: []v1alpha1.PlatformID{course}},
		Seats:    []v1alpha1.SeatTemplate{{Pool: "room"}},
	}); err != nil {
		return err
	}
	before, err := w.awaitQuiet(ctx)
	if err != nil {
		return err
	}
	rate, err := tenant.claim(ctx, pool, s.seats)
	if err != nil {
		return err
	}
	after, err := w.awaitQuiet(ctx)
	if err != nil {
		return err
	}
	written := after.since(before)
	raw, err := w.rawSeats(ctx, tenant)
	if err != nil {
		return err
	}
	w.say("%.0f seats, %.0f raw creates per second; writes: %s", rate, raw, written)
	t.compare("seats assigned, demand twice the capacity", "raw creates of Seats", []float64{rate}, []float64{raw}, 0.8)
	t.equal("seats assigned in all", written["seats"], s.seats, "capacity of the pool")
	t.note("%d claims for %d seats: writes %s", 2*s.seats, s.seats, written)
	return nil
}

// claim has twice as many people wait for a seat as there will be, then opens the pool, and returns how many a second
// get one from then on.
func (t *tenant) claim(ctx context.Context, pool *v1alpha1.SeatPool, seats int) (float64, error) {
	people, err := t.students(2*seats, course)
	if err != nil {
		return 0, err
	}
	if err := t.deliver(ctx, people); err != nil {
		return 0, err
	}
	if _, err := t.w.awaitQuiet(ctx); err != nil {
		return 0, err
	}
	given, err := t.w.observe(ctx, "Seats", &v1alpha1.SeatList{}, t.Namespace, named(anything))
	if err != nil {
		return 0, err
	}
	defer given.stop()
	if err := t.w.admin.Get(ctx, client.ObjectKeyFromObject(pool), pool); err != nil {
		return 0, err
	}
	before := pool.DeepCopy()
	pool.Spec.Capacity = new(int32(seats))
	began := time.Now()
	if err := t.w.admin.Patch(ctx, pool, client.MergeFrom(before)); err != nil {
		return 0, err
	}
	if err := given.await(ctx, seats); err != nil {
		return 0, err
	}
	return float64(seats) / time.Since(began).Seconds(), nil
}

// rawSeats creates the seats once more elsewhere and returns how many a second that were.
func (w *world) rawSeats(ctx context.Context, t *tenant) (float64, error) {
	var seats v1alpha1.SeatList
	if err := w.admin.List(ctx, &seats, client.InNamespace(t.Namespace)); err != nil {
		return 0, err
	}
	config, err := w.plane.ServiceAccountConfig(ctx, system.Namespace, "completion-controller-manager")
	if err != nil {
		return 0, err
	}
	manager, err := system.NewClient(config)
	if err != nil {
		return 0, err
	}
	w.references++
	namespace := fmt.Sprintf("reference-%d", w.references)
	if err := w.admin.Create(ctx, system.InstitutionNamespace(namespace, t.ID, t.prefix)); err != nil {
		return 0, err
	}
	var took time.Duration
	err = w.without(ctx, func() error {
		var err error
		took, err = eachOf(len(seats.Items), inFlight, func(i int) error {
			return manager.Create(ctx, &v1alpha1.Seat{
				ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: seats.Items[i].Name, Labels: seats.Items[i].Labels},
				Spec:       seats.Items[i].Spec,
			})
		})
		return errors.Join(err, w.admin.DeleteAllOf(ctx, &v1alpha1.Seat{}, client.InNamespace(namespace)))
	})
	return float64(len(seats.Items)) / took.Seconds(), err
}
