// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"testing"

	. "github.com/onsi/gomega"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// deletePolicy deletes a policy and waits until the manager has seen that: it sees what happens to policies in order.
func (w *world) deletePolicy(policy *v1alpha1.CompletionPolicy) {
	w.t.Helper()
	w.delete(policy)
	next := MakePolicy(w, "after-"+policy.Name).Courses(999).Seat("none").Obj()
	w.create(next)
	w.awaitReason(next, v1alpha1.ReasonReady)
}

// Nobody would make the Grant again, so that nobody could take the access any more: it goes. The data is left to
// people.
func TestDeletedGrantThatNobodyPlansAgainLosesItsAccess(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		// before happens to the policy, and has shown to the manager when it returns.
		before func(w *world, policy *v1alpha1.CompletionPolicy)
	}{
		{"the policy has gone", (*world).deletePolicy},
		{"the policy is faulty", func(w *world, policy *v1alpha1.CompletionPolicy) {
			w.change(policy, func() { policy.Spec.Match.Expression = "nonsense(" })
			w.awaitReason(policy, v1alpha1.ReasonInvalidPolicy)
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w, _, grant := labWithGrace(t, 0)
			namespace := w.learner(1)
			w.get(namespace)
			w.get(w.accessOf(1))
			tc.before(w, MakeLab(w, "lab").Obj())
			w.delete(grant)
			w.awaitGone(grant)
			w.awaitGone(w.accessOf(1))
			w.stays(namespace, namespace.UID)
			w.get(w.quotaOf(1))
			w.consistently(func(g Gomega) { g.Expect(w.grants(g)).To(BeEmpty()) })
		})
	}
}

// A policy that comes back plans its Grants again, and they take back what was left to people.
func TestGrantOfAPolicyThatComesBackTakesItsNamespaceBack(t *testing.T) {
	t.Parallel()
	w, completion, grant := labWithGrace(t, 0)
	namespace := w.learner(1)
	w.get(namespace)
	w.deletePolicy(MakeLab(w, "lab").Obj())
	w.delete(grant)
	w.awaitGone(grant)
	w.awaitGone(w.accessOf(1))
	w.create(MakeLab(w, "lab").Obj())
	w.awaitActive(w.grantOf("lab", completion))
	// The manager may have yet to see that what it gave before has gone.
	w.eventually(func(g Gomega) {
		g.Expect(admin.Get(t.Context(), keyOf(w.accessOf(1)), w.accessOf(1))).To(Succeed())
	})
	w.stays(namespace, namespace.UID)
}
