// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

func TestDeletingTheInstitutionTakesNothing(t *testing.T) {
	t.Parallel()
	w, completion, grant := labWithGrace(t, 0)
	namespace, access := w.learner(1), w.accessOf(1)
	w.get(namespace)
	w.get(access)
	w.delete(MakeInstitution(w).Obj())
	w.awaitReason(grant, v1alpha1.ReasonInstitutionMissing)
	w.awaitReason(completion, v1alpha1.ReasonInstitutionMissing)
	w.stays(namespace, namespace.UID)
	w.stays(access, access.UID)

	// Not even what is deleted meanwhile was withdrawn.
	w.delete(completion)
	w.nudge()
	w.stays(namespace, namespace.UID)
}

func TestInstitutionThatComesBackFindsItsGrants(t *testing.T) {
	t.Parallel()
	w, completion, grant := labWithGrace(t, 0)
	namespace := w.learner(1)
	w.get(namespace)
	w.delete(MakeInstitution(w).Obj())
	w.awaitReason(grant, v1alpha1.ReasonInstitutionMissing)
	w.create(MakeInstitution(w).Obj())
	w.awaitActive(grant)
	w.awaitReason(completion, v1alpha1.ReasonGranted)
	w.stays(namespace, namespace.UID)
}

func TestDeletingTheNamespaceOfTheInstitutionTakesNothingAndDoesNotHang(t *testing.T) {
	t.Parallel()
	w, _, planned := labWithGrace(t, 0)
	byHand := MakeGrant(w, "guest", 42).Namespace(w.prefix + "42").Obj()
	w.create(byHand)
	w.awaitActive(byHand)
	first, second, access := w.learner(1), w.learner(42), w.accessOf(1)
	w.get(first)
	w.get(second)
	w.get(access)
	home := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: w.namespace}}
	w.delete(home)
	w.awaitGone(planned)
	w.awaitGone(byHand)
	w.awaitGone(home)
	w.stays(first, first.UID)
	w.stays(second, second.UID)
	w.stays(access, access.UID)
}

func TestDeletedPlannedGrantIsPlannedAgainAndFindsItsObjects(t *testing.T) {
	t.Parallel()
	w, completion, grant := labWithGrace(t, 0)
	namespace, access := w.learner(1), w.accessOf(1)
	w.get(namespace)
	w.get(access)
	before := grant.UID
	w.delete(grant)
	w.eventually(func(g Gomega) {
		g.Expect(admin.Get(t.Context(), keyOf(grant), grant)).To(Succeed())
		g.Expect(grant.UID).NotTo(Equal(before))
	})
	w.awaitActive(grant)
	w.awaitReason(completion, v1alpha1.ReasonGranted)
	w.stays(namespace, namespace.UID)
	w.stays(access, access.UID)
}

func TestSuspendedInstitutionGivesAndTakesNothing(t *testing.T) {
	t.Parallel()
	w, completion, grant := labWithGrace(t, 0)
	namespace, institution := w.learner(1), MakeInstitution(w).Obj()
	w.get(namespace)
	w.change(institution, func() { institution.Spec.Suspend = new(true) })
	w.awaitReason(grant, v1alpha1.ReasonSuspended)
	NewWithT(t).Expect(grant.Status.Phase).To(Equal(v1alpha1.GrantSuspended))
	next := MakeCompletion(w, 2).Obj()
	w.create(next)
	w.awaitReason(next, v1alpha1.ReasonSuspended)
	w.delete(completion)
	w.stays(namespace, namespace.UID)

	w.change(institution, func() { institution.Spec.Suspend = nil })
	w.awaitGone(namespace)
	w.awaitActive(w.grantOf("lab", next))
	w.awaitReason(next, v1alpha1.ReasonGranted)
}
