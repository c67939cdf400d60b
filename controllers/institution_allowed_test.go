// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// permit says on the namespace of a world which Institution may live there, as whoever runs the cluster does.
func (w *world) permit(id v1alpha1.PlatformID, prefix string) {
	w.t.Helper()
	w.claim(map[string]string{v1alpha1.AnnotationInstitutionID: id.String(), v1alpha1.AnnotationNamespacePrefix: prefix})
}

func (w *world) claim(annotations map[string]string) {
	w.t.Helper()
	home := &corev1.Namespace{}
	home.Name = w.namespace
	w.change(home, func() { home.Annotations = annotations })
}

// Without a word of its namespace an Institution takes no deliveries and grants nothing; with it, at once.
func TestInstitutionIsAllowedByItsNamespace(t *testing.T) {
	t.Parallel()
	w := makeWorld(t)
	right := map[string]string{
		v1alpha1.AnnotationInstitutionID: w.id.String(), v1alpha1.AnnotationNamespacePrefix: w.prefix}
	for _, tc := range []struct{ name, key, value string }{
		{"no id", v1alpha1.AnnotationInstitutionID, ""},
		{"another id", v1alpha1.AnnotationInstitutionID, "77"},
		{"no prefix", v1alpha1.AnnotationNamespacePrefix, ""},
		{"another prefix", v1alpha1.AnnotationNamespacePrefix, w.prefix + "law-"},
		{"neither", "", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w := makeWorld(t)
			g := NewWithT(t)
			wrong := map[string]string{}
			for key, value := range map[string]string{
				v1alpha1.AnnotationInstitutionID: w.id.String(), v1alpha1.AnnotationNamespacePrefix: w.prefix} {
				if key == tc.key {
					value = tc.value
				}
				if value != "" && tc.key != "" {
					wrong[key] = value
				}
			}
			w.claim(wrong)
			institution, completion := MakeInstitution(w).Obj(), MakeCompletion(w, 1).Obj()
			handmade := MakeGrant(w, "handmade", 2).Namespace(w.prefix + "2").Obj()
			w.create(institution, MakeLab(w, "lab").Obj(), completion, handmade)
			w.start()
			w.awaitReason(institution, v1alpha1.ReasonNotAllowed)
			g.Expect(institution.Status.Tokens).To(BeEmpty())
			g.Expect(ready(institution).Message).To(ContainSubstring("kubectl annotate namespace " + w.namespace +
				" completions.lxp.dev/institution-id=" + w.id.String() +
				" completions.lxp.dev/namespace-prefix=" + w.prefix))
			w.awaitEvent(institution, v1alpha1.ReasonNotAllowed, "kubectl annotate namespace")
			w.awaitReason(completion, v1alpha1.ReasonNotAllowed)
			w.awaitReason(handmade, v1alpha1.ReasonNotAllowed)
			g.Expect(handmade.Status.Inventory).To(BeEmpty())

			w.permit(w.id, w.prefix)
			w.awaitReason(institution, v1alpha1.ReasonReady)
			g.Expect(institution.Status.Tokens).To(HaveLen(1))
			w.awaitActive(w.grantOf("lab", completion))
			w.awaitActive(handmade)
		})
	}
	t.Run("both", func(t *testing.T) {
		t.Parallel()
		w := w.in(t)
		w.claim(right)
		institution := MakeInstitution(w).Obj()
		w.create(institution)
		w.start()
		w.awaitReason(institution, v1alpha1.ReasonReady)
		NewWithT(t).Expect(meta.IsStatusConditionTrue(institution.Status.Conditions, v1alpha1.ConditionAllowed)).To(BeTrue())
	})
}

// That a permission is missing is no order to take anything from anybody, nor to let anybody keep what a person
// revokes.
func TestInstitutionThatIsNoLongerAllowedKeepsWhatItGranted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	g := NewWithT(t)
	institution, stays, goes := MakeInstitution(w).Obj(), MakeCompletion(w, 1).Obj(), MakeCompletion(w, 2).Obj()
	w.create(MakeLab(w, "lab").Seat("room").Obj(), MakePool(w, "room", 5).Obj(), stays, goes)
	kept, revoked := w.grantOf("lab", stays), w.grantOf("lab", goes)
	w.awaitActive(kept)
	w.awaitActive(revoked)
	namespace := w.learner(1)
	w.get(namespace)

	w.claim(nil)
	w.awaitReason(institution, v1alpha1.ReasonNotAllowed)
	g.Expect(institution.Status.Tokens).To(BeEmpty())
	w.awaitReason(kept, v1alpha1.ReasonNotAllowed)
	w.delete(stays)
	w.awaitGone(stays)
	w.stays(namespace, namespace.UID)
	w.get(w.accessOf(1))
	w.get(kept)
	g.Expect(kept.Status.Phase).To(Equal(v1alpha1.GrantActive))
	g.Expect(kept.Spec.Causes[0].End).To(BeEmpty(), "a completion that goes meanwhile ends nothing")

	w.change(revoked, func() {
		revoked.Spec.Override = v1alpha1.GrantOverride{Revoked: new(true), Reason: "left the school"}
	})
	w.awaitGone(w.learner(2))

	w.permit(w.id, w.prefix)
	w.awaitReason(institution, v1alpha1.ReasonReady)
}

// Of two whose prefixes overlap the older one keeps its own and is told, and the younger one gets nothing.
func TestInstitutionsWhosePrefixesOverlap(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name    string
		younger func(prefix string) string
	}{
		{"the same", func(prefix string) string { return prefix }},
		{"longer", func(prefix string) string { return prefix + "law-" }},
		{"shorter", func(prefix string) string { return prefix[:len(prefix)-len("arts-")] }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w, other := makeWorld(t), makeWorld(t)
			g := NewWithT(t)
			w.beside = []string{other.namespace}
			w.prefix += "arts-"
			other.prefix = tc.younger(w.prefix)
			w.permit(w.id, w.prefix)
			other.permit(other.id, other.prefix)
			older, younger := MakeInstitution(w).Obj(), MakeInstitution(other).Obj()
			w.create(older)
			w.start()
			w.awaitReason(older, v1alpha1.ReasonReady)
			handmade := MakeGrant(other, "handmade", 1).Namespace(other.prefix + "1").Obj()
			// Greater names come later, and the times of both may be the same second.
			w.create(younger, handmade)
			w.awaitReason(younger, v1alpha1.ReasonPrefixOverlaps)
			g.Expect(younger.Status.Tokens).To(BeEmpty())
			g.Expect(ready(younger).Message).To(ContainSubstring(w.prefix))
			g.Expect(ready(younger).Message).NotTo(ContainSubstring(w.namespace), "it is somebody else's")
			w.awaitReason(handmade, v1alpha1.ReasonPrefixOverlaps)
			w.awaitEvent(older, v1alpha1.ReasonPrefixOverlaps, "of a younger Institution")
			w.get(older)
			g.Expect(ready(older).Reason).To(Equal(v1alpha1.ReasonReady))

			w.delete(older)
			w.awaitReason(younger, v1alpha1.ReasonReady)
			w.awaitActive(handmade)
		})
	}
}

// Nobody keeps a prefix from others by an Institution that its namespace does not allow, however old it is.
func TestPrefixIsNotKeptByAnInstitutionThatIsNotAllowed(t *testing.T) {
	t.Parallel()
	w, squatter := makeWorld(t), makeWorld(t)
	w.beside = []string{squatter.namespace}
	squatter.prefix = w.prefix
	squatter.claim(map[string]string{})
	squatting, institution := MakeInstitution(squatter).Obj(), MakeInstitution(w).Obj()
	w.create(squatting)
	w.start()
	w.awaitReason(squatting, v1alpha1.ReasonNotAllowed)
	w.create(institution)
	w.awaitReason(institution, v1alpha1.ReasonReady)
	w.consistently(func(g Gomega) {
		w.get(institution)
		g.Expect(ready(institution).Reason).To(Equal(v1alpha1.ReasonReady))
	})
}

// After a restore from a backup everything is equally old: who was in use keeps what it had.
func TestPrefixStaysWithTheInstitutionThatIsInUse(t *testing.T) {
	t.Parallel()
	w, other := makeWorld(t), makeWorld(t)
	w.beside = []string{other.namespace}
	other.permit(other.id, w.prefix)
	used, unused := MakeInstitution(w).Obj(), MakeInstitution(other).Obj()
	unused.Spec.NamespacePrefix = w.prefix
	w.create(unused, MakeCompletion(w, 1).Obj(), MakeLab(w, "lab").Obj(), used)
	w.start()
	w.awaitReason(used, v1alpha1.ReasonReady)
	w.awaitReason(unused, v1alpha1.ReasonPrefixOverlaps)
}
