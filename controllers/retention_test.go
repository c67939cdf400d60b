// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// keptFor is long enough that no completion that is made now is past it by the clock of a test, which begins in the
// past.
const keptFor = 2000 * oneDay

func TestRetentionDeletesACompletionAndEndsNoGrant(t *testing.T) {
	t.Parallel()
	w := makeWorld(t)
	g := NewWithT(t)
	institution, completion := MakeInstitution(w).Obj(), MakeCompletion(w, 1).Obj()
	institution.Spec.RetentionDays = int32(keptFor / oneDay)
	w.create(institution, MakeLab(w, "lab").Obj(), completion)
	w.start()
	grant, namespace := w.grantOf("lab", completion), w.learner(1)
	w.awaitActive(grant)
	w.get(namespace)
	left := completion.CreationTimestamp.Add(keptFor).Sub(w.clock.Now())
	w.step(left - margin)
	w.stays(completion, completion.UID)

	w.step(time.Hour)
	w.awaitGone(completion)
	w.awaitActive(grant)
	g.Expect(grant.Spec.Causes).To(HaveLen(1))
	archived := grant.Spec.Causes[0].ArchivedAt
	g.Expect(archived).NotTo(BeNil())
	g.Expect(grant.Spec.Causes[0].End).To(BeEmpty())
	generation := grant.Generation

	// The repetition is as old as what was archived. By the clock its time has passed too.
	w.create(MakeCompletion(w, 1).Obj())
	w.awaitGone(completion)
	w.stays(namespace, namespace.UID)
	w.awaitActive(grant)
	g.Expect(grant.Generation).To(Equal(generation), "nothing about the grant was written")

	w.change(grant, func() { grant.Spec.Override = v1alpha1.GrantOverride{Revoked: new(true), Reason: "left"} })
	w.awaitReason(grant, v1alpha1.ReasonRevoked)
	w.awaitGone(namespace)
	w.step(archived.Add(keptFor).Sub(w.clock.Now()) - margin)
	w.stays(grant, grant.UID)
	w.step(2 * margin)
	w.awaitGone(grant)
	w.consistently(func(g Gomega) { g.Expect(w.grants(g)).To(BeEmpty()) })
}

// A delivery that is newer than what was archived counts as if nothing had been deleted.
func TestNewerDeliveryAfterRetentionCounts(t *testing.T) {
	t.Parallel()
	w := makeWorld(t)
	institution, completion := MakeInstitution(w).Obj(), MakeCompletion(w, 1).Obj()
	institution.Spec.RetentionDays = int32(keptFor / oneDay)
	w.create(institution, MakeLab(w, "lab").Obj(), completion)
	w.start()
	grant, namespace := w.grantOf("lab", completion), w.learner(1)
	w.awaitActive(grant)
	w.step(completion.CreationTimestamp.Add(keptFor).Sub(w.clock.Now()) + time.Minute)
	w.awaitGone(completion)
	w.get(namespace)

	// The institution keeps for longer by now, so that the delivery stays for a look at it.
	w.change(institution, func() { institution.Spec.RetentionDays *= 2 })
	again := MakeCompletion(w, 1).SendAt("2026-03-05 10:00:00").Inactive().Obj()
	w.create(again)
	w.awaitReason(again, v1alpha1.ReasonEnded)
	w.awaitGone(namespace)
	w.get(grant)
	NewWithT(t).Expect(grant.Spec.Causes[0].End).To(Equal(v1alpha1.CauseEnrollmentInactive))
}
