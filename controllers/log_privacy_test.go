// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"context"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// refuseBindings has the API server refuse role bindings in the namespaces of a test, with a message that quotes whom
// they are for. It returns what to delete to have them taken again.
func (w *world) refuseBindings() client.Object {
	w.t.Helper()
	g := NewWithT(w.t)
	name := metav1.ObjectMeta{Name: w.namespace + "-refuses-bindings"}
	policy := &admissionregistrationv1.ValidatingAdmissionPolicy{ObjectMeta: name}
	policy.Spec.MatchConstraints = &admissionregistrationv1.MatchResources{
		ResourceRules: []admissionregistrationv1.NamedRuleWithOperations{{
			RuleWithOperations: admissionregistrationv1.RuleWithOperations{
				Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create},
				Rule: admissionregistrationv1.Rule{
					APIGroups: []string{rbacv1.GroupName}, APIVersions: []string{"*"}, Resources: []string{"rolebindings"}},
			},
		}},
	}
	policy.Spec.MatchConditions = []admissionregistrationv1.MatchCondition{
		{Name: "here", Expression: "request.namespace.startsWith('" + w.prefix + "')"},
	}
	policy.Spec.Validations = []admissionregistrationv1.Validation{{
		Expression: "false", MessageExpression: "'no access for ' + object.subjects[0].name",
		Reason: new(metav1.StatusReasonInvalid),
	}}
	binding := &admissionregistrationv1.ValidatingAdmissionPolicyBinding{ObjectMeta: name}
	binding.Spec.PolicyName = name.Name
	binding.Spec.ValidationActions = []admissionregistrationv1.ValidationAction{admissionregistrationv1.Deny}
	probe := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: w.prefix + "probe"}}
	w.create(policy, binding, probe)
	w.t.Cleanup(func() {
		for _, object := range []client.Object{policy, binding} {
			g.Expect(client.IgnoreNotFound(admin.Delete(context.Background(), object))).To(Succeed())
		}
	})
	w.eventually(func(g Gomega) {
		attempt := w.binding()
		attempt.Namespace = probe.Name
		attempt.Subjects = []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: "ana"}}
		err := admin.Create(w.t.Context(), attempt, client.DryRunAll)
		g.Expect(apierrors.IsInvalid(err)).To(BeTrue(), "%v", err)
		g.Expect(err.Error()).To(ContainSubstring("no access for ana"), "the server quotes the subject")
	})
	return binding
}

// The API server quotes what it refuses. What it quotes is personal, and shows neither in the log nor in a condition
// nor in an event. That nothing personal is in the log holds for every test; here there is something to keep out.
func TestErrorOfTheAPIServerThatQuotesAValueIsToldWithoutIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	g := NewWithT(t)
	refusing := w.refuseBindings()
	completion := MakeCompletion(w, 1).Obj()
	w.create(MakeLab(w, "lab").Obj(), completion)
	grant := w.grantOf("lab", completion)
	w.awaitReason(grant, v1alpha1.ReasonRefused)
	g.Expect(ready(grant).Message).To(ContainSubstring("Invalid"))
	w.awaitReason(completion, v1alpha1.ReasonGrantNotReady)

	var events eventsv1.EventList
	g.Expect(admin.List(t.Context(), &events, client.InNamespace(w.namespace))).To(Succeed())
	said := []string{w.logs.String(), ready(grant).Message, ready(completion).Message}
	for i := range events.Items {
		said = append(said, events.Items[i].Note)
	}
	for _, text := range said {
		g.Expect(strings.ToLower(text)).NotTo(ContainSubstring(completion.Spec.User.Email))
		g.Expect(text).NotTo(ContainSubstring("no access for"))
	}

	w.delete(refusing)
	w.awaitActive(grant)
}
