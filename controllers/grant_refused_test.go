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

// A refused Grant keeps what it has, but not for longer than it says. The end comes by itself: nobody touches anything.
func TestRefusedGrantEndsAtItsTime(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	grant := MakeGrant(w, "guest", 42).Namespace(w.prefix + "42").Obj()
	w.create(grant)
	w.awaitActive(grant)
	access, namespace := w.accessOf(42), w.learner(42)
	w.get(access)
	ends := w.clock.Now().Add(8 * time.Second)
	w.change(grant, func() {
		grant.Spec.Namespaces[0].PodSecurity = v1alpha1.PodSecurityPrivileged
		grant.Spec.AccessEndsAt = new(metav1.NewTime(ends))
		grant.Spec.DataEndsAt = new(metav1.NewTime(ends))
	})
	w.awaitReason(grant, v1alpha1.ReasonRefused)
	g := NewWithT(t)
	g.Expect(stalled(grant)).To(BeTrue())
	w.get(access)
	w.awaitGone(access)
	g.Expect(w.clock.Now()).To(BeTemporally(">=", ends.Truncate(time.Second)))
	w.awaitGone(namespace)
	w.awaitReason(grant, v1alpha1.ReasonEnded)
}
