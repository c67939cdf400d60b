// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"net/http"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/test/cluster"
)

// inbox runs the command inbox of the webhook server and returns what it prints.
func inbox(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var errOut strings.Builder
	command := operator.WebhookServer.Command(t.Context(), append([]string{"inbox"}, args...)...)
	command.Stderr = &errOut
	out, err := command.Output()
	t.Log(args, "printed", string(out), errOut.String())
	return string(out), err
}

// An inbox that no server has any more is emptied into the API by the command alone.
func TestAnInboxThatIsLeftBehindIsDrained(t *testing.T) {
	g := NewWithT(t)
	s := openSchool(t)
	socket, file := "--inbox-socket="+operator.Replicas[0].Socket, "--file="+operator.Replicas[0].Inbox
	g.Expect(plane.Kill(t.Context(), cluster.APIServer)).To(Succeed())
	u := s.student()
	answer := u.deliver(t)
	g.Expect(answer.Status).To(Equal(http.StatusOK), answer.String())
	g.Expect(answer.Outcome).To(Equal("queued"))
	out, err := inbox(t, "list", socket)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(out).To(And(ContainSubstring(answer.DeliveryID), ContainSubstring("api-unreachable")))
	_, err = inbox(t, "status", file)
	g.Expect(err).To(HaveOccurred(), "a server has it open")

	g.Expect(operator.WebhookServer.Kill()).To(Succeed())
	// Whatever becomes of this test, those that follow find the server running.
	t.Cleanup(func() {
		if operator.WebhookServer.PID() == 0 {
			g.Expect(operator.WebhookServer.Start(context.WithoutCancel(t.Context()))).To(Succeed())
		}
	})
	_, err = inbox(t, "drain", file, "--timeout=2s")
	g.Expect(err).To(MatchError("exit status 3"), "the API is away")
	g.Expect(plane.StartPart(t.Context(), cluster.APIServer)).To(Succeed())
	revive(t)
	// Where the API server was slow, the inbox has dead letters of other tests.
	_, err = inbox(t, "drain", file, "--allow-dead-letters")
	g.Expect(err).NotTo(HaveOccurred())
	var stored v1alpha1.CourseCompletion
	g.Expect(admin.Get(t.Context(), u.completion, &stored)).To(Succeed())
	g.Expect(stored.Spec.Delivery.ID).To(Equal(answer.DeliveryID))
	out, err = inbox(t, "status", file)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(out).To(ContainSubstring("waiting:       0\n"))

	g.Expect(operator.WebhookServer.Start(t.Context())).To(Succeed())
	var list v1alpha1.CourseCompletionList
	g.Expect(admin.List(t.Context(), &list, client.InNamespace(s.namespace))).To(Succeed())
	g.Expect(list.Items).To(HaveLen(1))
}
