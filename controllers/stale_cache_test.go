// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"slices"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/test/latewatch"
)

// behind begins a world in which the cache of RoleBindings can be held back, with a lab that is in place for user 1.
func behind(t *testing.T) (*world, *v1alpha1.CompletionPolicy, *v1alpha1.CourseCompletion) {
	t.Helper()
	w := makeWorld(t)
	gate := latewatch.NewGate("rolebindings")
	w.wrap = gate.Wrap
	policy, completion := MakeLab(w, "lab").Obj(), MakeCompletion(w, 1).Obj()
	policy.Spec.Lifetime.GraceDays = new(int32(30))
	w.create(MakeInstitution(w).Obj(), policy, completion)
	w.start()
	w.awaitActive(w.grantOf("lab", completion))
	w.eventually(func(g Gomega) {
		binding := w.accessOf(1)
		g.Expect(w.seen.Get(t.Context(), keyOf(binding), binding)).To(Succeed())
	})
	gate.Shut()
	t.Cleanup(gate.Open)
	return w, policy, completion
}

// look has the Grant looked at once more, and waits until it was.
func (w *world) look(policy *v1alpha1.CompletionPolicy, grant *v1alpha1.Grant, pods string) {
	w.t.Helper()
	w.change(policy, func() {
		policy.Spec.Namespaces[0].ResourceQuota.Hard["count/pods"] = v1alpha1.QuantityTemplate(pods)
	})
	w.eventually(func(g Gomega) {
		quota := w.quotaOf(1)
		g.Expect(admin.Get(w.t.Context(), keyOf(quota), quota)).To(Succeed())
		hard := quota.Spec.Hard["count/pods"]
		g.Expect(hard.String()).To(Equal(pods))
	})
	w.awaitActive(grant)
}

// What a cache still shows that has gone is made again before the Grant says that it is there.
func TestAccessThatTheCacheStillShowsIsMadeAgain(t *testing.T) {
	t.Parallel()
	w, _, completion := behind(t)
	grant := w.grantOf("lab", completion)
	w.change(completion, func() {
		sendAt(completion, "2026-03-02 10:00:00")
		completion.Spec.Enrollment.Activated = new(false)
	})
	w.awaitReason(grant, v1alpha1.ReasonAccessEnded)
	w.awaitGone(w.accessOf(1))
	w.change(completion, func() {
		sendAt(completion, "2026-03-03 10:00:00")
		completion.Spec.Enrollment.Activated = new(true)
	})
	w.awaitActive(grant)
	w.get(w.accessOf(1))
}

// What was taken from a Grant does not come back into its inventory from a cache that still shows it.
func TestAccessThatTheCacheStillShowsIsNotRecordedAgain(t *testing.T) {
	t.Parallel()
	g, w := NewWithT(t), makeLateWorld(t)
	gate := latewatch.NewGate("rolebindings")
	w.wrap = gate.Wrap
	w.begin()
	enrolled := MakeCompletion(w, 1).Obj()
	w.create(revocableLab(w).Obj(), revoking(w).Obj(), enrolled)
	grant, binding := w.grantOf("lab", enrolled), w.accessOf(1)
	w.awaitActive(grant)
	w.eventually(func(g Gomega) { g.Expect(w.seen.Get(t.Context(), keyOf(binding), binding)).To(Succeed()) })
	gate.Shut()
	t.Cleanup(gate.Open)
	completion := finish(w).Obj()
	w.create(completion)
	w.awaitGone(binding)
	w.awaitReason(grant, v1alpha1.ReasonRevokedByCompletion)
	g.Expect(slices.ContainsFunc(grant.Status.Inventory, func(entry v1alpha1.InventoryEntry) bool {
		return entry.Kind == "RoleBinding"
	})).To(BeFalse())
	w.delete(completion)
	w.awaitActive(grant)
	w.get(w.accessOf(1))
}

// A subject that was replaced counts once for the brake, and not again for as long as the cache shows the former one.
func TestReplacedSubjectThatTheCacheStillShowsCountsOnce(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	w, policy, completion := behind(t)
	grant := w.grantOf("lab", completion)
	w.change(completion, func() {
		sendAt(completion, "2026-03-02 10:00:00")
		completion.Spec.User.Email = "another@example.net"
	})
	w.eventually(func(g Gomega) {
		binding := w.accessOf(1)
		g.Expect(admin.Get(t.Context(), keyOf(binding), binding)).To(Succeed())
		g.Expect(binding.Subjects).To(HaveExactElements(HaveField("Name", "another@example.net")))
	})
	w.awaitActive(grant)
	admitted := grant.Status.Admissions
	g.Expect(admitted).To(HaveExactElements(HaveField("Type", v1alpha1.RevocationAccessChange)))
	w.look(policy, grant, "33")
	g.Expect(grant.Status.Admissions).To(Equal(admitted))
}

// A subject is not replaced past the brake where the cache does not show the RoleBinding yet.
func TestSubjectIsNotReplacedPastTheBrakeWhileTheCacheIsBehind(t *testing.T) {
	t.Parallel()
	w := makeWorld(t)
	gate := latewatch.NewGate("rolebindings")
	w.wrap = gate.Wrap
	institution, completion := MakeInstitution(w).Obj(), MakeCompletion(w, 1).Obj()
	institution.Spec.RevocationBudget = new(int32(0))
	w.create(institution, MakeLab(w, "lab").Obj())
	w.start()
	w.awaitReason(institution, v1alpha1.ReasonReady)
	gate.Shut()
	t.Cleanup(gate.Open)
	w.create(completion)
	grant := w.grantOf("lab", completion)
	w.awaitActive(grant)
	w.change(completion, func() {
		sendAt(completion, "2026-03-02 10:00:00")
		completion.Spec.User.Email = "another@example.net"
	})
	w.awaitReason(grant, v1alpha1.ReasonRevocationPaused)
	binding := w.accessOf(1)
	w.get(binding)
	NewWithT(t).Expect(binding.Subjects).NotTo(ContainElement(HaveField("Name", "another@example.net")))
}

// An object that the Grant has recorded is not made again because the cache does not show it.
func TestCacheThatIsBehindCostsNoWrite(t *testing.T) {
	t.Parallel()
	w := makeWorld(t)
	gate := latewatch.NewGate("rolebindings")
	w.wrap = gate.Wrap
	institution, policy, completion := MakeInstitution(w).Obj(), MakeLab(w, "lab").Obj(), MakeCompletion(w, 1).Obj()
	w.create(institution, policy)
	w.start()
	w.awaitReason(policy, v1alpha1.ReasonReady)
	gate.Shut()
	t.Cleanup(gate.Open)
	w.create(completion)
	w.awaitActive(w.grantOf("lab", completion))
	began := w.auditEnd()
	for _, pods := range []string{"33", "34", "35"} {
		w.look(policy, w.grantOf("lab", completion), pods)
	}
	w.auditEnd()
	_, refused, _ := w.writes(began)
	NewWithT(t).Expect(refused).NotTo(HaveKey(ContainSubstring("rolebindings")))
}

// A policy that is there again ends nothing, however long the cache takes to show it.
func TestReplacedPolicyThatTheCacheDoesNotShowEndsNothing(t *testing.T) {
	t.Parallel()
	g, gate := NewWithT(t), latewatch.NewGate("completionpolicies")
	w, _, grant := patientLab(t, gate.Wrap)
	policy := MakeLab(w, "lab").OnPolicyRemoval(v1alpha1.RemovalDelete).Obj()
	w.delete(policy)
	// The removal is waited for, and was seen.
	w.eventually(func(g Gomega) {
		g.Expect(apierrors.IsNotFound(w.seen.Get(t.Context(), keyOf(policy), policy))).To(BeTrue())
	})
	gate.Shut()
	t.Cleanup(gate.Open)
	g.Expect(admin.Create(t.Context(), MakeLab(w, "lab").OnPolicyRemoval(v1alpha1.RemovalDelete).Obj())).To(Succeed())
	w.step(time.Hour)
	g.Consistently(func(g Gomega) {
		g.Expect(admin.Get(t.Context(), keyOf(grant), grant)).To(Succeed())
		g.Expect(grant.Spec.Causes[0].End).To(BeEmpty())
	}, 3*time.Second, often).Should(Succeed())

	gate.Open()
	w.step(time.Hour)
	w.awaitActive(grant)
	g.Expect(grant.Spec.Causes[0].End).To(BeEmpty())
}
