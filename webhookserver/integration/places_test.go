// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/lxp-dev/course-completion-operator/webhookserver"
)

// A proxy that does not buffer requests declares no length. What comes in small pieces must not count for large.
func TestManySmallDeliveriesWithoutALength(t *testing.T) {
	g := NewWithT(t)
	i := newInstitution(t)
	server := start(t, func(o *webhookserver.Options) { o.MaxConnections = 1000 })
	url := server.knows(t, i)
	for range 300 {
		_, status, _ := dripping(t, server, i, "Transfer-Encoding: chunked")
		g.Expect(status).To(Equal(100))
	}
	g.Expect(post(t, url, example).outcome()).To(Equal("created"))
}

// Places are for bodies that come slowly. A delivery that is there waits for the API, which is not its sender's fault,
// and is not refused for it.
func TestDeliveriesThatWaitForTheAPIKeepNoPlaces(t *testing.T) {
	g := NewWithT(t)
	const most, sent = 10, 8
	config, err := controlPlane.ServiceAccountConfig(t.Context(), systemNamespace, serviceAccount)
	g.Expect(err).NotTo(HaveOccurred())
	var held atomic.Int32
	release := make(chan struct{})
	config.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return wrapped(func(r *http.Request) (*http.Response, error) {
			if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/coursecompletions") {
				held.Add(1)
				<-release
			}
			return next.RoundTrip(r)
		})
	})
	i := newInstitution(t)
	server := startWith(t, config, func(o *webhookserver.Options) { o.MaxConnections = most })
	url := server.knows(t, i)
	outcomes, closed := make(chan string, sent), atomic.Int32{}
	var posting sync.WaitGroup
	defer posting.Wait()
	for range sent {
		posting.Go(func() {
			got := post(t, url, example)
			if got.closed {
				closed.Add(1)
			}
			outcomes <- got.outcome()
		})
	}
	free := sync.OnceFunc(func() { close(release) })
	defer free()
	g.Eventually(held.Load, patience).Should(BeEquivalentTo(sent), "all of them wait for the API")
	free()
	for range sent {
		g.Eventually(outcomes, patience).Should(Receive(BeElementOf("created", "duplicate")))
	}
	posting.Wait()
	// Those over its share make room for other institutions once they are answered.
	g.Expect(closed.Load()).To(BeEquivalentTo(sent - most/2))
}
