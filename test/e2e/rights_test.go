// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"net/http"
	"os"
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/test/system"
)

const ours = v1alpha1.GroupName

// A right that is missing shows in the answer to the sender, and the delivery is stored once the right is there.
func TestWebhookServerNeedsEachOfItsRightsToStore(t *testing.T) {
	for _, tc := range []struct {
		verb string
		// stored says that the completion is there already.
		stored  bool
		changes []any
		// replaces says that the delivery is what is stored once the right is back.
		replaces bool
	}{
		{"create", false, nil, true},
		{"get", true, nil, false},
		{"update", true, []any{"event.send_at", "2023-07-04 08:00:00"}, true},
	} {
		t.Run(tc.verb, func(t *testing.T) {
			g := NewWithT(t)
			s := openSchool(t)
			u := s.student()
			if tc.stored {
				u.complete(t)
			}
			giveBack := takeAway(t, "completion-webhook-server", webhookServerUser,
				right{verb: tc.verb, group: ours, resource: "coursecompletions", namespace: s.namespace})
			answer := u.deliver(t, tc.changes...)
			g.Expect(answer.Status).To(Equal(http.StatusOK), answer.String())
			g.Expect(answer.Outcome).To(Equal("queued"))

			giveBack()
			g.Eventually(func(g Gomega) {
				var stored v1alpha1.CourseCompletion
				g.Expect(admin.Get(t.Context(), u.completion, &stored)).To(Succeed())
				g.Expect(stored.Spec.Delivery.ID == answer.DeliveryID).To(Equal(tc.replaces))
			}, eventually, often).Should(Succeed())
			g.Expect(u.deliver(t).Outcome).To(Equal("duplicate"))
		})
	}
}

// Without its view of the institutions, and without what an earlier one saw, a server that starts can authenticate
// nobody, and says so.
func TestWebhookServerNeedsItsViewOfInstitutions(t *testing.T) {
	g := NewWithT(t)
	s := openSchool(t)
	u := s.student()
	g.Expect(operator.WebhookServer.Stop()).To(Succeed())
	g.Expect(os.Remove(operator.Replicas[0].Inbox)).To(Succeed())
	giveBack := takeAwayView(t, "completion-webhook-server", webhookServerUser, ours, "institutions")
	g.Expect(operator.WebhookServer.Launch()).To(Succeed())
	var answer system.Answer
	g.Eventually(func() (err error) {
		answer, err = system.Deliver(t.Context(), s.url(), u.delivery(t))
		return err
	}, soon, often).Should(Succeed())
	g.Expect(answer.Status).To(Equal(http.StatusServiceUnavailable), answer.String())
	g.Expect(operator.WebhookServer.Ready(t.Context())).NotTo(Succeed())

	giveBack()
	g.Expect(operator.WebhookServer.WaitReady(t.Context())).To(Succeed())
	u.complete(t)
}

// A right that is missing shows on the Grant, and the Grant goes on by itself when it is given.
func TestGrantNeedsEachRightToProvision(t *testing.T) {
	for _, r := range []right{
		{verb: "create", group: "", resource: "namespaces"},
		{verb: "patch", group: "", resource: "namespaces"},
		{verb: "create", group: "", resource: "resourcequotas"},
		{verb: "patch", group: "", resource: "resourcequotas"},
		{verb: "create", group: "", resource: "limitranges"},
		{verb: "patch", group: "", resource: "limitranges"},
		{verb: "create", group: "networking.k8s.io", resource: "networkpolicies"},
		{verb: "patch", group: "networking.k8s.io", resource: "networkpolicies"},
		{verb: "create", group: "rbac.authorization.k8s.io", resource: "rolebindings"},
		{verb: "patch", group: "rbac.authorization.k8s.io", resource: "rolebindings"},
		{verb: "bind", group: "rbac.authorization.k8s.io", resource: "clusterroles", name: "completion-learner"},
	} {
		t.Run(r.String(), func(t *testing.T) {
			g := NewWithT(t)
			u := labStudent(t)
			giveBack := takeFromManager(t, r)
			u.complete(t)
			u.awaitGrant(t, v1alpha1.ReasonForbidden)
			g.Eventually(func() (string, error) { return u.ready(t.Context()) }, soon, often).
				Should(Equal(v1alpha1.ReasonGrantNotReady))

			giveBack()
			u.awaitGrant(t, v1alpha1.ReasonActive)
		})
	}
}

// What could not be taken away is not forgotten.
func TestGrantNeedsTheRightToDeleteNamespaces(t *testing.T) {
	g := NewWithT(t)
	u := grantedStudent(t)
	giveBack := takeFromManager(t, right{verb: "delete", group: "", resource: "namespaces"})
	u.withdraw(t)
	u.awaitGrant(t, v1alpha1.ReasonForbidden)
	g.Expect(admin.Get(t.Context(), client.ObjectKey{Name: u.namespace}, &corev1.Namespace{})).To(Succeed())

	giveBack()
	u.awaitNamespaceGone(t)
	u.awaitGrant(t, v1alpha1.ReasonEnded)
}

// What cannot be looked at right before it would end ends nothing.
func TestEndsNeedTheRightsToLookAtWhatMayHaveChanged(t *testing.T) {
	t.Run("the institution, where a completion was withdrawn", func(t *testing.T) {
		g := NewWithT(t)
		u := grantedStudent(t)
		giveBack := takeFromManager(t, right{verb: "get", group: ours, resource: "institutions"})
		u.withdraw(t)
		g.Consistently(func() (string, error) { return u.grantReason(t.Context()) }, aWhile, often).
			Should(Equal(v1alpha1.ReasonActive))

		giveBack()
		u.awaitNamespaceGone(t)
		u.awaitGrant(t, v1alpha1.ReasonEnded)
	})
	t.Run("the policy, where a grant was deleted", func(t *testing.T) {
		g := NewWithT(t)
		u := grantedStudent(t)
		grants, err := u.grants(t.Context())
		g.Expect(err).NotTo(HaveOccurred())
		giveBack := takeFromManager(t, right{verb: "get", group: ours, resource: "completionpolicies"})
		g.Expect(admin.Delete(t.Context(), &grants[0])).To(Succeed())
		u.awaitGrant(t, v1alpha1.ReasonForbidden)

		giveBack()
		u.awaitGrant(t, v1alpha1.ReasonActive)
	})
}

// Rights that nothing can be said without: what they are for stays undone as long as they are missing.
func TestPlanningNeedsEachRightToWriteItsResults(t *testing.T) {
	for _, r := range []right{
		{verb: "patch", group: ours, resource: "coursecompletions", subresource: "status"},
		{verb: "patch", group: ours, resource: "grants", subresource: "status"},
		{verb: "create", group: ours, resource: "grants"},
	} {
		t.Run(r.String(), func(t *testing.T) {
			g := NewWithT(t)
			u := labStudent(t)
			giveBack := takeFromManager(t, r)
			u.complete(t)
			g.Consistently(func() (string, error) { return u.ready(t.Context()) }, aWhile, often).
				ShouldNot(Equal(v1alpha1.ReasonGranted))

			giveBack()
			g.Eventually(func() (string, error) { return u.ready(t.Context()) }, eventually, often).
				Should(Equal(v1alpha1.ReasonGranted))
		})
	}
}

// A Grant that cannot be changed keeps what it says, until it can.
func TestPlanningNeedsTheRightToChangeGrants(t *testing.T) {
	g := NewWithT(t)
	u := grantedStudent(t)
	giveBack := takeFromManager(t, right{verb: "patch", group: ours, resource: "grants"})
	answer := u.deliver(t, "event.send_at", "2023-07-04 08:00:00", "enrollment.status", 0)
	g.Expect(answer.Outcome).To(Equal("updated"), answer.String())
	g.Consistently(func() (string, error) { return u.grantReason(t.Context()) }, aWhile, often).
		Should(Equal(v1alpha1.ReasonActive))

	giveBack()
	u.awaitGrant(t, v1alpha1.ReasonEnded)
}

// Without its view of a kind the controller-manager is not ready, and grants nothing on half a picture.
func TestControllerManagerNeedsItsViewOfEachKind(t *testing.T) {
	for _, r := range []right{
		{group: ours, resource: "institutions"},
		{group: ours, resource: "coursecompletions"},
		{group: ours, resource: "completionpolicies"},
		{group: ours, resource: "grants"},
		{group: ours, resource: "seatpools"},
		{group: ours, resource: "seats"},
		{group: "", resource: "namespaces"},
		{group: "", resource: "resourcequotas"},
		{group: "", resource: "limitranges"},
		{group: "networking.k8s.io", resource: "networkpolicies"},
		{group: "rbac.authorization.k8s.io", resource: "rolebindings"},
	} {
		t.Run(r.resource, func(t *testing.T) {
			g := NewWithT(t)
			u := labStudent(t)
			g.Expect(operator.ControllerManager.Stop()).To(Succeed())
			giveBack := takeAwayView(t, "completion-controller-manager", controllerManagerUser, r.group, r.resource)
			g.Expect(operator.ControllerManager.Launch()).To(Succeed())
			u.complete(t)
			g.Consistently(func() error { return operator.ControllerManager.Ready(t.Context()) }, aWhile, often).
				ShouldNot(Succeed())
			g.Expect(u.ready(t.Context())).To(Equal("no condition Ready"))

			giveBack()
			g.Expect(operator.ControllerManager.WaitReady(t.Context())).To(Succeed())
			u.awaitGrant(t, v1alpha1.ReasonActive)
		})
	}
}

// A seat that cannot be given or freed is not reported as given or freed.
func TestSeatsNeedTheRightsToGiveAndToFree(t *testing.T) {
	for _, verb := range []string{"create", "delete"} {
		t.Run(verb, func(t *testing.T) {
			g := NewWithT(t)
			s := openSchool(t)
			g.Expect(admin.Create(t.Context(), s.pool(1))).To(Succeed())
			s.apply(t, s.seatPolicy())
			first, second := s.student(), s.student()
			r := right{verb: verb, group: ours, resource: "seats"}
			waiting := first
			if verb == "delete" {
				first.complete(t)
				first.awaitGrant(t, v1alpha1.ReasonActive)
				waiting = second
			}
			giveBack := takeFromManager(t, r)
			waiting.complete(t)
			if verb == "delete" {
				first.withdraw(t)
			}
			g.Consistently(func() (string, error) { return waiting.grantReason(t.Context()) }, aWhile, often).
				ShouldNot(Equal(v1alpha1.ReasonActive))

			giveBack()
			waiting.awaitGrant(t, v1alpha1.ReasonActive)
		})
	}
}

// The controller-manager reads tokens only where it was let in.
func TestInstitutionSaysThatTheBindingIsMissing(t *testing.T) {
	g := NewWithT(t)
	s := makeSchool(t)
	s.awaitReady(t)
	g.Expect(admin.Delete(t.Context(), s.binding())).To(Succeed())
	g.Expect(admin.Delete(t.Context(), s.institution())).To(Succeed())
	g.Expect(admin.Create(t.Context(), s.secondInstitution())).To(Succeed())
	var institution v1alpha1.Institution
	key := client.ObjectKey{Namespace: s.namespace, Name: "second"}
	g.Eventually(func() (string, error) {
		err := admin.Get(t.Context(), key, &institution)
		return reasonOf(institution.Status.Conditions), err
	}, soon, often).Should(Equal(v1alpha1.ReasonAccessMissing))
	for _, token := range institution.Status.Tokens {
		g.Expect(token.State).To(Equal(v1alpha1.TokenForbidden))
		g.Expect(token.SHA256).To(BeEmpty())
	}

	g.Expect(admin.Create(t.Context(), s.binding())).To(Succeed())
	g.Eventually(func() (string, error) {
		err := admin.Get(t.Context(), key, &institution)
		return reasonOf(institution.Status.Conditions), err
	}, eventually, often).ShouldNot(Equal(v1alpha1.ReasonAccessMissing))
}

// The program that faces the internet can do nothing but record.
func TestRightsThatNobodyGave(t *testing.T) {
	s := makeSchool(t)
	for _, tc := range []struct {
		user string
		right
		want bool
	}{
		{webhookServerUser, right{verb: "get", resource: "secrets"}, false},
		{webhookServerUser, right{verb: "create", resource: "namespaces"}, false},
		{webhookServerUser, right{verb: "delete", group: ours, resource: "coursecompletions"}, false},
		{webhookServerUser, right{verb: "list", group: ours, resource: "coursecompletions"}, false},
		{webhookServerUser, right{verb: "create", group: ours, resource: "grants"}, false},
		{webhookServerUser, right{verb: "update", group: ours, resource: "erasureregisters"}, false},
		{webhookServerUser, right{verb: "delete", group: ours, resource: "erasureregisters"}, false},
		{controllerManagerUser, right{verb: "get", group: ours, resource: "erasureregisters"}, false},
		{controllerManagerUser, right{verb: "list", group: ours, resource: "erasureregisters",
			namespace: s.namespace}, false},
		{webhookServerUser, right{verb: "patch", group: ours, resource: "institutions", subresource: "status"}, false},
		{controllerManagerUser, right{verb: "get", resource: "secrets"}, false},
		{controllerManagerUser, right{verb: "get", resource: "secrets", namespace: "kube-system"}, false},
		{controllerManagerUser, right{verb: "get", resource: "secrets", namespace: s.namespace}, true},
		{controllerManagerUser, right{verb: "list", resource: "secrets", namespace: s.namespace}, false},
		{controllerManagerUser, right{verb: "create", group: ours, resource: "coursecompletions"}, false},
		{controllerManagerUser, right{verb: "patch", group: ours, resource: "completionpolicies"}, false},
		{controllerManagerUser, right{
			verb: "bind", group: "rbac.authorization.k8s.io", resource: "clusterroles", name: "cluster-admin"}, false},
		{controllerManagerUser, right{
			verb: "create", group: "rbac.authorization.k8s.io", resource: "clusterrolebindings"}, false},
		{controllerManagerUser, right{verb: "create", resource: "pods"}, false},
		{controllerManagerUser, right{verb: "impersonate", resource: "users"}, false},
		{controllerManagerUser, right{verb: "impersonate", resource: "groups"}, false},
		{controllerManagerUser, right{verb: "impersonate", resource: "serviceaccounts"}, false},
		{controllerManagerUser, right{verb: "impersonate", resource: "serviceaccounts", namespace: "kube-system"}, false},
		{controllerManagerUser, right{verb: "impersonate", resource: "serviceaccounts", namespace: s.namespace}, true},
	} {
		t.Run(tc.user+" "+tc.String()+" "+tc.namespace, func(t *testing.T) {
			got, err := allowed(t.Context(), tc.user, tc.right)
			g := NewWithT(t)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(got).To(Equal(tc.want))
		})
	}
}
