// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"path/filepath"
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/test/cluster"
	"github.com/lxp-dev/course-completion-operator/test/system"
)

// Uninstalling as docs/install.md has it hangs nowhere and destroys nobody's namespace. A new installation takes
// the namespaces back.
func TestUninstallKeepsWhatWasGranted(t *testing.T) {
	g := NewWithT(t)
	u := grantedStudent(t)
	s := u.school
	byHand := &v1alpha1.Grant{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: "by-hand"}}
	byHand.Spec.Holder = v1alpha1.GrantHolder{InstitutionID: s.id, UserID: u.id}
	byHand.Spec.Namespaces = []v1alpha1.GrantedNamespace{{Name: s.prefix + "by-hand"}}
	g.Expect(admin.Create(t.Context(), byHand)).To(Succeed())
	g.Eventually(func() (v1alpha1.GrantPhase, error) {
		err := admin.Get(t.Context(), client.ObjectKeyFromObject(byHand), byHand)
		return byHand.Status.Phase, err
	}, soon, often).Should(Equal(v1alpha1.GrantActive))
	before := map[string]*corev1.Namespace{u.namespace: {}, s.prefix + "by-hand": {}}
	for name, ns := range before {
		g.Expect(admin.Get(t.Context(), client.ObjectKey{Name: name}, ns)).To(Succeed())
	}

	// Whatever becomes of this test, those that follow find the operator installed.
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		g.Expect(system.Install(ctx, plane)).To(Succeed())
		g.Expect(operator.ControllerManager.Stop()).To(Succeed())
		g.Expect(operator.ControllerManager.Start(ctx)).To(Succeed())
	})
	root, err := cluster.RepositoryRoot()
	g.Expect(err).NotTo(HaveOccurred())
	_, err = plane.Kubectl(t.Context(), "delete", "--timeout=90s", "-k", filepath.Join(root, "config", "crd"))
	g.Expect(err).NotTo(HaveOccurred())
	for name, was := range before {
		var ns corev1.Namespace
		g.Expect(admin.Get(t.Context(), client.ObjectKey{Name: name}, &ns)).To(Succeed())
		g.Expect(ns.UID).To(Equal(was.UID))
		g.Expect(ns.DeletionTimestamp.IsZero()).To(BeTrue())
	}

	g.Expect(system.Install(t.Context(), plane)).To(Succeed())
	g.Expect(operator.ControllerManager.Stop()).To(Succeed())
	g.Expect(operator.ControllerManager.Start(t.Context())).To(Succeed())
	g.Expect(operator.WebhookServer.Stop()).To(Succeed())
	g.Expect(operator.WebhookServer.Start(t.Context())).To(Succeed())
	g.Expect(admin.Create(t.Context(), s.institution())).To(Succeed())
	s.awaitReady(t)
	s.apply(t, s.labPolicy())
	g.Eventually(func() (string, error) {
		answer, err := system.Deliver(t.Context(), s.url(), u.delivery(t))
		return answer.Outcome, err
	}, soon, often).Should(BeElementOf("created", "queued"))
	u.awaitGrant(t, v1alpha1.ReasonActive)
	var ns corev1.Namespace
	g.Expect(admin.Get(t.Context(), client.ObjectKey{Name: u.namespace}, &ns)).To(Succeed())
	g.Expect(ns.UID).To(Equal(before[u.namespace].UID))
}
