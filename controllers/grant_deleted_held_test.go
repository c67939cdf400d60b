// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"testing"

	. "github.com/onsi/gomega"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// Where nothing is taken, deleting a planned Grant takes nothing either: it waits, and its holder keeps what it has.
func TestDeletedGrantWaitsWhileNothingIsTaken(t *testing.T) {
	t.Parallel()
	suspend := func(c *crowd) { c.change(c.institution, func() { c.institution.Spec.Suspend = new(true) }) }
	resume := func(c *crowd) { c.change(c.institution, func() { c.institution.Spec.Suspend = nil }) }
	removed := func(c *crowd) {
		c.delete(c.policy)
		c.awaitGone(c.policy)
	}
	for _, tc := range []struct {
		name string
		// before happens before the Grant is deleted, and after once it waits.
		before, after func(c *crowd)
		want          string
		// shows is whether the Grant says so before it is deleted.
		shows bool
		// wantAgain is whether the Grant comes back, with what it had.
		wantAgain bool
	}{
		{"the institution is suspended, and the policy has gone",
			func(c *crowd) { removed(c); suspend(c) }, resume, v1alpha1.ReasonSuspended, true, false},
		{"the institution is suspended, and the policy is there", suspend, resume, v1alpha1.ReasonSuspended, true, true},
		{"two institutions have one id", func(c *crowd) {
			removed(c)
			c.create(MakeInstitution(c.world).Name("twin").Obj())
		}, func(c *crowd) { c.delete(MakeInstitution(c.world).Name("twin").Obj()) },
			v1alpha1.ReasonDuplicateInstitution, true, false},
		{"the policy is suspended", func(c *crowd) {
			c.change(c.policy, func() { c.policy.Spec.Suspend = new(true) })
			c.awaitReason(c.policy, v1alpha1.ReasonSuspended)
		}, func(c *crowd) { c.change(c.policy, func() { c.policy.Spec.Suspend = nil }) },
			v1alpha1.ReasonSuspended, false, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			c := newCrowd(t, nil, 1)
			g := NewWithT(t)
			bindings, seats := c.bindings(g), c.taken(g)
			grant := c.grantOf("lab", c.completions[0])
			tc.before(c)
			if tc.shows {
				// The cache that decides shows it then.
				c.eventually(func(g Gomega) {
					c.get(grant)
					g.Expect(ready(grant).Reason).To(Equal(tc.want))
				})
			}
			c.get(grant)
			c.delete(grant)
			look := func(g Gomega) {
				found := c.grants(g)
				g.Expect(found).To(HaveLen(1))
				g.Expect(found[0].UID).To(Equal(grant.UID))
				g.Expect(found[0].DeletionTimestamp).NotTo(BeNil())
				g.Expect(ready(&found[0]).Reason).To(Equal(tc.want))
				g.Expect(c.bindings(g)).To(Equal(bindings))
				g.Expect(c.taken(g)).To(Equal(seats))
			}
			c.eventually(look)
			c.consistently(look)
			tc.after(c)
			if !tc.wantAgain {
				c.awaitGone(grant)
				c.eventually(func(g Gomega) {
					g.Expect(c.bindings(g)).To(BeEmpty())
					g.Expect(c.taken(g)).To(BeEmpty())
				})
				return
			}
			c.eventually(func(g Gomega) {
				found := c.grants(g)
				g.Expect(found).To(HaveLen(1))
				g.Expect(found[0].UID).NotTo(Equal(grant.UID))
				g.Expect(ready(&found[0]).Reason).To(Equal(v1alpha1.ReasonActive))
			})
			g.Expect(c.bindings(g)).To(Equal(bindings))
		})
	}
}

// Grants that give nothing, and only take something away, are let go of whatever the budget is.
func TestDeletedGrantsThatGiveNothingDoNotCount(t *testing.T) {
	t.Parallel()
	w := makeLateWorld(t)
	c := &crowd{world: w, institution: MakeInstitution(w).Obj()}
	c.institution.Spec.RevocationBudget = new(int32(0))
	policy := MakePolicy(w, "done").Courses(finishing).Revokes(nil, v1alpha1.Template(w.prefix+"none-${user.id}")).Obj()
	c.create(c.institution, policy)
	c.start()
	var grants []*v1alpha1.Grant
	for user := range v1alpha1.PlatformID(2) {
		grant := c.grantOf("done", c.finish(user+1))
		c.awaitReason(grant, v1alpha1.ReasonActive)
		grants = append(grants, grant)
	}
	c.delete(policy)
	c.awaitGone(policy)
	for _, grant := range grants {
		c.delete(grant)
	}
	for _, grant := range grants {
		c.awaitGone(grant)
	}
	c.neverTripped()
}
