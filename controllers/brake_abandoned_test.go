// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// Deleting a planned Grant is no order. Where nobody makes it again its access goes, and that counts: beyond the budget
// the Grant waits, with everything in place.
func TestBrakeHoldsDeletedGrantsThatNobodyPlansAgain(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		let  func(c *crowd, trip string)
	}{
		{"until it is released", func(c *crowd, trip string) { c.release(trip) }},
		{"until the institution is gone", func(c *crowd, _ string) { c.delete(c.institution) }},
		{"until the policy is there again, which plans them again", func(c *crowd, _ string) {
			c.create(MakeLab(c.world, "lab").Seat("room").Obj())
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			c := newCrowd(t, new(int32(1)), 3)
			// The API server dates deletions, and by its own clock.
			c.step(time.Since(c.clock.Now()))
			g := NewWithT(t)
			before := c.bindings(g)
			c.delete(c.policy)
			c.awaitGone(c.policy)
			// Retained, since nothing else was asked for.
			c.await(3, 0, 0)
			for _, completion := range c.completions {
				c.delete(c.grantOf("lab", completion))
			}
			trip := c.awaitTrip(2)
			look := func(g Gomega) {
				grants := c.grants(g)
				g.Expect(grants).To(HaveLen(2))
				for i := range grants {
					g.Expect(grants[i].DeletionTimestamp).NotTo(BeNil())
					g.Expect(ready(&grants[i]).Reason).To(Equal(v1alpha1.ReasonRevocationPaused))
				}
				g.Expect(c.bindings(g)).To(HaveLen(2))
				g.Expect(c.taken(g)).To(HaveLen(2))
			}
			c.eventually(look)
			c.consistently(look)
			c.stop()
			c.start()
			c.consistently(look)
			kept := c.bindings(g)

			tc.let(c, trip)
			c.eventually(func(g Gomega) {
				for _, grant := range c.grants(g) {
					g.Expect(grant.DeletionTimestamp).To(BeNil(), "grant %s hangs", grant.Name)
				}
			})
			for namespace, uid := range c.bindings(g) {
				if _, held := kept[namespace]; held {
					g.Expect(uid).To(Equal(before[namespace]), "the access of %s was taken and given back", namespace)
				}
			}
			// Whatever comes of it, no learner's namespace goes.
			for _, completion := range c.completions {
				c.get(c.learner(completion.Spec.User.ID))
			}
		})
	}
}
