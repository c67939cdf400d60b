// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"testing"

	. "github.com/onsi/gomega"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

func TestPolicyThatRequiresAllOfItsCourses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	g := NewWithT(t)
	policy := MakePolicy(w, "path").PerUser().Courses(1, 2).Namespace(v1alpha1.Template(w.prefix + "${user.id}")).Obj()
	policy.Spec.Match.Require = v1alpha1.MatchAll
	first, second := MakeCompletion(w, 7).Course(1).Obj(), MakeCompletion(w, 7).Course(2).Expire("2026-03-20").Obj()
	w.create(policy, first)
	w.awaitReason(first, v1alpha1.ReasonNothingGranted)
	g.Expect(first.Status.Policies[0].Reason).To(Equal(v1alpha1.ReasonCoursesMissing))
	g.Expect(w.grants(g)).To(BeEmpty())
	w.create(second)
	grant := w.grant("path." + w.id.String() + "-7")
	w.awaitActive(grant)
	g.Expect(grant.Spec.RequiredCourseIDs).To(Equal([]v1alpha1.PlatformID{1, 2}))
	w.awaitReason(first, v1alpha1.ReasonGranted)
	namespace := w.learner(7)
	w.get(namespace)

	w.change(policy, func() { policy.Spec.Match.CourseIDs = []v1alpha1.PlatformID{1, 2, 3} })
	w.awaitReason(policy, v1alpha1.ReasonReady)
	w.stays(namespace, namespace.UID)
	w.step(11 * oneDay)
	w.awaitGone(namespace)
	w.awaitReason(grant, v1alpha1.ReasonEnded)
}

func TestLifetimeUntil(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	policy, completion := MakeLab(w, "lab").Obj(), MakeCompletion(w, 1).Obj()
	policy.Spec.Lifetime.Until = "2026-03-12"
	w.create(policy, completion)
	grant := w.grantOf("lab", completion)
	w.awaitActive(grant)
	w.step(3 * oneDay)
	w.awaitGone(w.learner(1))
	w.awaitReason(grant, v1alpha1.ReasonEnded)
	NewWithT(t).Expect(grant.Spec.Causes[0].End).To(Equal(v1alpha1.CauseUntilReached))
	NewWithT(t).Expect(grant.Spec.AccessEndsAt.UTC().Format("2006-01-02T15:04")).To(Equal("2026-03-13T03:00"))
}
