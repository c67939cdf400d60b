// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"testing"

	. "github.com/onsi/gomega"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// People label it long after the completion; nobody has to tell the Grant. The grace days count from then.
func TestRevokedNamespaceThatIsLabelledLaterHasItsGrace(t *testing.T) {
	t.Parallel()
	w := newLateWorld(t)
	namespace, completion := w.labelled(w.prefix+"1", ""), finish(w).Obj()
	w.create(revoking(w).Obj(), completion)
	taker := w.grantOf("done", completion)
	w.awaitRevocationReason(taker, v1alpha1.ReasonNotRevocable)
	w.step(31 * oneDay)
	w.awaitRevocationReason(taker, v1alpha1.ReasonNotRevocable)
	w.change(namespace, func() { namespace.Labels = map[string]string{v1alpha1.LabelRevocable: w.id.String()} })
	w.nudge()
	w.awaitRevocationReason(taker, v1alpha1.ReasonAccessEnded)
	w.step(29 * oneDay)
	w.stays(namespace, namespace.UID)
	w.step(2 * oneDay)
	w.awaitGone(namespace)
	w.awaitRevocationReason(taker, v1alpha1.ReasonNamespacesDeleted)
}

// What could not be taken at first is put to the brake once it can.
func TestBrakeHoldsNamespacesThatAreLabelledLater(t *testing.T) {
	t.Parallel()
	w := makeLateWorld(t)
	institution, completion := MakeInstitution(w).Obj(), finish(w).Obj()
	institution.Spec.RevocationBudget = new(int32(0))
	namespace := w.labelled(w.prefix+"1", "")
	w.create(institution, revoking(w).Grace(0).Obj(), completion)
	w.start()
	taker := w.grantOf("done", completion)
	w.awaitRevocationReason(taker, v1alpha1.ReasonNotRevocable)
	w.change(namespace, func() { namespace.Labels = map[string]string{v1alpha1.LabelRevocable: w.id.String()} })
	w.nudge()
	w.awaitRevocationReason(taker, v1alpha1.ReasonRevocationPaused)
	w.stays(namespace, namespace.UID)
}

// An edit of the policy that grants the labs, by which all of them are taken at once, is held like any other; those
// that go get the label first, without which they would neither be had nor go.
func TestBrakeHoldsAPolicyEditThatLabelsNamespaces(t *testing.T) {
	t.Parallel()
	w := makeLateWorld(t)
	c := &crowd{world: w, institution: MakeInstitution(w).Obj()}
	c.institution.Spec.RevocationBudget = new(int32(1))
	lab := MakeLab(w, "lab").Obj()
	c.create(c.institution, lab, revoking(w).Obj())
	c.start()
	c.labs(3)
	for user := range v1alpha1.PlatformID(3) {
		c.awaitRevocationReason(c.grantOf("done", c.finish(user+1)), v1alpha1.ReasonNotRevocable)
	}
	c.neverTripped()
	c.change(lab, func() {
		lab.Spec.Namespaces[0].Labels = map[string]v1alpha1.Template{v1alpha1.LabelRevocable: "${institution.id}"}
	})
	c.awaitTrip(2)
	c.awaitLabs(2, 2)
	c.step(31 * oneDay)
	c.awaitLabs(2, 2)
	c.eventually(func(g Gomega) {
		gone := 0
		for user := range v1alpha1.PlatformID(3) {
			if admin.Get(t.Context(), keyOf(c.learner(user+1)), c.learner(user+1)) != nil {
				gone++
			}
		}
		g.Expect(gone).To(Equal(1))
	})
}

// The end of a later cause, which kept the lab, is an end like any other.
func TestBrakeHoldsNamespacesThatALaterCauseKept(t *testing.T) {
	t.Parallel()
	w := makeLateWorld(t)
	const other = v1alpha1.PlatformID(7)
	institution := MakeInstitution(w).Obj()
	institution.Spec.RevocationBudget = new(int32(0))
	labs := MakePolicy(w, "labs").PerUser().Courses(course, other).
		Namespace(v1alpha1.Template(w.prefix + "${user.id}"))
	labs.Spec.Namespaces[0].Labels = map[string]v1alpha1.Template{v1alpha1.LabelRevocable: "${institution.id}"}
	later := MakeCompletion(w, 1).Course(other).SendAt("2030-06-02 10:00:00").Obj()
	w.create(institution, labs.Obj(), MakeCompletion(w, 1).Obj(), later)
	w.start()
	grant := w.grant("labs." + w.id.String() + "-1")
	w.awaitActive(grant)
	w.awaitReason(later, v1alpha1.ReasonGranted)
	w.create(revoking(w).Obj(), finish(w).Obj())
	taker := w.grantOf("done", finish(w).Obj())
	w.awaitRevocationReason(taker, v1alpha1.ReasonNotRevocable)
	w.delete(later)
	w.awaitRevocationReason(taker, v1alpha1.ReasonRevocationPaused)
	w.consistently(func(g Gomega) {
		w.get(grant)
		g.Expect(ready(grant).Reason).To(Equal(v1alpha1.ReasonActive))
	})
}

// A newer delivery of what is taken already takes nothing more from anybody.
func TestRepeatedTakingDoesNotCount(t *testing.T) {
	t.Parallel()
	for name, granted := range map[string]bool{"of a grant": true, "of others": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := makeLateWorld(t)
			institution, completion := MakeInstitution(w).Obj(), finish(w).Obj()
			w.create(institution, revoking(w).Obj())
			w.start()
			if granted {
				enrolled := MakeCompletion(w, 1).Obj()
				w.create(revocableLab(w).Obj(), enrolled)
				w.awaitActive(w.grantOf("lab", enrolled))
			} else {
				w.labelled(w.prefix+"1", w.id.String())
			}
			w.create(completion)
			taker := w.grantOf("done", completion)
			w.awaitRevocationReason(taker, v1alpha1.ReasonAccessEnded)
			w.change(institution, func() { institution.Spec.RevocationBudget = new(int32(0)) })
			w.awaitReason(institution, v1alpha1.ReasonReady)
			const newer = "2031-06-02 10:00:00"
			w.change(completion, func() { sendAt(completion, newer) })
			w.eventually(func(g Gomega) {
				w.get(taker)
				g.Expect(taker.Status.Revocations).To(HaveLen(1))
				g.Expect(taker.Status.Revocations[0].SendAt).To(Equal(newer))
			})
			w.awaitRevocationReason(taker, v1alpha1.ReasonAccessEnded)
		})
	}
}
