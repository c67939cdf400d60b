// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"fmt"
	"testing"

	. "github.com/onsi/gomega"
	eventsv1 "k8s.io/api/events/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// crowd is an institution with a budget of revocations, and users who have what a policy grants them.
type crowd struct {
	*world
	institution *v1alpha1.Institution
	policy      *v1alpha1.CompletionPolicy
	completions []*v1alpha1.CourseCompletion
}

// newCrowd makes so many users, the first one with the id 1, each with a namespace and a seat. Nil is the default
// budget.
func newCrowd(t *testing.T, budget *int32, users int) *crowd {
	t.Helper()
	return makeWorld(t).crowd(budget, users)
}

func (w *world) crowd(budget *int32, users int) *crowd {
	w.t.Helper()
	c := &crowd{world: w, institution: MakeInstitution(w).Obj(), policy: MakeLab(w, "lab").Seat("room").Obj()}
	c.institution.Spec.RevocationBudget = budget
	w.create(c.institution, MakePool(w, "room", 100).Obj(), c.policy)
	w.start()
	c.join(users)
	return c
}

// join lets more users complete the course, and waits until they have what it grants.
func (c *crowd) join(users int) {
	c.t.Helper()
	first := len(c.completions)
	for n := range users {
		completion := MakeCompletion(c.world, v1alpha1.PlatformID(first+n+1)).Obj()
		c.completions = append(c.completions, completion)
		c.create(completion)
	}
	for _, completion := range c.completions[first:] {
		c.awaitActive(c.grantOf("lab", completion))
	}
}

// withdraw deletes the completions from one user to another, the first one counted from 0.
func (c *crowd) withdraw(from, to int) {
	c.t.Helper()
	for _, completion := range c.completions[from:to] {
		c.delete(completion)
	}
}

// standings returns how many Grants are in place, are held back by the brake, and have ended.
func (c *crowd) standings(g Gomega) (active, held, ended int) {
	for _, grant := range c.grants(g) {
		switch {
		case ready(&grant).Reason == v1alpha1.ReasonActive:
			active++
		case ready(&grant).Reason == v1alpha1.ReasonRevocationPaused:
			g.Expect(grant.Status.Phase).To(Equal(v1alpha1.GrantActive))
			held++
		case grant.Status.AccessEndedAt != nil:
			ended++
		}
	}
	return active, held, ended
}

// await waits until the Grants stand so, and makes sure that they stay so, with the access and seats that go with it.
func (c *crowd) await(active, held, ended int) {
	c.t.Helper()
	look := func(g Gomega) {
		gotActive, gotHeld, gotEnded := c.standings(g)
		g.Expect([]int{gotActive, gotHeld, gotEnded}).To(Equal([]int{active, held, ended}), "active, held, ended")
		g.Expect(c.taken(g)).To(HaveLen(active + held))
		g.Expect(c.bindings(g)).To(HaveLen(active + held))
	}
	c.eventually(look)
	c.consistently(look)
}

// bindings returns the uids of the RoleBindings that give access, by their namespace.
func (c *crowd) bindings(g Gomega) map[string]types.UID {
	var list rbacv1.RoleBindingList
	g.Expect(admin.List(c.t.Context(), &list, client.HasLabels{v1alpha1.LabelGrant})).To(Succeed())
	found := map[string]types.UID{}
	for i := range list.Items {
		for _, completion := range c.completions {
			if name := list.Items[i].Namespace; name == c.learner(completion.Spec.User.ID).Name {
				found[name] = list.Items[i].UID
			}
		}
	}
	return found
}

// awaitTrip waits until the brake holds so many Grants, and returns the name of the trip.
func (c *crowd) awaitTrip(held int32) string {
	c.t.Helper()
	c.eventually(func(g Gomega) {
		c.get(c.institution)
		status := c.institution.Status.Brake
		g.Expect(status.Trip).NotTo(BeEmpty())
		g.Expect(status.TrippedAt).NotTo(BeNil())
		g.Expect(status.Held).To(HaveValue(Equal(held)))
		condition := c.paused()
		g.Expect(condition.Status).To(Equal(metav1.ConditionTrue))
		g.Expect(condition.Reason).To(Equal(v1alpha1.ReasonBudgetExceeded))
		g.Expect(condition.Message).To(ContainSubstring("revocations of %d grants are paused", held))
		g.Expect(condition.Message).To(ContainSubstring(fmt.Sprintf(
			"kubectl annotate institution school -n %s --overwrite completions.lxp.dev/release-brake=%s",
			c.namespace, status.Trip)))
		c.expectMetrics(g, 1, float64(held))
	})
	return c.institution.Status.Brake.Trip
}

// awaitReleased waits until the brake holds nothing, for a reason.
func (c *crowd) awaitReleased(reason string) {
	c.t.Helper()
	c.eventually(func(g Gomega) {
		c.get(c.institution)
		condition := c.paused()
		g.Expect(condition.Status).To(Equal(metav1.ConditionFalse))
		g.Expect(condition.Reason).To(Equal(reason))
		g.Expect(c.institution.Status.Brake.Trip).To(BeEmpty())
		g.Expect(c.institution.Status.Brake.Held).To(BeNil())
		c.expectMetrics(g, 0, 0)
	})
}

// paused returns the condition of the institution as it was read.
func (c *crowd) paused() metav1.Condition {
	found := meta.FindStatusCondition(c.institution.Status.Conditions, v1alpha1.ConditionRevocationsPaused)
	if found == nil {
		return metav1.Condition{}
	}
	return *found
}

// neverTripped makes sure that the brake has not tripped, ever.
func (c *crowd) neverTripped() {
	c.t.Helper()
	c.consistently(func(g Gomega) {
		c.get(c.institution)
		g.Expect(c.institution.Status.Brake).To(BeZero())
		g.Expect(c.paused()).To(BeZero())
	})
}

// release does what the condition says.
func (c *crowd) release(trip string) {
	c.t.Helper()
	c.change(c.institution, func() {
		metav1.SetMetaDataAnnotation(&c.institution.ObjectMeta, v1alpha1.AnnotationReleaseBrake, trip)
	})
}

func (c *crowd) expectMetrics(g Gomega, tripped, held float64) {
	got := c.gauges(g)
	g.Expect(got).To(HaveKeyWithValue("completion_brake_tripped", tripped))
	g.Expect(got).To(HaveKeyWithValue("completion_revocations_held", held))
}

// gauges returns the metrics of the institution.
func (c *crowd) gauges(g Gomega) map[string]float64 {
	got := map[string]float64{}
	families, err := metrics.Registry.Gather()
	g.Expect(err).NotTo(HaveOccurred())
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			for _, label := range metric.GetLabel() {
				if label.GetName() == "namespace" && label.GetValue() == c.namespace {
					got[family.GetName()] = metric.GetGauge().GetValue()
				}
			}
		}
	}
	return got
}

// events counts the events about the institution by their reason.
func (c *crowd) events(g Gomega) map[string]int {
	var list eventsv1.EventList
	g.Expect(admin.List(c.t.Context(), &list, client.InNamespace(c.namespace))).To(Succeed())
	counts := map[string]int{}
	for _, event := range list.Items {
		if event.Regarding.Kind != "Institution" {
			continue
		}
		counts[event.Reason]++
		if event.Series != nil {
			counts[event.Reason] += int(event.Series.Count) - 1
		}
	}
	return counts
}
