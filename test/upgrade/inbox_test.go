// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package upgrade

import (
	"fmt"
	"regexp"
	"strconv"

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
		for first, outcome := range map[v1alpha1.PlatformID]string{refusedForNow: "queued", refusedForGood: "held"} {
			user := first + v1alpha1.PlatformID(100*replica)
			// It takes a moment until the API server refuses: what it takes before is one completion more.
			NewWithT(w.t).Eventually(func() string {
				user++
				answer := w.complete(w.school, replica, otherCourse, user)
				if answer.Outcome == outcome {
					w.kept = append(w.kept, kept{user, answer.DeliveryID})
				}
				return answer.Outcome
			}, patience, often).Should(Equal(outcome))
		}
	}
	w.inboxesAreFull()
}

var counts = regexp.MustCompile(`waiting: +(\d+)\ndead letters: +(\d+)\n`)

// inbox runs the webhook server's own command beside a replica, as kubectl exec does.
func (w *world) inbox(g Gomega, replica int, args ...string) string {
	r := w.system.Replicas[replica]
	out, err := r.Command(w.t.Context(), append([]string{"inbox", args[0], "--inbox-socket=" + r.Socket},
		args[1:]...)...).CombinedOutput()
	g.Expect(err).NotTo(HaveOccurred(), string(out))
	return string(out)
}

// inboxesAreFull makes sure that each inbox has what was put into it.
func (w *world) inboxesAreFull() {
	w.t.Helper()
	NewWithT(w.t).Eventually(func(g Gomega) {
		for replica := range servers {
			found := counts.FindStringSubmatch(w.inbox(g, replica, "status"))
			g.Expect(found).To(HaveLen(3))
			for _, count := range found[1:] {
				number, err := strconv.Atoi(count)
				g.Expect(err).NotTo(HaveOccurred())
				g.Expect(number).To(Equal(1), "replica %d: %q", replica, found[0])
			}
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
			g.Expect(w.inbox(g, replica, "status")).To(ContainSubstring("dead letters:  0\n"))
		}, patience, often).Should(Succeed())
	}
	for _, k := range w.kept {
		completion := completionOf(w.school, otherCourse, k.user)
		g.Expect(w.admin.Get(w.t.Context(), client.ObjectKeyFromObject(completion), completion)).To(Succeed())
		g.Expect(completion.Spec.Delivery.ID).To(Equal(k.deliveryID))
	}
}
