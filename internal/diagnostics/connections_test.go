// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package diagnostics

import (
	"context"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"k8s.io/utils/clock"
)

// dial opens a connection from an address of this machine.
func dial(ctx context.Context, from, to string) (net.Conn, error) {
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	return dialer.DialContext(ctx, "tcp", to)
}

// Whoever opens many connections to health or metrics holds few of them, and keeps nobody else out.
func TestManyConnectionsHoldUpNobody(t *testing.T) {
	g := NewWithT(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	g.Expect(err).NotTo(HaveOccurred())
	server := &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusNoContent)
		}),
		ReadHeaderTimeout: time.Minute,
	}
	limited := Bound(listener, server)
	go func() { _ = server.Serve(limited) }()
	t.Cleanup(func() { _ = server.Close() })

	for range 500 {
		conn, err := dial(t.Context(), "127.0.0.2", listener.Addr().String())
		g.Expect(err).NotTo(HaveOccurred())
		t.Cleanup(func() { _ = conn.Close() })
		// A header that never ends. Those that are closed already may say so.
		_, _ = io.WriteString(conn, "GET /healthz HTTP/1.1\r\nX: ")
	}
	client := &http.Client{Timeout: time.Minute, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext:       func(ctx context.Context, _, to string) (net.Conn, error) { return dial(ctx, "127.0.0.3", to) },
	}}
	url := "http://" + listener.Addr().String()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	g.Expect(err).NotTo(HaveOccurred())
	response, err := client.Do(request)
	g.Expect(err).NotTo(HaveOccurred())
	_ = response.Body.Close()
	g.Expect(response.StatusCode).To(Equal(http.StatusNoContent))
	// The slot that is taken in advance for the next one, and the one that was just served, count too.
	g.Expect(limited.(*Connections).Open()).To(BeNumerically("<=", maxConnectionsPerAddress+2))
	g.Expect(server.ReadHeaderTimeout).To(Equal(readTimeout))
	g.Expect(server.MaxHeaderBytes).To(Equal(4 << 10))
}

// Connections that do nothing make room for others, whoever has them.
func TestIdleConnectionsMakeRoom(t *testing.T) {
	g := NewWithT(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	g.Expect(err).NotTo(HaveOccurred())
	limited := Limit(listener, 4, clock.RealClock{})
	server := &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusNoContent)
		}),
		ReadHeaderTimeout: time.Hour, ConnState: limited.Observe,
	}
	go func() { _ = server.Serve(limited) }()
	t.Cleanup(func() { _ = server.Close() })

	for range 12 {
		conn, err := dial(t.Context(), "127.0.0.2", listener.Addr().String())
		g.Expect(err).NotTo(HaveOccurred())
		t.Cleanup(func() { _ = conn.Close() })
	}
	client := &http.Client{Timeout: time.Minute, Transport: &http.Transport{DisableKeepAlives: true}}
	url := "http://" + listener.Addr().String()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	g.Expect(err).NotTo(HaveOccurred())
	response, err := client.Do(request)
	g.Expect(err).NotTo(HaveOccurred())
	_ = response.Body.Close()
	g.Expect(response.StatusCode).To(Equal(http.StatusNoContent))
}
