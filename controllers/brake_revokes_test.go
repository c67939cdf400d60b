// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"testing"

	. "github.com/onsi/gomega"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// labs makes users who have a lab that completions may revoke, and returns what they have.
func (c *crowd) labs(users int) []*v1alpha1.Grant {
	c.t.Helper()
	var grants []*v1alpha1.Grant
	for user := range v1alpha1.PlatformID(users) {
		c.completions = append(c.completions, MakeCompletion(c.world, user+1).Obj())
		c.create(c.completions[user])
		grants = append(grants, c.grantOf("lab", c.completions[user]))
	}
	for _, grant := range grants {
		c.awaitActive(grant)
	}
	return grants
}

// finish lets a user complete the course that takes the lab away.
func (c *crowd) finish(user v1alpha1.PlatformID) *v1alpha1.CourseCompletion {
	c.t.Helper()
	completion := MakeCompletion(c.world, user).Course(finishing).SendAt(finished).Obj()
	c.create(completion)
	return completion
}

// awaitLabs waits until so many Grants have their lab, with its access, and so many say that taking one away is paused.
func (c *crowd) awaitLabs(there, paused int) {
	c.t.Helper()
	look := func(g Gomega) {
		g.Expect(c.bindings(g)).To(HaveLen(there))
		got := 0
		for _, grant := range c.grants(g) {
			for _, condition := range grant.Status.Conditions {
				if condition.Type == v1alpha1.ConditionRevocationsComplete && condition.Reason == v1alpha1.ReasonRevocationPaused {
					got++
				}
			}
		}
		g.Expect(got).To(Equal(paused), "paused")
	}
	c.eventually(look)
	c.consistently(look)
}

// Namespaces that completions revoke count; beyond the budget they stay, with their access.
func TestBrakeHoldsNamespacesThatCompletionsTakeAway(t *testing.T) {
	t.Parallel()
	w := makeLateWorld(t)
	c := &crowd{world: w, institution: MakeInstitution(w).Obj()}
	c.institution.Spec.RevocationBudget = new(int32(1))
	c.create(c.institution, revocableLab(w).Obj(), revoking(w).Obj())
	c.start()
	labs := c.labs(4)
	c.finish(1)
	c.awaitReason(labs[0], v1alpha1.ReasonRevokedByCompletion)
	c.neverTripped()
	c.finish(2)
	withdrawn := c.finish(3)
	c.awaitTrip(2)
	c.awaitLabs(3, 2)
	c.stop()
	c.start()
	c.awaitLabs(3, 2)
	trip := c.awaitTrip(2)
	// What takes is taken back: nothing is left to wait for it.
	c.delete(withdrawn)
	c.awaitTrip(1)
	c.awaitLabs(3, 1)
	c.awaitActive(labs[2])

	c.release(trip)
	c.awaitReason(labs[1], v1alpha1.ReasonRevokedByCompletion)
	c.awaitReleased(v1alpha1.ReasonReleased)
	c.awaitLabs(2, 0)
	c.create(MakeCompletion(w, 3).Course(finishing).SendAt("2030-06-02 10:00:00").Obj())
	c.awaitReason(labs[2], v1alpha1.ReasonRevokedByCompletion)
	c.finish(4)
	NewWithT(t).Expect(c.awaitTrip(1)).NotTo(Equal(trip))
	c.awaitLabs(1, 1)
}

// A policy edit that makes every completion take a lab away is held like any other, though nobody's access ends.
func TestBrakeHoldsAPolicyEditThatTakesNamespaces(t *testing.T) {
	t.Parallel()
	w := makeLateWorld(t)
	c := &crowd{world: w, institution: MakeInstitution(w).Obj()}
	c.institution.Spec.RevocationBudget = new(int32(1))
	policy := MakePolicy(w, "done").Courses(finishing).Revokes(nil, v1alpha1.Template(w.prefix+"none-${user.id}")).Obj()
	c.create(c.institution, revocableLab(w).Obj(), policy)
	c.start()
	c.labs(3)
	for user := range v1alpha1.PlatformID(3) {
		completion := c.finish(user + 1)
		c.awaitReason(c.grantOf("done", completion), v1alpha1.ReasonActive)
	}
	c.neverTripped()
	c.change(policy, func() {
		policy.Spec.Revoke.Namespaces = []v1alpha1.RevokedNamespace{{Name: v1alpha1.Template(w.prefix + "${user.id}")}}
	})
	c.awaitTrip(2)
	c.awaitLabs(2, 2)
	c.change(policy, func() {
		policy.Spec.Revoke.Namespaces = []v1alpha1.RevokedNamespace{{Name: v1alpha1.Template(w.prefix + "none-${user.id}")}}
	})
	c.awaitReleased(v1alpha1.ReasonNothingHeld)
	c.awaitLabs(3, 0)
}

// Completions that take nothing from anybody cost no budget, nor do those that take a seat.
func TestTakingSeatsOrNothingDoesNotCount(t *testing.T) {
	t.Parallel()
	w := makeLateWorld(t)
	c := &crowd{world: w, institution: MakeInstitution(w).Obj()}
	c.institution.Spec.RevocationBudget = new(int32(0))
	seats := MakePolicy(w, "seats").Revokes(room).Obj()
	c.create(c.institution, MakePool(w, "room", 5).Obj(), MakePolicy(w, "lab").Seat("room").Obj(), seats,
		revoking(w).Obj())
	c.start()
	labs := c.labs(3)
	for user := range v1alpha1.PlatformID(3) {
		c.awaitReason(c.finish(user+1), v1alpha1.ReasonGranted)
	}
	for _, lab := range labs {
		c.awaitReason(lab, v1alpha1.ReasonRevokedByCompletion)
	}
	c.awaitTaken(map[string]string{})
	c.neverTripped()
}
