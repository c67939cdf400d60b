// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/lxp-dev/course-completion-operator/webhookserver"
)

// wrapped is a transport.
type wrapped func(*http.Request) (*http.Response, error)

func (w wrapped) RoundTrip(r *http.Request) (*http.Response, error) { return w(r) }

// While a server has its watch, but the API would not tell it the institutions if it asked, they are not confirmed.
func TestInstitutionsThatTheAPIDoesNotConfirm(t *testing.T) {
	g := NewWithT(t)
	config, err := controlPlane.ServiceAccountConfig(t.Context(), systemNamespace, serviceAccount)
	g.Expect(err).NotTo(HaveOccurred())
	var forbidden atomic.Bool
	config.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return wrapped(func(r *http.Request) (*http.Response, error) {
			if !forbidden.Load() || !strings.HasSuffix(r.URL.Path, "/institutions") || r.URL.Query().Has("watch") {
				return next.RoundTrip(r)
			}
			return &http.Response{StatusCode: http.StatusForbidden, Request: r, Body: io.NopCloser(strings.NewReader(""))}, nil
		})
	})
	i := newInstitution(t)
	server := startWith(t, config, func(o *webhookserver.Options) { o.SnapshotMaxAge = 8 * time.Second })
	server.knows(t, i)
	confirmed := func() float64 { return metric(t, server, "completion_snapshot_timestamp_seconds") }
	first := confirmed()
	g.Eventually(confirmed, patience).Should(BeNumerically(">", first), "nothing has changed, but it is confirmed")

	forbidden.Store(true)
	const refused = "Could not confirm snapshot of institutions"
	g.Eventually(server.log.String, patience).Should(ContainSubstring(refused))
	last := confirmed()
	before := strings.Count(server.log.String(), refused)
	g.Eventually(func() int { return strings.Count(server.log.String(), refused) }, patience).Should(
		BeNumerically(">", before+1))
	g.Expect(confirmed()).To(BeNumerically("==", last))
	g.Expect(server.log.String()).To(ContainSubstring(`"reason":"api-forbidden"`))

	forbidden.Store(false)
	g.Eventually(confirmed, patience).Should(BeNumerically(">", last))
}
