// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// A policy edit that would take from everybody is what the brake is for. Where the edit is taken back, nothing is left
// to be held, and the brake lets go by itself; what it let through still counts.
func TestPolicyEditThatTakesFromEverybodyIsHeldAndCanBeTakenBack(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name         string
		edit, repair func(c *crowd)
		// goes is whether the one that went comes back.
		wantActive, wantEnded int
	}{
		{"the policy matches no more", func(c *crowd) {
			c.change(c.policy, func() { c.policy.Spec.Match.CourseIDs = []v1alpha1.PlatformID{1} })
		}, func(c *crowd) {
			c.change(c.policy, func() { c.policy.Spec.Match.CourseIDs = []v1alpha1.PlatformID{course} })
		}, 4, 0},
		{"the policy gives fewer days than have passed", func(c *crowd) {
			c.change(c.policy, func() { c.policy.Spec.Lifetime.MaxDays = 2 })
		}, func(c *crowd) {
			c.change(c.policy, func() { c.policy.Spec.Lifetime.MaxDays = 0 })
		}, 4, 0},
		{"the policy is deleted", func(c *crowd) { c.delete(c.policy) }, func(c *crowd) {
			c.policy = MakeLab(c.world, "lab").Seat("room").OnPolicyRemoval(v1alpha1.RemovalDelete).Obj()
			c.create(c.policy)
		}, 4, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			c := newCrowd(t, new(int32(1)), 4)
			c.change(c.policy, func() { c.policy.Spec.OnPolicyRemoval = v1alpha1.RemovalDelete })
			for _, completion := range c.completions {
				grant := c.grantOf("lab", completion)
				c.eventually(func(g Gomega) {
					c.get(grant)
					g.Expect(grant.Spec.OnPolicyRemoval).To(Equal(v1alpha1.RemovalDelete))
				})
			}
			tc.edit(c)
			c.awaitTrip(3)
			c.await(0, 3, 1)
			tc.repair(c)
			c.awaitReleased(v1alpha1.ReasonNothingHeld)
			c.await(tc.wantActive, 0, tc.wantEnded)

			went := -1
			for i, grant := range c.grants(NewWithT(t)) {
				if len(grant.Status.Admissions) > 0 {
					went = i
				}
			}
			other := (went + 1) % len(c.completions)
			c.withdraw(other, other+1)
			c.awaitTrip(1)
			c.await(3, 1, 0)
			c.get(c.institution)
			NewWithT(t).Expect(c.institution.Status.Brake.ReleasedTrip).To(BeEmpty())
		})
	}
}

func TestBurstOverTwoHoursDoesNotTripTheBrake(t *testing.T) {
	t.Parallel()
	c := newCrowd(t, new(int32(2)), 6)
	c.withdraw(0, 2)
	c.await(4, 0, 2)
	c.step(time.Hour)
	c.withdraw(2, 4)
	c.await(2, 0, 4)
	c.neverTripped()
	c.step(time.Hour - margin)
	c.withdraw(4, 6)
	trip := c.awaitTrip(2)
	c.await(0, 2, 4)
	// Time does not release it, nor does a greater budget: a person has to say that it is meant.
	c.step(48 * time.Hour)
	c.await(0, 2, 4)
	c.change(c.institution, func() { c.institution.Spec.RevocationBudget = new(int32(100)) })
	c.await(0, 2, 4)
	NewWithT(t).Expect(c.awaitTrip(2)).To(Equal(trip))
	c.release(trip)
	c.await(0, 0, 6)
}
