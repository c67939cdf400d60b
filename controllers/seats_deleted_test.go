// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"testing"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// Deleting a planned Grant is no order: whoever had a seat has it while the Grant is made again, and nobody else in
// line gets it meanwhile. A quota that allows no new Grant makes that last.
func TestDeletedGrantKeepsItsSeatUntilItIsMadeAgain(t *testing.T) {
	t.Parallel()
	for _, per := range []v1alpha1.GrantPer{v1alpha1.GrantPerCompletion, v1alpha1.GrantPerUser} {
		for _, tc := range []struct {
			name string
			// then happens while the Grant is not there.
			then func(w *world, none *corev1.ResourceQuota, policy *v1alpha1.CompletionPolicy)
			// want is who has the seat in the end.
			want func(has, waits *v1alpha1.Grant) *v1alpha1.Grant
		}{
			{"it is made again", func(w *world, none *corev1.ResourceQuota, _ *v1alpha1.CompletionPolicy) {
				w.delete(none)
			}, func(has, _ *v1alpha1.Grant) *v1alpha1.Grant { return has }},
			{"it is not for long", func(w *world, _ *corev1.ResourceQuota, _ *v1alpha1.CompletionPolicy) {
				w.step(10 * time.Minute)
			}, func(_, waits *v1alpha1.Grant) *v1alpha1.Grant { return waits }},
			{"its policy goes", func(w *world, _ *corev1.ResourceQuota, policy *v1alpha1.CompletionPolicy) {
				w.delete(policy)
			}, func(_, waits *v1alpha1.Grant) *v1alpha1.Grant { return waits }},
		} {
			t.Run(string(per)+", "+tc.name, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t)
				pool, policy := MakePool(w, "room", 1).Obj(), MakePolicy(w, "seat").Seat("room").Obj()
				policy.Spec.GrantPer = per
				waits := MakeGrant(w, "guest", 42).Seat("room").Obj()
				w.create(pool, policy, MakeCompletion(w, 1).Obj())
				has := w.grantOf("seat", MakeCompletion(w, 1).Obj())
				if per == v1alpha1.GrantPerUser {
					has = w.grant("seat." + w.id.String() + "-1")
				}
				w.awaitActive(has)
				w.create(waits)
				w.awaitReason(waits, v1alpha1.ReasonWaitingForSeat)
				const grants = "count/grants." + v1alpha1.GroupName
				none := &corev1.ResourceQuota{ObjectMeta: w.meta("none"), Spec: corev1.ResourceQuotaSpec{
					Hard: corev1.ResourceList{grants: resource.MustParse("0")}}}
				w.create(none)
				w.eventually(func(g Gomega) {
					w.get(none)
					g.Expect(none.Status.Hard).To(HaveKey(corev1.ResourceName(grants)))
				})
				seat := &v1alpha1.Seat{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "room-0"}}
				w.get(seat)
				w.delete(has)
				w.awaitGone(has)
				w.stays(seat, seat.UID)

				tc.then(w, none, policy)
				want := tc.want(has, waits)
				w.awaitActive(want)
				w.awaitTaken(map[string]string{"room-0": want.Name})
				if want == has {
					w.stays(seat, seat.UID)
				}
			})
		}
	}
}
