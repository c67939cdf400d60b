// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// others makes completions of as many users, of another course than what policies are about unless they say so, and
// waits until all of them are told something.
func (w *world) others(users int) {
	w.t.Helper()
	g := NewWithT(w.t)
	var wait sync.WaitGroup
	for lane := range 8 {
		wait.Go(func() {
			for user := lane + 1; user <= users; user += 8 {
				completion := MakeCompletion(w, v1alpha1.PlatformID(user)).Course(77).Obj()
				if err := admin.Create(w.t.Context(), completion); err != nil {
					w.t.Errorf("create completion %s: %v", completion.Name, err)
				}
			}
		})
	}
	wait.Wait()
	g.Eventually(func(g Gomega) {
		var list v1alpha1.CourseCompletionList
		g.Expect(admin.List(w.t.Context(), &list, client.InNamespace(w.namespace))).To(Succeed())
		told := slices.DeleteFunc(list.Items, func(c v1alpha1.CourseCompletion) bool {
			return c.Status.ObservedGeneration != c.Generation
		})
		g.Expect(told).To(HaveLen(users))
	}, 5*soon, 25*often).Should(Succeed())
}

// concerned is how many completions, and Grants, a policy event may write. On a slow machine a completion is told that
// its Grant makes progress before it is told that it is granted.
type concerned struct{ statuses, grants int }

// costs does something and expects that it has cost these writes in the end, and no others.
func (w *world) costs(what string, want concerned, do func()) {
	w.t.Helper()
	began := w.auditEnd()
	do()
	look := func(g Gomega) {
		taken, refused, _ := w.writes(began)
		told := map[string]int{}
		w.eachWrite(began, func(what string, event auditEvent) {
			if what == "coursecompletions/status" && event.ResponseStatus.Code < 300 {
				told[event.ObjectRef.Name]++
			}
		})
		g.Expect(concerned{statuses: len(told), grants: taken["grants"]}).To(Equal(want), what)
		for name, times := range told {
			g.Expect(times).To(BeNumerically("<=", 2), "%s: statuses of %s", what, name)
		}
		maps.DeleteFunc(refused, func(what string, _ int) bool { return strings.HasSuffix(what, outdated) })
		g.Expect(refused).To(BeEmpty(), what)
	}
	w.eventually(look)
	w.consistently(look)
}

// A thousand people completed another course, and ten the one that a policy is about. What happens to the policies, of
// which there are twenty, costs writes only for those whom it concerns.
func TestPolicyEventsCostOnlyThoseConcerned(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	g := NewWithT(t)
	const others, graduates = 1000, 10
	w.others(others)
	graduate := func(n v1alpha1.PlatformID) *v1alpha1.CourseCompletion { return MakeCompletion(w, 5000+n).Obj() }
	for n := range v1alpha1.PlatformID(graduates) {
		w.create(graduate(n))
	}
	for n := range v1alpha1.PlatformID(graduates) {
		w.awaitReason(graduate(n), v1alpha1.ReasonNothingMatched)
	}
	// What it grants needs no namespace, so that the writes counted are those of the planner.
	lab := MakePolicy(w, "lab").Seat("desk").Obj()
	ready := func(policies ...*v1alpha1.CompletionPolicy) {
		for _, policy := range policies {
			w.awaitReason(policy, v1alpha1.ReasonReady)
		}
	}
	w.create(MakePool(w, "desk", graduates+1).Obj())
	w.costs("a policy about a tenth of a hundredth", concerned{graduates, graduates}, func() {
		w.create(lab)
		ready(lab)
		for n := range v1alpha1.PlatformID(graduates) {
			w.awaitReason(graduate(n), v1alpha1.ReasonGranted)
		}
	})

	var idle []*v1alpha1.CompletionPolicy
	for n := range v1alpha1.PlatformID(19) {
		policy := MakePolicy(w, fmt.Sprintf("idle-%d", n)).Courses(9000 + n).Seat("desk")
		if n%4 == 0 {
			policy.Courses().Expression("course.id < 50")
		}
		idle = append(idle, policy.Obj())
	}
	none := concerned{}
	w.costs("nineteen policies that match nobody", none, func() {
		for _, policy := range idle {
			w.create(policy)
		}
		ready(idle...)
	})
	w.costs("three of them are edited", none, func() {
		for _, policy := range idle[:3] {
			w.change(policy, func() { policy.Spec.Lifetime.MaxDays = 7 })
		}
		ready(idle[:3]...)
	})
	w.costs("two of them break, one of which has no courseIDs", none, func() {
		for _, policy := range idle[4:6] {
			w.change(policy, func() { policy.Spec.Match.Expression = "course.nobody == 1" })
			w.awaitReason(policy, v1alpha1.ReasonInvalidPolicy)
		}
	})
	w.costs("the policy breaks, and those who have what it grants keep it", none, func() {
		w.change(lab, func() { lab.Spec.Match.Expression = "course.nobody == 1" })
		w.awaitReason(lab, v1alpha1.ReasonInvalidPolicy)
	})
	late := graduate(graduates)
	w.costs("who completes now is told", concerned{statuses: 1}, func() {
		w.create(late)
		w.awaitReason(late, v1alpha1.ReasonPolicyFailed)
	})
	broken := MakePolicy(w, "broken").Courses(lab.Spec.Match.CourseIDs...).Expression("course.nobody == 1").
		Seat("desk").Obj()
	w.costs("one that never worked is made for the same course", none, func() {
		w.create(broken)
		w.awaitReason(broken, v1alpha1.ReasonInvalidPolicy)
	})
	w.costs("and goes", none, func() { w.delete(broken) })
	w.costs("the policy is repaired", concerned{1, 1}, func() {
		w.change(lab, func() { lab.Spec.Match.Expression = "" })
		ready(lab)
	})
	w.costs("the policy is suspended", none, func() {
		w.change(lab, func() { lab.Spec.Suspend = new(true) })
		w.awaitReason(lab, v1alpha1.ReasonSuspended)
	})
	w.costs("all the others are deleted", none, func() {
		for _, policy := range idle {
			w.delete(policy)
		}
	})
	w.costs("the policy goes, and its grants stay", none, func() { w.delete(lab) })
	w.get(late)
	g.Expect(late.Status.Policies).To(HaveLen(1))
}

// An edit renders every Grant anew, and costs no status of a completion.
func TestGrantsThatAreRenderedAnewCostNoCompletionStatus(t *testing.T) {
	t.Parallel()
	w, grant := labWithOne(t)
	completion := MakeCompletion(w, 1).Obj()
	w.awaitReason(completion, v1alpha1.ReasonGranted)
	policy := MakeLab(w, "lab").Obj()
	w.costs("an edit of the labels", concerned{grants: 1}, func() {
		w.change(policy, func() { policy.Spec.Namespaces[0].Labels = map[string]v1alpha1.Template{"team": "blue"} })
		w.eventually(func(g Gomega) {
			w.get(grant)
			g.Expect(grant.Spec.Namespaces[0].Labels).To(HaveKeyWithValue("team", "blue"))
		})
		w.awaitActive(grant)
	})
}
