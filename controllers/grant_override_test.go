// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"testing"
	"time"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

func TestOverrideRevokesAndGivesBack(t *testing.T) {
	t.Parallel()
	w, completion, grant := labWithGrace(t, 30)
	g := NewWithT(t)
	namespace := w.learner(1)
	w.get(namespace)
	w.change(grant, func() { grant.Spec.Override = v1alpha1.GrantOverride{Revoked: new(true), Reason: "left the school"} })
	w.awaitReason(grant, v1alpha1.ReasonRevoked)
	g.Expect(grant.Status.Phase).To(Equal(v1alpha1.GrantRevoked))
	w.awaitGone(w.accessOf(1))
	w.stays(namespace, namespace.UID)

	// A newer delivery is no pardon, and the planner leaves the override alone.
	w.change(completion, func() { sendAt(completion, "2026-03-05 10:00:00") })
	w.eventually(func(g Gomega) {
		w.get(grant)
		g.Expect(grant.Spec.Causes[0].SendAt).To(Equal("2026-03-05 10:00:00"))
	})
	w.awaitReason(grant, v1alpha1.ReasonRevoked)
	g.Expect(grant.Spec.Override.Reason).To(Equal("left the school"))

	w.change(grant, func() { grant.Spec.Override = v1alpha1.GrantOverride{} })
	w.awaitActive(grant)
	w.get(w.accessOf(1))
	w.stays(namespace, namespace.UID)
}

func TestOverrideThatRevokesTakesDataAfterTheGrace(t *testing.T) {
	t.Parallel()
	w, _, grant := labWithGrace(t, 3)
	w.change(grant, func() { grant.Spec.Override = v1alpha1.GrantOverride{Revoked: new(true), Reason: "left"} })
	w.awaitReason(grant, v1alpha1.ReasonRevoked)
	w.step(3*oneDay + time.Minute)
	w.awaitGone(w.learner(1))
	w.eventually(func(g Gomega) {
		w.get(grant)
		g.Expect(grant.Status.Inventory).To(BeEmpty())
		g.Expect(ready(grant).Message).To(ContainSubstring("everything that was provisioned is gone"))
	})
}

func TestOverrideMovesTheEnd(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name  string
		until time.Time
	}{
		{"later than the enrollment", noon.Add(30 * oneDay)},
		{"sooner than the enrollment", noon.Add(1 * oneDay)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			completion := MakeCompletion(w, 1).Expire("2026-03-20").Obj()
			w.create(MakeLab(w, "lab").Obj(), completion)
			grant := w.grantOf("lab", completion)
			w.awaitActive(grant)
			w.change(grant, func() {
				grant.Spec.Override = v1alpha1.GrantOverride{Until: new(metav1.NewTime(tc.until)), Reason: "thesis"}
			})
			namespace := w.learner(1)
			w.get(namespace)
			w.step(tc.until.Sub(w.clock.Now()) - margin)
			w.stays(namespace, namespace.UID)
			w.awaitActive(grant)
			w.step(2 * margin)
			w.awaitGone(namespace)
			w.awaitReason(grant, v1alpha1.ReasonEnded)
		})
	}
}
