// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"fmt"
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// A Grant whose namespaces were renamed again and again still has those that it no longer says, since they hold data.
// Once its status cannot list any more, it makes nothing that it would forget.
func TestGrantMakesNothingThatItsStatusCannotList(t *testing.T) {
	t.Parallel()
	g, w := NewWithT(t), newWorld(t)
	grant := MakeGrant(w, "guest", 42).Namespace(w.prefix + "42").Obj()
	w.create(grant)
	w.awaitActive(grant)
	w.stop()
	var former []*corev1.Namespace
	for n := len(grant.Status.Inventory); n < 256; n++ {
		namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
			Name: fmt.Sprintf("%s42-%d", w.prefix, n), Labels: map[string]string{v1alpha1.LabelGrant: grant.OwnerDigest()}}}
		w.create(namespace)
		former = append(former, namespace)
		grant.Status.Inventory = append(grant.Status.Inventory, v1alpha1.InventoryEntry{
			Group: new(""), Kind: "Namespace", Namespace: new(""), Name: namespace.Name, UID: string(namespace.UID)})
	}
	g.Expect(admin.Status().Update(t.Context(), grant)).To(Succeed())
	w.start()
	w.change(grant, func() { grant.Spec.Namespaces[0].Name = w.prefix + "43" })
	w.awaitReason(grant, v1alpha1.ReasonRefused)
	g.Expect(ready(grant).Message).To(And(ContainSubstring("256"), ContainSubstring(v1alpha1.LabelGrant)))
	w.absent(g, `{apiVersion: v1, kind: Namespace, metadata: {name: "`+w.prefix+`43"}}`)
	for _, namespace := range former {
		w.get(namespace)
		g.Expect(namespace.DeletionTimestamp).To(BeNil())
	}

	// It says what to do.
	for _, namespace := range former[:20] {
		w.change(namespace, func() { delete(namespace.Labels, v1alpha1.LabelGrant) })
	}
	w.awaitActive(grant)
	w.get(w.learner(43))
}
