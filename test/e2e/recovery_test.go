// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"os"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/test/cluster"
	"github.com/lxp-dev/course-completion-operator/test/system"
)

func TestWebhookServerKilled(t *testing.T) {
	g := NewWithT(t)
	s := openSchool(t)
	s.apply(t, s.labPolicy())
	before, after := s.student(), s.student()
	before.complete(t)
	g.Expect(operator.WebhookServer.Kill()).To(Succeed())
	_, err := system.Deliver(t.Context(), s.url(), after.delivery(t))
	g.Expect(err).To(HaveOccurred(), "nobody answers, so the sender keeps the delivery")

	g.Expect(operator.WebhookServer.Start(t.Context())).To(Succeed())
	g.Expect(before.deliver(t).Outcome).To(Equal("duplicate"), "what was acknowledged is there")
	after.complete(t)
	for _, u := range []*student{before, after} {
		u.awaitGrant(t, v1alpha1.ReasonActive)
	}
}

// What was delivered while nobody provisioned is provisioned, and once.
func TestControllerManagerKilled(t *testing.T) {
	g := NewWithT(t)
	s := openSchool(t)
	s.apply(t, s.labPolicy())
	var students []*student
	for range 20 {
		u := s.student()
		u.complete(t)
		students = append(students, u)
	}
	// In the middle of it.
	students[0].awaitGrant(t, v1alpha1.ReasonActive)
	g.Expect(operator.ControllerManager.Kill()).To(Succeed())
	late := s.student()
	late.complete(t)
	students[0].withdraw(t)

	g.Expect(operator.ControllerManager.Start(t.Context())).To(Succeed())
	for _, u := range append(students[1:], late) {
		u.awaitGrant(t, v1alpha1.ReasonActive)
		g.Eventually(func() (string, error) { return u.ready(t.Context()) }, soon, often).
			Should(Equal(v1alpha1.ReasonGranted))
	}
	// A withdrawal that nobody saw is not believed at once: the completion may be still to be restored.
	g.Expect(students[0].grantReason(t.Context())).To(Equal(v1alpha1.ReasonActive))
	late.withdraw(t)
	late.awaitNamespaceGone(t)
	late.awaitGrant(t, v1alpha1.ReasonEnded)
}

// While the API server is away nothing is acknowledged; afterwards everything goes on by itself.
func TestAPIServerKilled(t *testing.T) {
	g := NewWithT(t)
	s := openSchool(t)
	s.apply(t, s.labPolicy())
	before, during := s.student(), s.student()
	before.complete(t)
	g.Expect(plane.Kill(t.Context(), cluster.APIServer)).To(Succeed())
	answer := during.deliver(t)
	g.Expect(answer.Status).To(Equal(http.StatusOK), answer.String())
	g.Expect(answer.Outcome).To(Equal("queued"))
	g.Expect(plane.StartPart(t.Context(), cluster.APIServer)).To(Succeed())

	// What was accepted needs no repetition.
	revive(t)
	for _, u := range []*student{before, during} {
		u.awaitGrant(t, v1alpha1.ReasonActive)
	}
}

// What was accepted while the API was away survives the end of the webhook server at any instant.
func TestWebhookServerKilledWithAnInbox(t *testing.T) {
	g := NewWithT(t)
	s := openSchool(t)
	s.apply(t, s.labPolicy())
	before := s.student()
	before.complete(t)
	var students []*student
	sum := sha256.Sum256([]byte(s.token))
	g.Eventually(func() (string, error) {
		kept, err := os.ReadFile(operator.Replicas[0].Inbox)
		return string(kept), err
	}, soon, often).Should(ContainSubstring(hex.EncodeToString(sum[:])), "the institution is not in the snapshot")
	g.Expect(plane.Kill(t.Context(), cluster.APIServer)).To(Succeed())
	for range 5 {
		u := s.student()
		g.Expect(u.deliver(t).Outcome).To(Equal("queued"))
		students = append(students, u)
	}
	g.Expect(operator.WebhookServer.Kill()).To(Succeed())
	g.Expect(operator.WebhookServer.Launch()).To(Succeed())
	// It knows the institution from the last time.
	g.Expect(operator.WebhookServer.WaitReady(t.Context())).To(Succeed())
	late := s.student()
	g.Expect(late.deliver(t).Outcome).To(Equal("queued"))
	g.Expect(operator.WebhookServer.Kill()).To(Succeed())
	g.Expect(plane.StartPart(t.Context(), cluster.APIServer)).To(Succeed())
	revive(t)
	g.Expect(operator.WebhookServer.Start(t.Context())).To(Succeed())
	for _, u := range append(students, before, late) {
		u.awaitGrant(t, v1alpha1.ReasonActive)
	}
}

// revive starts a program again that ended because the API server was away, as a kubelet would: a controller-manager
// that cannot renew its Lease must end.
func revive(t *testing.T) {
	t.Helper()
	for _, program := range operator.Programs() {
		select {
		case err := <-program.Ended():
			fmt.Println("started again:", err)
			NewWithT(t).Expect(program.Start(t.Context())).To(Succeed())
		default:
		}
	}
}
