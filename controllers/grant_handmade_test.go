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

func TestHandmadeGrantIsPutInPlaceAndRevokedByItsDeletion(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	g := NewWithT(t)
	grant := MakeGrant(w, "guest", 42).Namespace(w.prefix + "42").Obj()
	// Deleting it takes everything at once: nobody is left who would bring it back within the grace days.
	grant.Spec.Lifetime.GraceDays = new(int32(30))
	w.create(grant)
	w.awaitActive(grant)
	g.Expect(grant.Finalizers).To(ContainElement(v1alpha1.FinalizerGrant))
	w.get(w.accessOf(42))
	w.get(w.isolationOf(42))
	w.delete(grant)
	w.awaitGone(w.learner(42))
	w.awaitGone(grant)
}

func TestHandmadeGrantEndsWhenItSaysSo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	grant := MakeGrant(w, "guest", 42).Namespace(w.prefix + "42").Obj()
	grant.Spec.AccessEndsAt = new(metav1.NewTime(noon.Add(oneDay)))
	grant.Spec.DataEndsAt = new(metav1.NewTime(noon.Add(3 * oneDay)))
	w.create(grant)
	w.awaitActive(grant)
	namespace := w.learner(42)
	w.get(namespace)
	w.step(oneDay + time.Minute)
	w.awaitReason(grant, v1alpha1.ReasonAccessEnded)
	w.awaitGone(w.accessOf(42))
	w.stays(namespace, namespace.UID)
	w.step(2 * oneDay)
	w.awaitGone(namespace)
	w.awaitReason(grant, v1alpha1.ReasonEnded)
}

func TestHandmadeGrantThatRetainsLeavesItsNamespaceWhenDeleted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	grant := MakeGrant(w, "guest", 42).Namespace(w.prefix + "42").Obj()
	grant.Spec.OnRevoke = v1alpha1.RemovalRetain
	w.create(grant)
	w.awaitActive(grant)
	namespace := w.learner(42)
	w.get(namespace)
	w.delete(grant)
	w.awaitGone(grant)
	w.awaitGone(w.accessOf(42))
	w.stays(namespace, namespace.UID)
}

func TestEditedHandmadeGrantChangesWhatIsThere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	grant := MakeGrant(w, "guest", 42).Namespace(w.prefix + "42").Obj()
	w.create(grant)
	w.awaitActive(grant)
	namespace := w.learner(42)
	w.get(namespace)
	w.change(grant, func() {
		grant.Spec.Namespaces[0].Access = nil
		grant.Spec.Namespaces[0].NetworkIsolation = v1alpha1.NetworkIsolationNone
		grant.Spec.Namespaces[0].Labels = map[string]string{"room": "b12"}
	})
	w.awaitGone(w.accessOf(42))
	w.awaitGone(w.isolationOf(42))
	w.awaitActive(grant)
	w.stays(namespace, namespace.UID)
	g := NewWithT(t)
	g.Expect(namespace.Labels).To(HaveKeyWithValue("room", "b12"))
	g.Expect(grant.Status.Inventory).To(HaveLen(1))
	w.change(grant, func() { grant.Spec.Namespaces[0].Labels = nil })
	w.eventually(func(g Gomega) {
		w.get(namespace)
		g.Expect(namespace.Labels).NotTo(HaveKey("room"))
	})
}
