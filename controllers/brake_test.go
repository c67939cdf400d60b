// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"testing"

	. "github.com/onsi/gomega"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// Somebody deletes everything at once: as many as the budget go, and the others keep their access and their seats until
// a person says that it is meant.
func TestBrakeHoldsWhatExceedsTheBudget(t *testing.T) {
	t.Parallel()
	const users, budget = 30, 20
	c := newCrowd(t, nil, users)
	g := NewWithT(t)
	before := c.bindings(g)
	g.Expect(before).To(HaveLen(users))
	c.withdraw(0, users)
	trip := c.awaitTrip(users - budget)
	c.await(0, users-budget, budget)
	for namespace, uid := range c.bindings(g) {
		g.Expect(uid).To(Equal(before[namespace]), "the access of %s was taken and given back", namespace)
	}
	g.Expect(c.events(g)).To(HaveKeyWithValue(v1alpha1.ReasonBudgetExceeded, 1))

	c.release(trip)
	c.awaitReleased(v1alpha1.ReasonReleased)
	c.await(0, 0, users)
	g.Expect(c.events(g)).To(HaveKeyWithValue(v1alpha1.ReasonBudgetExceeded, 1))
	g.Expect(c.events(g)).To(HaveKeyWithValue(v1alpha1.ReasonReleased, 1))
	c.get(c.institution)
	g.Expect(c.institution.Status.Brake.ReleasedTrip).To(Equal(trip))
}

// What does not name the trip that holds releases nothing, whatever it names; and what comes after a release is counted
// anew.
func TestOnlyTheNameOfTheTripReleasesIt(t *testing.T) {
	t.Parallel()
	c := newCrowd(t, new(int32(2)), 4)
	g := NewWithT(t)
	c.withdraw(0, 4)
	first := c.awaitTrip(2)
	c.await(0, 2, 2)
	for i, wrong := range []string{"yes", first[:len(first)-1], first + " "} {
		c.release(wrong)
		c.eventually(func(g Gomega) {
			g.Expect(c.events(g)).To(HaveKeyWithValue(v1alpha1.ReasonReleaseIgnored, i+1))
		})
		c.await(0, 2, 2)
	}
	c.release(first)
	c.awaitReleased(v1alpha1.ReasonReleased)
	c.await(0, 0, 4)

	c.join(5)
	c.withdraw(4, 9)
	second := c.awaitTrip(3)
	g.Expect(second).NotTo(Equal(first))
	c.await(0, 3, 6)
	// The annotation still has the name of the first one. Setting it again does not help either.
	c.release("")
	c.release(first)
	c.await(0, 3, 6)
	g.Expect(c.awaitTrip(3)).To(Equal(second))
	c.release(second)
	c.awaitReleased(v1alpha1.ReasonReleased)
	c.await(0, 0, 9)
	g.Expect(c.events(g)).To(HaveKeyWithValue(v1alpha1.ReasonBudgetExceeded, 2))
	g.Expect(c.events(g)).To(HaveKeyWithValue(v1alpha1.ReasonReleased, 2))
}

// What is held is kept as what is granted is: drift is corrected, and nothing new is given.
func TestHeldGrantsAreKeptInPlace(t *testing.T) {
	t.Parallel()
	c := newCrowd(t, new(int32(0)), 1)
	c.withdraw(0, 1)
	c.awaitTrip(1)
	c.await(0, 1, 0)
	binding := c.accessOf(1)
	c.get(binding)
	uid := binding.UID
	c.delete(binding)
	c.eventually(func(g Gomega) {
		g.Expect(admin.Get(t.Context(), keyOf(binding), binding)).To(Succeed())
		g.Expect(binding.UID).NotTo(Equal(uid))
	})
	c.await(0, 1, 0)
}

// An institution that is gone has no brake, and no metrics of one.
func TestBrakeGoesWithItsInstitution(t *testing.T) {
	t.Parallel()
	c := newCrowd(t, new(int32(0)), 2)
	c.withdraw(0, 2)
	c.awaitTrip(2)
	c.delete(c.institution)
	c.eventually(func(g Gomega) { g.Expect(c.gauges(g)).To(BeEmpty()) })
	c.consistently(func(g Gomega) { g.Expect(c.bindings(g)).To(HaveLen(2)) })
}
