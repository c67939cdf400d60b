// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"testing"

	. "github.com/onsi/gomega"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// countsOf returns counts by phase, without those that are zero.
func countsOf(g Gomega, counts v1alpha1.GrantCounts) map[v1alpha1.GrantPhase]int32 {
	found := map[v1alpha1.GrantPhase]int32{}
	for phase, count := range map[v1alpha1.GrantPhase]*int32{
		v1alpha1.GrantPending: counts.Pending, v1alpha1.GrantAwaitingApproval: counts.AwaitingApproval,
		v1alpha1.GrantWaiting: counts.Waiting, v1alpha1.GrantActive: counts.Active, v1alpha1.GrantEnded: counts.Ended,
		v1alpha1.GrantSuspended: counts.Suspended,
	} {
		g.Expect(count).NotTo(BeNil(), "a count of zero shows as such")
		if *count != 0 {
			found[phase] = *count
		}
	}
	return found
}

func TestStatusCountsGrantsAndCompletions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	lab, exam := MakeLab(w, "lab").Obj(), MakePolicy(w, "exam").Namespace(v1alpha1.Template(w.prefix+"e-${user.id}")).Obj()
	exam.Spec.Approval = v1alpha1.ApprovalManual
	waits, institution := MakePolicy(w, "waits").Seat("room").Obj(), MakeInstitution(w).Obj()
	first, second := MakeCompletion(w, 1).Obj(), MakeCompletion(w, 2).Obj()
	w.create(lab, exam, waits, first, second)
	type counts map[v1alpha1.GrantPhase]int32
	await := func(completions int32, want map[*v1alpha1.CompletionPolicy]counts, all counts) {
		t.Helper()
		w.eventually(func(g Gomega) {
			for policy, wanted := range want {
				w.get(policy)
				g.Expect(counts(countsOf(g, policy.Status.Grants))).To(Equal(wanted), policy.Name)
			}
		})
		// It counts when it looks at its tokens, and when it is looked at.
		w.touch(institution)
		w.eventually(func(g Gomega) {
			w.get(institution)
			g.Expect(counts(countsOf(g, institution.Status.Grants))).To(Equal(all))
			g.Expect(institution.Status.Completions).To(HaveValue(Equal(completions)))
		})
	}
	await(2, map[*v1alpha1.CompletionPolicy]counts{
		lab: {v1alpha1.GrantActive: 2}, exam: {v1alpha1.GrantAwaitingApproval: 2}, waits: {v1alpha1.GrantWaiting: 2},
	}, counts{v1alpha1.GrantActive: 2, v1alpha1.GrantAwaitingApproval: 2, v1alpha1.GrantWaiting: 2})

	w.delete(second)
	await(1, map[*v1alpha1.CompletionPolicy]counts{
		lab:   {v1alpha1.GrantActive: 1, v1alpha1.GrantEnded: 1},
		exam:  {v1alpha1.GrantAwaitingApproval: 1, v1alpha1.GrantEnded: 1},
		waits: {v1alpha1.GrantWaiting: 1, v1alpha1.GrantEnded: 1},
	}, counts{
		v1alpha1.GrantActive: 1, v1alpha1.GrantAwaitingApproval: 1, v1alpha1.GrantWaiting: 1, v1alpha1.GrantEnded: 3,
	})
}
