// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package upgrade

import (
	"fmt"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/test/system"
)

// newField is a field of Grants that no older version knows.
const newField = "fieldOfALaterVersion"

// addField has the CRD of Grants, and a planned one of a user, have a field that the release before does not know.
func (w *world) addField(user v1alpha1.PlatformID) {
	w.t.Helper()
	g, ctx := NewWithT(w.t), w.t.Context()
	crd := &unstructured.Unstructured{}
	crd.SetAPIVersion("apiextensions.k8s.io/v1")
	crd.SetKind("CustomResourceDefinition")
	crd.SetName("grants." + v1alpha1.GroupName)
	add := fmt.Sprintf(`[{"op": "add", "value": {"type": "string"}, "path": `+
		`"/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/%s"}]`, newField)
	g.Expect(w.admin.Patch(ctx, crd, client.RawPatch(types.JSONPatchType, []byte(add)))).To(Succeed())

	// The planner's Grants are the planner's to write.
	config, err := w.plane.ServiceAccountConfig(ctx, system.Namespace, "completion-controller-manager")
	g.Expect(err).NotTo(HaveOccurred())
	planner, err := system.NewClient(config)
	g.Expect(err).NotTo(HaveOccurred())
	set := client.RawPatch(types.MergePatchType, fmt.Appendf(nil, `{"spec": {%q: "kept"}}`, newField))
	g.Eventually(func(g Gomega) {
		g.Expect(planner.Patch(ctx, w.grantOf(g, user), set)).To(Succeed())
		g.Expect(w.fieldOf(g, user)).To(Equal("kept"))
	}, patience, often).Should(Succeed())
}

// grantOf returns what names the only lab of a user.
func (w *world) grantOf(g Gomega, user v1alpha1.PlatformID) *unstructured.Unstructured {
	for _, grant := range w.grants(g, w.school) {
		if grant.Spec.Holder.UserID == user && grant.Spec.Policy == "lab" {
			found := &unstructured.Unstructured{}
			found.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("Grant"))
			found.SetNamespace(grant.Namespace)
			found.SetName(grant.Name)
			g.Expect(w.admin.Get(w.t.Context(), client.ObjectKeyFromObject(found), found)).To(Succeed())
			return found
		}
	}
	g.Expect(user).To(BeZero(), "has no lab")
	return nil
}

func (w *world) fieldOf(g Gomega, user v1alpha1.PlatformID) string {
	value, _, err := unstructured.NestedString(w.grantOf(g, user).Object, "spec", newField)
	g.Expect(err).NotTo(HaveOccurred())
	return value
}

// rewrite has the planner write the Grant of a user anew, and makes sure that it left the field alone that only a later
// version knows.
func (w *world) rewrite(user v1alpha1.PlatformID) {
	w.t.Helper()
	g := NewWithT(w.t)
	before := w.grantOf(g, user).GetGeneration()
	g.Expect(w.completeAgain(w.school, 0, labCourse, user).Outcome).To(Equal("updated"))
	g.Eventually(func(g Gomega) {
		g.Expect(w.grantOf(g, user).GetGeneration()).To(BeNumerically(">", before))
	}, patience, often).Should(Succeed())
	g.Expect(w.fieldOf(g, user)).To(Equal("kept"))
}
