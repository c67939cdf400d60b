// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

const oneDay = 24 * time.Hour

func labWithGrace(t *testing.T, days int32) (*world, *v1alpha1.CourseCompletion, *v1alpha1.Grant) {
	t.Helper()
	w := newWorld(t)
	completion := MakeCompletion(w, 1).Obj()
	w.create(MakeLab(w, "lab").Grace(days).Obj(), completion)
	grant := w.grantOf("lab", completion)
	w.awaitActive(grant)
	return w, completion, grant
}

func TestWithdrawalWithoutGraceTakesEverything(t *testing.T) {
	t.Parallel()
	w, completion, grant := labWithGrace(t, 0)
	g := NewWithT(t)
	w.delete(completion)
	w.awaitGone(w.learner(1))
	w.awaitReason(grant, v1alpha1.ReasonEnded)
	g.Expect(grant.Status.Phase).To(Equal(v1alpha1.GrantEnded))
	g.Expect(grant.Status.Inventory).To(BeEmpty())
	g.Expect(grant.Spec.Causes).To(HaveLen(1))
	g.Expect(grant.Spec.Causes[0].End).To(Equal(v1alpha1.CauseWithdrawn))
}

func TestWithdrawalTakesAccessAtOnceAndDataAfterTheGrace(t *testing.T) {
	t.Parallel()
	w, completion, grant := labWithGrace(t, 30)
	g := NewWithT(t)
	namespace := w.learner(1)
	w.get(namespace)
	w.delete(completion)
	w.awaitReason(grant, v1alpha1.ReasonAccessEnded)
	w.awaitGone(w.accessOf(1))
	g.Expect(grant.Status.Phase).To(Equal(v1alpha1.GrantEnded))
	g.Expect(grant.Status.AccessEndedAt.Time).To(BeTemporally("~", w.clock.Now(), margin))
	g.Expect(grant.Spec.DataEndsAt.Time).To(BeTemporally("~", w.clock.Now().Add(30*oneDay), margin))
	w.get(w.quotaOf(1))

	w.step(30*oneDay - margin)
	w.stays(namespace, namespace.UID)
	w.step(2 * margin)
	w.awaitGone(namespace)
	w.awaitReason(grant, v1alpha1.ReasonEnded)
}

func TestNewerDeliveryWithinTheGraceBringsAccessBack(t *testing.T) {
	t.Parallel()
	w, completion, grant := labWithGrace(t, 30)
	namespace := w.learner(1)
	w.get(namespace)
	w.delete(completion)
	w.awaitReason(grant, v1alpha1.ReasonAccessEnded)
	w.step(29 * oneDay)

	again := MakeCompletion(w, 1).SendAt("2026-04-08 09:00:00").Obj()
	w.create(again)
	w.awaitActive(grant)
	w.get(w.accessOf(1))
	w.awaitReason(again, v1alpha1.ReasonGranted)
	NewWithT(t).Expect(grant.Status.AccessEndedAt).To(BeNil())
	w.step(60 * oneDay)
	w.stays(namespace, namespace.UID)
}

func TestLateRepetitionOfAWithdrawnDeliveryGrantsNothing(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, sendAt string }{
		{"the same", "2026-03-01 10:00:00"},
		{"an older one", "2026-02-01 10:00:00"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w, completion, grant := labWithGrace(t, 0)
			w.delete(completion)
			w.awaitReason(grant, v1alpha1.ReasonEnded)
			again := MakeCompletion(w, 1).SendAt(tc.sendAt).Obj()
			w.create(again)
			w.awaitReason(again, v1alpha1.ReasonEnded)
			g := NewWithT(t)
			g.Expect(again.Status.Policies).To(HaveLen(1))
			g.Expect(again.Status.Policies[0].Outcome).To(Equal(v1alpha1.OutcomeNotGranted))
			g.Expect(again.Status.Policies[0].Reason).To(BeEquivalentTo(v1alpha1.CauseWithdrawn))
			w.consistently(func(g Gomega) {
				g.Expect(client.IgnoreNotFound(admin.Get(t.Context(), keyOf(w.learner(1)), w.learner(1)))).
					To(Succeed())
				g.Expect(admin.Get(t.Context(), keyOf(grant), grant)).To(Succeed())
				g.Expect(grant.Status.Phase).To(Equal(v1alpha1.GrantEnded))
			})
		})
	}
}

func TestWithdrawalWhileTheManagerWasDownRevokesAfterItsStart(t *testing.T) {
	t.Parallel()
	w, completion, grant := labWithGrace(t, 0)
	w.stop()
	w.delete(completion)
	w.start()
	w.awaitGone(w.learner(1))
	w.awaitReason(grant, v1alpha1.ReasonEnded)
}

func TestRetainLeavesTheNamespaceToPeople(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	completion := MakeCompletion(w, 1).Obj()
	w.create(MakeLab(w, "lab").OnRevoke(v1alpha1.RemovalRetain).Obj(), completion)
	grant := w.grantOf("lab", completion)
	w.awaitActive(grant)
	namespace := w.learner(1)
	w.get(namespace)
	w.delete(completion)
	w.awaitReason(grant, v1alpha1.ReasonEnded)
	w.awaitGone(w.accessOf(1))
	w.stays(namespace, namespace.UID)
}
