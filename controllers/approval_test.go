// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"testing"

	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// manualLab is a lab that a person approves, without grace.
func manualLab(w *world) *v1alpha1.CompletionPolicy {
	policy := MakeLab(w, "lab").Obj()
	policy.Spec.Approval = v1alpha1.ApprovalManual
	return policy
}

func TestApprovalIsWaitedForGivenAndTakenBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	g := NewWithT(t)
	completion, namespace := MakeCompletion(w, 1).Obj(), w.learner(1)
	w.create(manualLab(w), completion)
	grant := w.grantOf("lab", completion)
	w.awaitReason(grant, v1alpha1.ReasonAwaitingApproval)
	g.Expect(grant.Status.Phase).To(Equal(v1alpha1.GrantAwaitingApproval))
	g.Expect(said(g, grant)).NotTo(ContainSubstring(completion.Spec.User.Email), "nothing is filled in before")
	w.awaitReason(completion, v1alpha1.ReasonGrantNotReady)
	g.Expect(ready(completion).Message).To(ContainSubstring("spec.override"), "it says what to do")
	w.consistently(func(g Gomega) {
		g.Expect(apierrors.IsNotFound(admin.Get(t.Context(), keyOf(namespace), namespace))).To(BeTrue())
	})

	w.change(grant, func() {
		grant.Spec.Override = v1alpha1.GrantOverride{Approved: new(true), Reason: "examined"}
	})
	w.awaitActive(grant)
	w.get(w.accessOf(1))
	w.get(namespace)
	w.awaitReason(completion, v1alpha1.ReasonGranted)
	// An approval is for what comes later, too.
	w.change(completion, func() { sendAt(completion, "2026-03-05 10:00:00") })
	w.eventually(func(g Gomega) {
		w.get(grant)
		g.Expect(grant.Spec.Causes[0].SendAt).To(Equal("2026-03-05 10:00:00"))
	})
	w.awaitActive(grant)
	g.Expect(grant.Spec.Override.Approved).To(HaveValue(BeTrue()))

	w.change(grant, func() { grant.Spec.Override = v1alpha1.GrantOverride{} })
	w.awaitReason(grant, v1alpha1.ReasonAwaitingApproval)
	w.awaitGone(w.accessOf(1))
	w.stays(namespace, namespace.UID)
	w.step(60 * oneDay)
	w.stays(namespace, namespace.UID)
	w.get(w.quotaOf(1))

	// What was never approved again still ends with its completion.
	w.delete(completion)
	w.awaitGone(namespace)
	w.awaitReason(grant, v1alpha1.ReasonEnded)
}

func TestApprovalThatAPolicyAsksForLaterHoldsUpNothingItGave(t *testing.T) {
	t.Parallel()
	w, _, grant := labWithGrace(t, 0)
	policy, next := MakeLab(w, "lab").Obj(), MakeCompletion(w, 2).Obj()
	w.change(policy, func() { policy.Spec.Approval = v1alpha1.ApprovalManual })
	w.awaitSeen(policy)
	w.create(next)
	waiting := w.grantOf("lab", next)
	w.awaitReason(waiting, v1alpha1.ReasonAwaitingApproval)
	w.awaitActive(grant)
	w.get(w.accessOf(1))

	w.change(policy, func() { policy.Spec.Approval = v1alpha1.ApprovalAutomatic })
	w.awaitActive(waiting)
	w.get(w.accessOf(2))
}
