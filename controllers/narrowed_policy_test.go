// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"testing"

	. "github.com/onsi/gomega"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// A policy that grants less takes no seat from whoever has one, unless it is to take back what it no longer says. That
// is what the edit says, and does not count for the brake.
func TestNarrowedPolicyKeepsSeats(t *testing.T) {
	t.Parallel()
	c := newCrowd(t, new(int32(0)), 2)
	g := NewWithT(t)
	seats := c.taken(g)
	g.Expect(seats).To(HaveLen(2))
	c.change(c.policy, func() { c.policy.Spec.Seats = []v1alpha1.SeatTemplate{{Pool: "desk"}} })
	grant := c.grantOf("lab", c.completions[0])
	c.awaitReason(grant, v1alpha1.ReasonPoolMissing)
	c.create(MakePool(c.world, "desk", 2).Obj())
	for _, completion := range c.completions {
		grant := c.grantOf("lab", completion)
		c.awaitActive(grant)
		g.Expect(grant.Status.Seats).To(HaveLen(2))
	}
	for seat, holder := range seats {
		g.Expect(c.taken(g)).To(HaveKeyWithValue(seat, holder))
	}

	c.change(c.policy, func() { c.policy.Spec.OnPolicyRemoval = v1alpha1.RemovalDelete })
	c.eventually(func(g Gomega) {
		taken := c.taken(g)
		g.Expect(taken).To(HaveLen(2))
		g.Expect(taken).NotTo(HaveKey("room-0"))
		g.Expect(taken).NotTo(HaveKey("room-1"))
	})
	c.await(2, 0, 0)
	c.neverTripped()
}

// A policy that only revokes by now takes back what it gave, if it is to: that its Grants say nothing any more does not
// mean that they wait for it.
func TestPolicyThatGivesNothingAnyMoreTakesBackWhatItGave(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	policy, completion := MakeLab(w, "lab").OnPolicyRemoval(v1alpha1.RemovalDelete).Obj(), MakeCompletion(w, 1).Obj()
	w.create(policy, completion)
	w.awaitActive(w.grantOf("lab", completion))
	w.change(policy, func() {
		policy.Spec.Namespaces = nil
		policy.Spec.Revoke.Seats = []v1alpha1.RevokedSeat{{Pool: "room"}}
	})
	w.awaitGone(w.accessOf(1))
}
