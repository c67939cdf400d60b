// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"net/http"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/lxp-dev/course-completion-operator/internal/apply"
	"github.com/lxp-dev/course-completion-operator/test/system"
)

// The metrics of both programs are for those who have the right, and over TLS.
func TestMetricsNeedTheRightToReadThem(t *testing.T) {
	g := NewWithT(t)
	reader, err := operator.MetricsReader(t.Context())
	g.Expect(err).NotTo(HaveOccurred())
	defer reader.Close()
	other, err := plane.ServiceAccountConfig(t.Context(), "default", "default")
	g.Expect(err).NotTo(HaveOccurred())
	for program, url := range map[string]string{
		"the webhook server": operator.WebhookServerMetrics, "the controller-manager": operator.ControllerManagerMetrics,
	} {
		text, err := reader.Read(t.Context(), url)
		g.Expect(err).NotTo(HaveOccurred(), program)
		g.Expect(text).To(ContainSubstring("go_goroutines"), program)
		for token, want := range map[string]int{
			"": http.StatusUnauthorized, "wrong": http.StatusUnauthorized, other.BearerToken: http.StatusForbidden,
		} {
			stranger := system.NewMetricsReader(token)
			code, text, err := stranger.Get(t.Context(), url)
			stranger.Close()
			g.Expect(err).NotTo(HaveOccurred(), program)
			g.Expect(code).To(Equal(want), program)
			g.Expect(text).NotTo(ContainSubstring("go_goroutines"), program)
		}
	}
}

// Whether what config/admission installs is in place is looked at by the leader.
func TestAdmissionPoliciesAreWatched(t *testing.T) {
	g := NewWithT(t)
	reader, err := operator.MetricsReader(t.Context())
	g.Expect(err).NotTo(HaveOccurred())
	defer reader.Close()
	g.Eventually(func(g Gomega) {
		text, err := reader.Read(t.Context(), operator.ControllerManagerMetrics)
		g.Expect(err).NotTo(HaveOccurred())
		for _, policy := range apply.AdmissionPolicies {
			g.Expect(text).To(ContainSubstring(`completion_admission_policy_in_place{policy="` + policy + `"} 1`))
		}
	}).WithTimeout(2 * time.Minute).WithPolling(time.Second).Should(Succeed())
}
