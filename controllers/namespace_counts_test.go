// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"testing"

	. "github.com/onsi/gomega"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

func TestInstitutionHasNoMoreNamespacesThanItMay(t *testing.T) {
	t.Parallel()
	w := makeWorld(t)
	g := NewWithT(t)
	institution, first := MakeInstitution(w).Obj(), MakeCompletion(w, 1).Obj()
	institution.Spec.MaxNamespaces = new(int32(1))
	w.create(institution, MakeLab(w, "lab").Obj(), first)
	w.start()
	has, waits := w.grantOf("lab", first), w.grantOf("lab", MakeCompletion(w, 2).Obj())
	w.awaitActive(has)

	w.create(MakeCompletion(w, 2).Obj())
	w.awaitReason(waits, v1alpha1.ReasonNamespaceLimit)
	g.Expect(waits.Status.Phase).To(Equal(v1alpha1.GrantWaiting))
	g.Expect(ready(waits).Message).To(Equal("namespace " + w.learner(2).Name + " is not created: the institution has " +
		"reached its limit of 1 granted namespaces (spec.maxNamespaces of Institution school)"))
	w.touch(institution)
	w.eventually(func(g Gomega) {
		w.get(institution)
		g.Expect(institution.Status.Namespaces).To(HaveValue(BeEquivalentTo(1)))
	})

	// What there is stays, and what it says is still seen to.
	namespace := w.learner(1)
	w.get(namespace)
	w.change(institution, func() { institution.Spec.MaxNamespaces = new(int32(0)) })
	w.delete(w.quotaOf(1))
	w.eventually(func(g Gomega) { g.Expect(admin.Get(t.Context(), keyOf(w.quotaOf(1)), w.quotaOf(1))).To(Succeed()) })
	w.stays(namespace, namespace.UID)

	w.change(institution, func() { institution.Spec.MaxNamespaces = new(int32(1)) })
	w.delete(first)
	w.awaitGone(namespace)
	w.awaitActive(waits)
}
