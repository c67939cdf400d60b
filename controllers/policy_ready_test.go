// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"testing"

	. "github.com/onsi/gomega"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

func TestPolicySaysWhatIsWrongWithIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, tc := range []struct {
		name   string
		policy *PolicyWrapper
		says   []string
	}{
		{"syntax", MakeLab(w, "syntax").Expression("course.id =="), []string{"spec.match.expression", "column"}},
		{"type", MakeLab(w, "type").Expression("course.id"), []string{"spec.match.expression"}},
		{"unknown", MakeLab(w, "unknown").Expression("course.level == 1"),
			[]string{"spec.match.expression", "level", "column"}},
		{"personal-name", MakePolicy(w, "personal-name").Namespace("w-${user.email}"), []string{"spec.namespaces[0].name"}},
		{"masked", MakePolicy(w, "masked").Expression(`user.cpf == "1"`).Namespace("w-${user.id}"),
			[]string{"spec.match.expression", "cpf"}},
		{"per-user", MakePolicy(w, "per-user").PerUser().Namespace("w-${course.id}"), []string{"spec.namespaces[0].name"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w, g := w.in(t), NewWithT(t)
			policy := tc.policy.Obj()
			w.create(policy)
			w.awaitReason(policy, v1alpha1.ReasonInvalidPolicy)
			g.Expect(stalled(policy)).To(BeTrue())
			for _, want := range tc.says {
				g.Expect(ready(policy).Message).To(ContainSubstring(want))
			}
			right := MakePolicy(w, "right").PerUser().Namespace("w-${user.id}").Spec
			w.change(policy, func() { policy.Spec.Match, policy.Spec.Namespaces = right.Match, right.Namespaces })
			w.awaitReason(policy, v1alpha1.ReasonReady)
		})
	}
}

func TestPolicyThatBreaksKeepsWhatItGrantedAndGrantsNothingNew(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	g := NewWithT(t)
	policy, before := MakeLab(w, "lab").Obj(), MakeCompletion(w, 1).Obj()
	w.create(policy, before)
	w.awaitReason(policy, v1alpha1.ReasonReady)
	kept := w.grantOf("lab", before)
	w.awaitActive(kept)
	namespace := w.learner(1)
	w.get(namespace)

	w.change(policy, func() { policy.Spec.Match.Expression = "nobody.knows" })
	w.awaitReason(policy, v1alpha1.ReasonInvalidPolicy)
	after := MakeCompletion(w, 2).Obj()
	w.create(after)
	w.awaitReason(after, v1alpha1.ReasonPolicyFailed)
	g.Expect(stalled(after)).To(BeTrue())
	g.Expect(after.Status.Policies).To(HaveLen(1))
	g.Expect(after.Status.Policies[0].Reason).To(Equal(v1alpha1.ReasonInvalidPolicy))
	g.Expect(after.Status.Grants).To(BeEmpty())
	w.stays(namespace, namespace.UID)
	w.awaitActive(kept)

	w.change(policy, func() { policy.Spec.Match.Expression = "course.id == 123456" })
	w.awaitReason(policy, v1alpha1.ReasonReady)
	w.awaitActive(w.grantOf("lab", after))
	w.awaitReason(after, v1alpha1.ReasonGranted)
}

func TestPolicyWaitsForAnInstitution(t *testing.T) {
	t.Parallel()
	w := makeWorld(t)
	policy, completion := MakeLab(w, "lab").Obj(), MakeCompletion(w, 1).Obj()
	w.create(policy, completion)
	w.start()
	w.awaitReason(policy, v1alpha1.ReasonInstitutionMissing)
	w.awaitReason(completion, v1alpha1.ReasonInstitutionMissing)
	w.create(MakeInstitution(w).Obj())
	w.awaitReason(policy, v1alpha1.ReasonReady)
	w.awaitReason(completion, v1alpha1.ReasonGranted)
}
