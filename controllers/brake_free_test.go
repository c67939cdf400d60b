// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"testing"
	"time"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// Ends that were known for a day go whatever the budget is, and are not even written down.
func TestEndsKnownForADayPassTheBrake(t *testing.T) {
	t.Parallel()
	c := newCrowd(t, new(int32(0)), 0)
	for user := range v1alpha1.PlatformID(5) {
		completion := MakeCompletion(c.world, user+1).Expire("2026-03-20").Obj()
		c.completions = append(c.completions, completion)
		c.create(completion)
	}
	for _, completion := range c.completions {
		c.awaitActive(c.grantOf("lab", completion))
	}
	c.step(11 * oneDay)
	c.await(0, 0, 5)
	c.neverTripped()
	g := NewWithT(t)
	for _, grant := range c.grants(g) {
		g.Expect(grant.Status.Admissions).To(BeEmpty())
	}
}

// An end that was known for less than a day is not known for long enough, even if it is the end of an enrollment.
func TestEndsThatAreNearCount(t *testing.T) {
	t.Parallel()
	c := newCrowd(t, new(int32(1)), 0)
	for user := range v1alpha1.PlatformID(3) {
		completion := MakeCompletion(c.world, user+1).Expire("2026-03-10").Obj()
		c.completions = append(c.completions, completion)
		c.create(completion)
	}
	for _, completion := range c.completions {
		c.awaitActive(c.grantOf("lab", completion))
	}
	c.step(oneDay)
	c.awaitTrip(2)
	c.await(0, 2, 1)
}

// While everything else is held, what people order in a Grant itself goes.
func TestOrdersOfPeoplePassTheBrake(t *testing.T) {
	t.Parallel()
	c := newCrowd(t, new(int32(0)), 4)
	guest := MakeGrant(c.world, "guest", 42).Seat("room").Obj()
	dated := MakeGrant(c.world, "dated", 43).Seat("room").Obj()
	c.create(guest, dated)
	c.awaitActive(guest)
	c.awaitActive(dated)
	c.withdraw(0, 3)
	c.awaitTrip(3)

	revoked, until := c.grantOf("lab", c.completions[0]), c.grantOf("lab", c.completions[3])
	c.change(revoked, func() {
		revoked.Spec.Override = v1alpha1.GrantOverride{Revoked: new(true), Reason: "the dean says so"}
	})
	c.awaitReason(revoked, v1alpha1.ReasonRevoked)
	c.change(until, func() {
		until.Spec.Override = v1alpha1.GrantOverride{
			Until: new(metav1.NewTime(c.clock.Now().Add(-time.Minute))), Reason: "moved away"}
	})
	c.awaitReason(until, v1alpha1.ReasonEnded)
	c.change(dated, func() { dated.Spec.AccessEndsAt = new(metav1.NewTime(c.clock.Now().Add(-time.Minute))) })
	c.awaitReason(dated, v1alpha1.ReasonEnded)
	c.delete(guest)
	c.awaitGone(guest)
	c.awaitTrip(2)
	g := NewWithT(t)
	g.Expect(c.taken(g)).To(HaveLen(2))
	g.Expect(c.bindings(g)).To(HaveLen(2))
}

// An institution that is suspended takes nothing, and asks nobody.
func TestSuspendedInstitutionDoesNotTripItsBrake(t *testing.T) {
	t.Parallel()
	c := newCrowd(t, new(int32(1)), 3)
	c.change(c.institution, func() { c.institution.Spec.Suspend = new(true) })
	for _, completion := range c.completions {
		c.awaitReason(c.grantOf("lab", completion), v1alpha1.ReasonSuspended)
	}
	c.withdraw(0, 3)
	c.neverTripped()
	c.change(c.institution, func() { c.institution.Spec.Suspend = nil })
	c.awaitTrip(2)
	c.await(0, 2, 1)
}
