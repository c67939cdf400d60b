// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"fmt"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// redeliver changes every completion as a newer delivery does.
func (c *crowd) redeliver(change func(completion *v1alpha1.CourseCompletion)) {
	c.t.Helper()
	for _, completion := range c.completions {
		c.change(completion, func() {
			sendAt(completion, "2026-03-01 11:00:00")
			change(completion)
		})
	}
}

// subjects returns how many users' RoleBindings name somebody.
func (c *crowd) subjects(g Gomega, name func(user v1alpha1.PlatformID) string) int {
	found := 0
	for _, completion := range c.completions {
		user := completion.Spec.User.ID
		binding := c.accessOf(user)
		if client.IgnoreNotFound(admin.Get(c.t.Context(), keyOf(binding), binding)) != nil {
			g.Expect(user).To(BeZero(), "its RoleBinding cannot be read")
		}
		for _, subject := range binding.Subjects {
			if subject.Name == name(user) {
				found++
			}
		}
	}
	return found
}

func owner(user v1alpha1.PlatformID) string { return fmt.Sprintf("graciliano.%d@example.org", user) }

// Who has a token can send another e-mail for everybody, and would have everybody's namespace.
func TestBrakeHoldsSubjectsThatAreReplaced(t *testing.T) {
	t.Parallel()
	c := newCrowd(t, new(int32(2)), 5)
	stranger := func(v1alpha1.PlatformID) string { return "stranger@example.net" }
	await := func(owners, strangers, held int) {
		t.Helper()
		look := func(g Gomega) {
			g.Expect(c.subjects(g, owner)).To(Equal(owners))
			g.Expect(c.subjects(g, stranger)).To(Equal(strangers))
			active, paused, _ := c.standings(g)
			g.Expect([]int{active, paused}).To(Equal([]int{len(c.completions) - held, held}), "active, held")
		}
		c.eventually(look)
		c.consistently(look)
	}
	c.redeliver(func(completion *v1alpha1.CourseCompletion) { completion.Spec.User.Email = stranger(0) })
	trip := c.awaitTrip(3)
	await(3, 2, 3)
	c.stop()
	c.start()
	await(3, 2, 3)
	NewWithT(t).Expect(c.awaitTrip(3)).To(Equal(trip), "it is another trip after a restart")

	// Everything else of a Grant that is held goes on.
	c.change(c.policy, func() { c.policy.Spec.Namespaces[0].ResourceQuota.Hard["count/pods"] = "25" })
	for _, completion := range c.completions {
		c.eventually(func(g Gomega) {
			quota := c.quotaOf(completion.Spec.User.ID)
			g.Expect(admin.Get(t.Context(), keyOf(quota), quota)).To(Succeed())
			pods := quota.Spec.Hard["count/pods"]
			g.Expect(pods.Value()).To(BeEquivalentTo(25))
		})
	}
	await(3, 2, 3)
	c.release(trip)
	c.awaitReleased(v1alpha1.ReasonReleased)
	await(0, 5, 0)
}

// What a policy no longer says goes through the brake as well, and is back where the policy is put right.
func TestBrakeHoldsAccessThatAPolicyDrops(t *testing.T) {
	t.Parallel()
	c := newCrowd(t, new(int32(1)), 3)
	access := c.policy.Spec.Namespaces[0].Access
	c.change(c.policy, func() { c.policy.Spec.Namespaces[0].Access = nil })
	c.awaitTrip(2)
	c.eventually(func(g Gomega) { g.Expect(c.subjects(g, owner)).To(Equal(2)) })
	c.change(c.policy, func() { c.policy.Spec.Namespaces[0].Access = access })
	c.awaitReleased(v1alpha1.ReasonNothingHeld)
	c.await(3, 0, 0)
}

// What somebody else put into a RoleBinding is no access that the Grant gave: it goes, and does not count.
func TestDriftOfAccessIsNotBraked(t *testing.T) {
	t.Parallel()
	c := newCrowd(t, new(int32(0)), 1)
	binding := c.accessOf(1)
	c.change(binding, func() {
		binding.Subjects = append(binding.Subjects, rbacv1.Subject{
			APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: "stranger@example.net"})
	})
	c.eventually(func(g Gomega) {
		g.Expect(admin.Get(t.Context(), keyOf(binding), binding)).To(Succeed())
		g.Expect(binding.Subjects).To(ConsistOf(HaveField("Name", owner(1))))
	})
	c.neverTripped()
}

// Who has a token can send an expiry of the day after tomorrow for everybody, and wait.
func TestBrakeHoldsEndsThatDeliveriesBringForward(t *testing.T) {
	t.Parallel()
	c := newCrowd(t, new(int32(2)), 5)
	c.redeliver(func(completion *v1alpha1.CourseCompletion) { completion.Spec.Enrollment.DateExpire = "2026-03-20" })
	trip := c.awaitTrip(3)
	c.await(5, 0, 0)
	told := 0
	for _, grant := range c.grants(NewWithT(t)) {
		if message := ready(&grant).Message; message != "everything is in place" {
			NewWithT(t).Expect(message).To(HavePrefix(
				"everything is in place; a delivery moved its end forward to 2026-03-21T03:00:00Z, which is paused: "))
			told++
		}
	}
	NewWithT(t).Expect(told).To(Equal(3))

	c.step(15 * 24 * time.Hour)
	c.await(0, 3, 2)
	c.stop()
	c.start()
	c.await(0, 3, 2)
	c.release(trip)
	c.awaitReleased(v1alpha1.ReasonReleased)
	c.await(0, 0, 5)
}

// What a person releases at once ends when it falls due.
func TestEndsThatWereBroughtForwardAndReleasedComeWhenTheyFallDue(t *testing.T) {
	t.Parallel()
	c := newCrowd(t, new(int32(1)), 4)
	c.redeliver(func(completion *v1alpha1.CourseCompletion) { completion.Spec.Enrollment.DateExpire = "2026-03-20" })
	trip := c.awaitTrip(3)
	c.release(trip)
	c.awaitReleased(v1alpha1.ReasonReleased)
	c.await(4, 0, 0)
	c.step(15 * 24 * time.Hour)
	c.await(0, 0, 4)
}
