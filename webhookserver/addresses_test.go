// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package webhookserver

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-logr/logr"
	. "github.com/onsi/gomega"
	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
)

// 0 and nothing are no address, as for the controller-manager. The API is away: nothing of this needs it.
func TestMetricsAndProbesCanBeTurnedOff(t *testing.T) {
	for _, none := range []string{"0", ""} {
		t.Run("address "+none, func(t *testing.T) {
			g := NewWithT(t)
			dir := t.TempDir()
			server, err := New(t.Context(), Options{
				Config: &rest.Config{Host: "127.0.0.1:1"}, Registry: prometheus.NewRegistry(), Log: logr.Discard(),
				ListenAddress: "127.0.0.1:0", HealthAddress: none, MetricsAddress: none, MetricsSecure: true,
				MaxBodyBytes: 64 << 10, ShutdownTimeout: time.Second, Clock: clock.RealClock{},
				Storage: Storage{
					APITimeout: time.Second, APIConcurrency: 1,
					InboxFile: filepath.Join(dir, "inbox.db"), InboxMaxBytes: 64 << 20, InboxSocket: filepath.Join(dir, "s"),
				},
			})
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(server.WebhookAddress()).NotTo(BeEmpty())
			g.Expect(server.HealthAddress()).To(BeEmpty())
			g.Expect(server.MetricsAddress()).To(BeEmpty())
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			g.Expect(server.Run(ctx)).To(Succeed(), "it stops as any other")
		})
	}
}
