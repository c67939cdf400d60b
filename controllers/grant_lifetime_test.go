// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

func TestGrantEndsAtTheEndOfItsEarliestLimit(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name       string
		zone       string
		policy     func(p *PolicyWrapper)
		completion func(c *CompletionWrapper)
		wantEnd    v1alpha1.CauseEnd
		want       string
	}{
		{"the enrollment's last day in São Paulo", "", nil,
			func(c *CompletionWrapper) { c.Expire("2026-03-20") }, v1alpha1.CauseEnrollmentExpired, "2026-03-21T03:00:00Z"},
		{"the enrollment's last day in Tokyo", "Asia/Tokyo", nil,
			func(c *CompletionWrapper) { c.Expire("2026-03-20") }, v1alpha1.CauseEnrollmentExpired, "2026-03-20T15:00:00Z"},
		{"the greatest number of days", "", func(p *PolicyWrapper) { p.MaxDays(15) }, nil,
			v1alpha1.CauseMaximumReached, "2026-03-16T13:00:00Z"},
		{"the earlier of both", "", func(p *PolicyWrapper) { p.MaxDays(15) },
			func(c *CompletionWrapper) { c.Expire("2026-03-12") }, v1alpha1.CauseEnrollmentExpired, "2026-03-13T03:00:00Z"},
		{"an expiry that is ignored", "",
			func(p *PolicyWrapper) { p.MaxDays(15).Spec.Lifetime.EnrollmentExpiry = v1alpha1.EnrollmentExpiryIgnore },
			func(c *CompletionWrapper) { c.Expire("2026-03-12") }, v1alpha1.CauseMaximumReached, "2026-03-16T13:00:00Z"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w := makeWorld(t)
			g := NewWithT(t)
			policy, completion := MakeLab(w, "lab"), MakeCompletion(w, 1)
			if tc.policy != nil {
				tc.policy(policy)
			}
			if tc.completion != nil {
				tc.completion(completion)
			}
			w.create(MakeInstitution(w).Zone(tc.zone).Obj(), policy.Obj(), completion.Obj())
			w.start()
			grant := w.grantOf("lab", completion.Obj())
			w.awaitActive(grant)
			g.Expect(grant.Spec.AccessEndsAt.UTC().Format(time.RFC3339)).To(Equal(tc.want))
			g.Expect(grant.Spec.Causes[0].End).To(Equal(tc.wantEnd))

			namespace := w.learner(1)
			w.get(namespace)
			left := grant.Spec.AccessEndsAt.Sub(w.clock.Now())
			w.step(left - margin)
			w.stays(namespace, namespace.UID)
			w.step(margin)
			w.awaitGone(namespace)
			w.awaitReason(grant, v1alpha1.ReasonEnded)
			w.awaitReason(completion.Obj(), v1alpha1.ReasonEnded)
		})
	}
}

// The end comes by itself: nobody has to touch anything.
func TestGrantEndsByItself(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	completion := MakeCompletion(w, 1).Obj()
	w.create(MakeLab(w, "lab").MaxDays(30).Obj(), completion)
	grant := w.grantOf("lab", completion)
	w.awaitActive(grant)
	end := grant.Spec.AccessEndsAt.Time
	w.step(end.Sub(w.clock.Now()) - 3*time.Second)
	w.awaitReason(grant, v1alpha1.ReasonEnded)
	NewWithT(t).Expect(grant.Status.AccessEndedAt.Time).To(BeTemporally(">=", end))
	w.awaitGone(w.learner(1))
}

func TestInactiveEnrollmentEndsTheGrantAndAnActiveOneBringsItBack(t *testing.T) {
	t.Parallel()
	w, completion, grant := labWithGrace(t, 30)
	g := NewWithT(t)
	namespace := w.learner(1)
	w.get(namespace)
	w.change(completion, func() {
		sendAt(completion, "2026-03-02 10:00:00")
		completion.Spec.Enrollment.Activated = new(false)
	})
	w.awaitReason(grant, v1alpha1.ReasonAccessEnded)
	w.awaitGone(w.accessOf(1))
	g.Expect(grant.Spec.Causes[0].End).To(Equal(v1alpha1.CauseEnrollmentInactive))
	g.Expect(grant.Spec.DataEndsAt.Time).To(BeTemporally("~", w.clock.Now().Add(30*oneDay), margin),
		"the grace counts from when it was known, not from when it was sent")

	w.change(completion, func() {
		sendAt(completion, "2026-03-03 10:00:00")
		completion.Spec.Enrollment.Activated = new(true)
	})
	w.awaitActive(grant)
	w.get(w.accessOf(1))
	w.stays(namespace, namespace.UID)
}

func TestWhatHasEndedAlreadyGrantsNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.create(MakeLab(w, "lab").Obj())
	for _, tc := range []struct {
		name       string
		completion *CompletionWrapper
		want       v1alpha1.CauseEnd
	}{
		{"expired", MakeCompletion(w, 1).Expire("2026-03-09"), v1alpha1.CauseEnrollmentExpired},
		{"inactive", MakeCompletion(w, 2).Inactive(), v1alpha1.CauseEnrollmentInactive},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w, g := w.in(t), NewWithT(t)
			completion := tc.completion.Obj()
			w.create(completion)
			w.awaitReason(completion, v1alpha1.ReasonNothingGranted)
			g.Expect(completion.Status.Grants).To(BeEmpty())
			g.Expect(completion.Status.Policies).To(HaveLen(1))
			g.Expect(completion.Status.Policies[0].Outcome).To(Equal(v1alpha1.OutcomeNotGranted))
			g.Expect(completion.Status.Policies[0].Reason).To(BeEquivalentTo(tc.want))
		})
	}
}

// The last day itself is included.
func TestTheLastDayCounts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	completion := MakeCompletion(w, 1).Expire("2026-03-10").Obj()
	w.create(MakeLab(w, "lab").Obj(), completion)
	w.awaitActive(w.grantOf("lab", completion))
}
