// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package upgrade

import (
	"encoding/json"
	"fmt"
	"strings"

	. "github.com/onsi/gomega"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// kept is a delivery that was acknowledged, and that the API server did not take.
type kept struct {
	user       v1alpha1.PlatformID
	deliveryID string
	replica    int
	// state is waiting or dead.
	state string
}

// The users whose completions the API server refuses: for good, and for now.
const (
	refusedForGood v1alpha1.PlatformID = 8000
	refusedForNow  v1alpha1.PlatformID = 9000
)

// refusal is an admission policy of somebody else, because of which deliveries stay in the inbox.
func (w *world) refusal() []client.Object {
	named := metav1.ObjectMeta{Name: "upgrade-test"}
	return []client.Object{
		&admissionv1.ValidatingAdmissionPolicy{ObjectMeta: named, Spec: admissionv1.ValidatingAdmissionPolicySpec{
			MatchConstraints: &admissionv1.MatchResources{ResourceRules: []admissionv1.NamedRuleWithOperations{{
				RuleWithOperations: admissionv1.RuleWithOperations{
					Operations: []admissionv1.OperationType{admissionv1.Create},
					Rule: admissionv1.Rule{
						APIGroups: []string{v1alpha1.GroupName}, APIVersions: []string{"*"},
						Resources: []string{"coursecompletions"},
					},
				},
			}}},
			Validations: []admissionv1.Validation{
				{Expression: fmt.Sprintf("object.spec.user.id < %d || object.spec.user.id >= %d", refusedForGood,
					refusedForNow), Reason: new(metav1.StatusReasonInvalid)},
				{Expression: fmt.Sprintf("object.spec.user.id < %d", refusedForNow), Reason: new(metav1.StatusReasonForbidden)},
			},
		}},
		&admissionv1.ValidatingAdmissionPolicyBinding{
			ObjectMeta: named,
			Spec: admissionv1.ValidatingAdmissionPolicyBindingSpec{
				PolicyName: named.Name, ValidationActions: []admissionv1.ValidationAction{admissionv1.Deny},
				MatchResources: &admissionv1.MatchResources{NamespaceSelector: &metav1.LabelSelector{
					MatchLabels: map[string]string{corev1.LabelMetadataName: w.school.Namespace},
				}},
			},
		},
	}
}

// fillInboxes has each replica keep a delivery that waits, and a dead letter.
func (w *world) fillInboxes() {
	w.t.Helper()
	w.create(w.refusal()...)
	for replica := range servers {
		// It takes a moment until the API server refuses: what it takes before is one completion more. Only a refusal makes
		// a dead letter; a delivery may also wait because the API server is slow.
		w.keep(replica, refusedForGood, "held", "dead")
		w.keep(replica, refusedForNow, "queued", "waiting")
	}
	w.inboxesAreFull()
}

// keep delivers to a replica until it keeps one, for users from a number on.
func (w *world) keep(replica int, first v1alpha1.PlatformID, outcome, state string) {
	w.t.Helper()
	user := first + v1alpha1.PlatformID(100*replica)
	NewWithT(w.t).Eventually(func() string {
		user++
		answer := w.complete(w.school, replica, otherCourse, user)
		if answer.Outcome == outcome {
			w.kept = append(w.kept, kept{user, answer.DeliveryID, replica, state})
		}
		return answer.Outcome
	}, patience, often).Should(Equal(outcome))
}

// inbox runs the webhook server's own command beside a replica, as kubectl exec does.
func (w *world) inbox(g Gomega, replica int, args ...string) string {
	r := w.system.Replicas[replica]
	var said strings.Builder
	command := r.Command(w.t.Context(), append([]string{"inbox", args[0], "--inbox-socket=" + r.Socket}, args[1:]...)...)
	command.Stderr = &said
	out, err := command.Output()
	g.Expect(err).NotTo(HaveOccurred(), said.String())
	return string(out)
}

// inboxesAreFull makes sure that each inbox has what was put into it.
func (w *world) inboxesAreFull() {
	w.t.Helper()
	NewWithT(w.t).Eventually(func(g Gomega) {
		for _, k := range w.kept {
			found := ""
			for line := range strings.Lines(w.inbox(g, k.replica, "list", "--json", "--limit=10000")) {
				var record struct{ DeliveryID, State string }
				g.Expect(json.Unmarshal([]byte(line), &record)).To(Succeed())
				if record.DeliveryID == k.deliveryID {
					found = record.State
				}
			}
			g.Expect(found).To(Equal(k.state), "delivery %s in inbox %d", k.deliveryID, k.replica)
		}
	}, patience, often).Should(Succeed())
}

// emptyInboxes lets the API server take what waits, and makes sure that each delivery that was kept is stored.
func (w *world) emptyInboxes() {
	w.t.Helper()
	g := NewWithT(w.t)
	for _, object := range w.refusal() {
		g.Expect(w.admin.Delete(w.t.Context(), object)).To(Succeed())
	}
	for replica := range servers {
		// Until the API server has forgotten the policy, dead letters stay dead letters.
		g.Eventually(func(g Gomega) {
			w.inbox(g, replica, "retry", "--all")
			w.inbox(g, replica, "drain", "--timeout=10s")
			g.Expect(w.inbox(g, replica, "status")).To(
				And(ContainSubstring("waiting:       0\n"), ContainSubstring("dead letters:  0\n")))
		}, patience, often).Should(Succeed())
	}
	for _, k := range w.kept {
		completion := completionOf(w.school, otherCourse, k.user)
		g.Expect(w.admin.Get(w.t.Context(), client.ObjectKeyFromObject(completion), completion)).To(Succeed())
		g.Expect(completion.Spec.Delivery.ID).To(Equal(k.deliveryID))
	}
}
