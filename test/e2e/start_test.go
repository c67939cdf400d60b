// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"os"
	"strings"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/test/cluster"
)

// After an outage of the API server the controller-manager goes on at once: it waits for it, and does not end each time
// to be started later and later.
func TestControllerManagerStartedWhileTheAPIServerIsAway(t *testing.T) {
	g := NewWithT(t)
	s := openSchool(t)
	s.apply(t, s.labPolicy())
	manager := operator.ControllerManager
	waits := func() int {
		text, err := os.ReadFile(manager.Log)
		g.Expect(err).NotTo(HaveOccurred())
		return strings.Count(string(text), "Waiting for the API")
	}
	awaitWaiting := func(lines int) {
		t.Helper()
		g.Eventually(func() (int, error) { return waits(), manager.Live(t.Context()) }, eventually, often).Should(
			BeNumerically(">=", lines))
		g.Expect(manager.Ready(t.Context())).NotTo(Succeed())
	}
	g.Expect(manager.Kill()).To(Succeed())
	g.Expect(plane.Kill(t.Context(), cluster.APIServer)).To(Succeed())
	t.Cleanup(func() {
		// Whatever happened, the other tests need both.
		_ = plane.StartPart(context.WithoutCancel(t.Context()), cluster.APIServer)
		if manager.PID() == 0 {
			_ = manager.Launch()
		}
	})
	before := waits()
	g.Expect(manager.Launch()).To(Succeed())
	awaitWaiting(before + 1)
	g.Expect(manager.Stop()).To(Succeed(), "whoever waits can be told to end")

	g.Expect(manager.Launch()).To(Succeed())
	awaitWaiting(before + 3)
	started := manager.PID()
	g.Expect(plane.StartPart(t.Context(), cluster.APIServer)).To(Succeed())
	g.Expect(manager.WaitReady(t.Context())).To(Succeed())
	g.Expect(manager.PID()).To(Equal(started), "it is the same process")
	u := s.student()
	u.complete(t)
	u.awaitGrant(t, v1alpha1.ReasonActive)
}
