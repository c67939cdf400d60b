// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"context"
	"testing"

	. "github.com/onsi/gomega"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// An admission policy of the cluster says whom to ask: so does the Grant.
func TestGrantSaysWhyTheClusterRefuses(t *testing.T) {
	t.Parallel()
	w, g := newWorld(t), NewWithT(t)
	name := "needs-team-" + w.namespace
	policy := &admissionv1.ValidatingAdmissionPolicy{ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: admissionv1.ValidatingAdmissionPolicySpec{
			MatchConstraints: &admissionv1.MatchResources{ResourceRules: []admissionv1.NamedRuleWithOperations{{
				RuleWithOperations: admissionv1.RuleWithOperations{
					Operations: []admissionv1.OperationType{"CREATE"},
					Rule: admissionv1.Rule{
						APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"namespaces"}},
				}}}},
			Validations: []admissionv1.Validation{{
				Expression: "!object.metadata.name.startsWith('" + w.prefix + "')",
				Message:    "a team label is missing: ask the platform team",
			}},
		}}
	binding := &admissionv1.ValidatingAdmissionPolicyBinding{ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: admissionv1.ValidatingAdmissionPolicyBindingSpec{PolicyName: name,
			ValidationActions: []admissionv1.ValidationAction{admissionv1.Deny}}}
	g.Expect(admin.Create(t.Context(), policy)).To(Succeed())
	g.Expect(admin.Create(t.Context(), binding)).To(Succeed())
	t.Cleanup(func() {
		_ = admin.Delete(context.WithoutCancel(t.Context()), binding)
		_ = admin.Delete(context.WithoutCancel(t.Context()), policy)
	})
	grant := MakeGrant(w, "guest", 42).Namespace(w.prefix + "42").Obj()
	// The API server takes a moment until it goes by a new policy.
	probe := w.learner(41)
	w.eventually(func(g Gomega) {
		g.Expect(admin.Create(t.Context(), probe.DeepCopy(), client.DryRunAll)).NotTo(Succeed())
	})
	w.create(grant)
	w.awaitReason(grant, v1alpha1.ReasonRefused)
	g.Expect(stalled(grant)).To(BeTrue())
	g.Expect(ready(grant).Message).To(And(ContainSubstring("ValidatingAdmissionPolicy "+name),
		ContainSubstring("a team label is missing: ask the platform team")))
	g.Expect(admin.Delete(t.Context(), binding)).To(Succeed())
	w.awaitActive(grant)
}
