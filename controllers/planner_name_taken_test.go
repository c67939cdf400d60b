// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"testing"

	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// A Grant that a person made may have the name of a planned one. It is not touched, and holds up nothing else.
func TestHandmadeGrantInTheWayOfAPlannedOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	g := NewWithT(t)
	completion := MakeCompletion(w, 1).Obj()
	planned := w.grantOf("lab", completion)
	byHand := MakeGrant(w, planned.Name, 1).Namespace(w.prefix + "hand").Obj()
	w.create(byHand)
	w.awaitActive(byHand)
	uid, spec := byHand.UID, byHand.Spec.DeepCopy()
	w.create(
		MakeLab(w, "lab").Obj(),
		MakePolicy(w, "other").Namespace(v1alpha1.Template(w.prefix+"other-${user.id}")).Obj(),
		completion,
	)
	w.awaitReason(completion, v1alpha1.ReasonPolicyFailed)
	g.Expect(stalled(completion)).To(BeTrue())
	g.Expect(ready(completion).Message).To(ContainSubstring("could not write grant " + planned.Name))
	w.awaitActive(w.grantOf("other", completion))
	w.awaitReason(completion, v1alpha1.ReasonPolicyFailed)

	// It is not tried again and again: an attempt may follow what the caches show late of what has just happened.
	w.awaitAllSeen()
	_, _, began := w.writes(0)
	w.consistently(func(g Gomega) {
		taken, refused, _ := w.writes(began)
		g.Expect(refused["grants"]).To(BeNumerically("<=", 2), "attempts to create the grant")
		g.Expect(taken["coursecompletions/status"]).To(BeNumerically("<=", 2))
		g.Expect(taken["grants"]).To(BeZero())
	})
	w.get(byHand)
	g.Expect(byHand.UID).To(Equal(uid))
	g.Expect(byHand.Spec).To(BeComparableTo(*spec))

	// Once it has gone, the planned one takes its name.
	w.delete(byHand)
	w.eventually(func(g Gomega) {
		err := admin.Get(t.Context(), keyOf(planned), planned)
		g.Expect(apierrors.IsNotFound(err) || planned.UID != uid).To(BeTrue())
	})
	w.awaitActive(planned)
	g.Expect(planned.Spec.Policy).To(BeEquivalentTo("lab"))
	w.awaitReason(completion, v1alpha1.ReasonGranted)
	w.get(w.learner(1))
}
