// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

func TestWithdrawnCompletionLosesItsNamespace(t *testing.T) {
	g := NewWithT(t)
	s := openSchool(t)
	s.apply(t, s.labPolicy())
	withdrawn, other := s.student(), s.student()
	for _, u := range []*student{withdrawn, other} {
		u.complete(t)
		u.awaitGrant(t, v1alpha1.ReasonActive)
	}
	withdrawn.withdraw(t)
	withdrawn.awaitNamespaceGone(t)
	withdrawn.awaitGrant(t, v1alpha1.ReasonEnded)

	// Nobody else is concerned.
	g.Expect(other.grantReason(t.Context())).To(Equal(v1alpha1.ReasonActive))
	var namespace corev1.Namespace
	g.Expect(admin.Get(t.Context(), client.ObjectKey{Name: other.namespace}, &namespace)).To(Succeed())
	g.Expect(namespace.DeletionTimestamp).To(BeNil())
}

func TestLateRepetitionOfAWithdrawnCompletionGrantsNothing(t *testing.T) {
	g := NewWithT(t)
	u := grantedStudent(t)
	u.withdraw(t)
	u.awaitNamespaceGone(t)

	u.complete(t)
	g.Eventually(func() (string, error) { return u.ready(t.Context()) }, soon, often).
		ShouldNot(BeElementOf("no condition Ready", v1alpha1.ReasonProgressing))
	u.awaitGrant(t, v1alpha1.ReasonEnded)
	err := admin.Get(t.Context(), client.ObjectKey{Name: u.namespace}, &corev1.Namespace{})
	g.Expect(client.IgnoreNotFound(err)).To(Succeed())
	g.Expect(err).To(HaveOccurred(), "the namespace is back")
}
