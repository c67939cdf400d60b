// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/lxp-dev/course-completion-operator/webhookserver"
)

// What bodies may take together is 32 MiB here, and those of one institution half of it.
const largeBody = 8 << 20

// dripping begins a delivery with a body that is declared large, or not declared at all, and never ends. The status
// is 100 where the server wants the body.
func dripping(t *testing.T, server *running, i institution, length string) (net.Conn, int, http.Header) {
	t.Helper()
	g := NewWithT(t)
	conn := dial(t, server)
	write(t, conn, fmt.Sprintf("POST /webhooks/12345/%s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n%s\r\n"+
		"Expect: 100-continue\r\n\r\n", i.token, length))
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(response.Body.Close()).To(Succeed())
	return conn, response.StatusCode, response.Header
}

// Senders with good tokens, as many as there are places for, cannot make the server keep more bodies than it has memory
// for, nor one of them so many that nothing is left for the others.
func TestSlowBodiesHaveABoundTogether(t *testing.T) {
	g := NewWithT(t)
	declared, chunked := fmt.Sprintf("Content-Length: %d", largeBody), "Transfer-Encoding: chunked"
	first, second, third := newInstitution(t), newInstitution(t), newInstitution(t)
	server := start(t, func(o *webhookserver.Options) { o.MaxBodyBytes = largeBody })
	server.knows(t, first)
	server.knows(t, second)
	url := server.knows(t, third)

	expectTaken := func(i institution, length string) net.Conn {
		t.Helper()
		conn, status, _ := dripping(t, server, i, length)
		g.Expect(status).To(Equal(100))
		return conn
	}
	expectRefused := func(i institution, length string) {
		t.Helper()
		_, status, header := dripping(t, server, i, length)
		g.Expect(status).To(Equal(503))
		g.Expect(header.Get("Retry-After")).To(MatchRegexp(`^[1-9][0-9]*$`))
		g.Expect(server.log.audit(t, header.Get(webhookserver.DeliveryIDHeader))).To(And(
			HaveKeyWithValue("completion.outcome", "unavailable"), HaveKeyWithValue("event.reason", "bodies-in-memory")))
	}
	open := []net.Conn{expectTaken(first, declared), expectTaken(first, declared)}
	for range 20 {
		expectRefused(first, declared)
	}
	expectRefused(first, chunked)
	g.Expect(post(t, url, example).outcome()).To(Equal("created"), "another institution has room")

	open = append(open, expectTaken(second, declared), expectTaken(second, declared))
	expectUnavailable(t, server, post(t, url, example), "bodies-in-memory")
	for _, conn := range open {
		g.Expect(conn.Close()).To(Succeed())
	}
	g.Eventually(func() string { return post(t, url, example).outcome() }, patience).Should(Equal("duplicate"))
	expectTaken(first, chunked)
}
