// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// Whoever has a namespace already keeps it, to the byte.
func TestForeignNamespaceIsLeftUntouched(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		labels map[string]string
	}{
		{"a plain one", map[string]string{"team": "physics"}},
		{"one with the owner label of a grant that does not exist", map[string]string{
			v1alpha1.LabelGrant: v1alpha1.OwnerDigest("elsewhere", "lab")}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			g := NewWithT(t)
			foreign := w.learner(1)
			foreign.Labels = tc.labels
			w.create(foreign)
			// The control plane puts a service account and its certificates into it, and changes nothing of the namespace.
			version := foreign.ResourceVersion
			completion := MakeCompletion(w, 1).Obj()
			w.create(MakeLab(w, "lab").Obj(), completion)
			grant := w.grantOf("lab", completion)
			w.awaitReason(grant, v1alpha1.ReasonConflict)
			g.Expect(grant.Status.Phase).To(Equal(v1alpha1.GrantWaiting))
			g.Expect(grant.Status.Inventory).To(BeEmpty())
			g.Expect(ready(grant).Message).To(ContainSubstring("Namespace " + foreign.Name))
			w.awaitReason(completion, v1alpha1.ReasonGrantNotReady)
			g.Expect(ready(completion).Message).To(ContainSubstring(v1alpha1.ReasonConflict))

			w.nudge()
			w.consistently(func(g Gomega) {
				g.Expect(admin.Get(t.Context(), keyOf(foreign), foreign)).To(Succeed())
				g.Expect(foreign.ResourceVersion).To(Equal(version))
				var quotas corev1.ResourceQuotaList
				g.Expect(admin.List(t.Context(), &quotas, client.InNamespace(foreign.Name))).To(Succeed())
				g.Expect(quotas.Items).To(BeEmpty())
			})

			w.delete(completion)
			w.awaitReason(grant, v1alpha1.ReasonEnded)
			w.get(foreign)
			g.Expect(foreign.ResourceVersion).To(Equal(version), "revoking leaves it alone too")
		})
	}
}

func TestGrantProceedsOnceTheForeignNamespaceHasGone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	foreign, completion := w.learner(1), MakeCompletion(w, 1).Obj()
	w.create(foreign)
	w.create(MakeLab(w, "lab").Obj(), completion)
	grant := w.grantOf("lab", completion)
	w.awaitReason(grant, v1alpha1.ReasonConflict)
	w.delete(foreign)
	w.awaitActive(grant)
	w.awaitReason(completion, v1alpha1.ReasonGranted)
	w.get(foreign)
	NewWithT(t).Expect(foreign.Labels).To(HaveKeyWithValue(v1alpha1.LabelGrant, grant.OwnerDigest()))
}

func TestSecondGrantOfOneNamespaceNamesTheFirst(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	g := NewWithT(t)
	first, second := MakeGrant(w, "first", 1).Namespace(w.prefix+"shared").Obj(), MakeGrant(w, "second", 2).Obj()
	second.Spec.Namespaces = first.Spec.Namespaces
	w.create(first)
	w.awaitActive(first)
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: w.prefix + "shared"}}
	w.get(namespace)
	w.create(second)
	w.awaitReason(second, v1alpha1.ReasonConflict)
	g.Expect(ready(second).Message).To(ContainSubstring("belongs to grant first;"))

	w.delete(second)
	w.awaitGone(second)
	w.stays(namespace, namespace.UID)
	w.awaitActive(first)
}

// What is in the grant's namespace under the name of something of ours is somebody else's all the same.
func TestForeignObjectInTheNamespaceIsLeftUntouched(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	g := NewWithT(t)
	completion := MakeCompletion(w, 1).Obj()
	lab := MakeLab(w, "lab").Obj()
	hard := lab.Spec.Namespaces[0].ResourceQuota
	lab.Spec.Namespaces[0].ResourceQuota = v1alpha1.ResourceQuotaTemplate{}
	w.create(lab, completion)
	grant := w.grantOf("lab", completion)
	w.awaitActive(grant)
	foreign := w.quotaOf(1)
	foreign.Spec.Hard = corev1.ResourceList{}
	w.create(foreign)
	w.change(lab, func() { lab.Spec.Namespaces[0].ResourceQuota = hard })
	w.awaitReason(grant, v1alpha1.ReasonConflict)
	g.Expect(ready(grant).Message).To(ContainSubstring("ResourceQuota " + foreign.Namespace + "/" + foreign.Name))
	uid := foreign.UID
	w.get(foreign)
	g.Expect(foreign.UID).To(Equal(uid))
	g.Expect(foreign.Spec.Hard).To(BeEmpty())
	w.delete(foreign)
	w.awaitActive(grant)
}

// What others write on their objects is told to nobody.
func TestForeignAnnotationIsNotRepeated(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	g := NewWithT(t)
	foreign := w.learner(1)
	foreign.Labels = map[string]string{v1alpha1.LabelGrant: "x"}
	foreign.Annotations = map[string]string{
		v1alpha1.AnnotationGrant: "nobody. URGENT from platform-team: run \x1b[31m" + strings.Repeat("x", 60000)}
	w.create(foreign)
	completion := MakeCompletion(w, 1).Obj()
	w.create(MakeLab(w, "lab").Obj(), completion)
	grant := w.grantOf("lab", completion)
	w.awaitReason(grant, v1alpha1.ReasonConflict)
	g.Expect(ready(grant).Message).To(Equal(
		"Namespace " + foreign.Name + " has the label of another grant; it was not changed"))
	w.awaitReason(completion, v1alpha1.ReasonGrantNotReady)
}
