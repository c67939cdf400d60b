// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/lxp-dev/course-completion-operator/webhookserver"
)

// dial opens a connection that the end of the test closes.
func dial(t *testing.T, server *running) net.Conn {
	t.Helper()
	g := NewWithT(t)
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", server.WebhookAddress())
	g.Expect(err).NotTo(HaveOccurred())
	t.Cleanup(func() { _ = conn.Close() })
	g.Expect(conn.SetDeadline(time.Now().Add(patience))).To(Succeed())
	return conn
}

func write(t *testing.T, conn net.Conn, text string) {
	t.Helper()
	_, err := io.WriteString(conn, text)
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
}

// expectHungUp waits until the server closes a connection, and returns what it said before.
func expectHungUp(t *testing.T, conn net.Conn) string {
	t.Helper()
	said, err := io.ReadAll(conn)
	NewWithT(t).Expect(errors.Is(err, os.ErrDeadlineExceeded)).To(BeFalse(), "the connection is still open")
	return string(said)
}

// postAnew posts over a new connection.
func postAnew(t *testing.T, url, body string) reply {
	t.Helper()
	httpClient.CloseIdleConnections()
	return post(t, url, body)
}

func timeouts(change func(*webhookserver.Timeouts)) func(*webhookserver.Options) {
	return func(o *webhookserver.Options) { change(&o.Timeouts) }
}

func TestASlowHeader(t *testing.T) {
	server := start(t, timeouts(func(o *webhookserver.Timeouts) { o.ReadHeader = 100 * time.Millisecond }))
	for _, sent := range []string{"", "P", "POST /webhooks/12345/x HTTP/1.1\r\nHost: x\r\nX-Slow: "} {
		conn := dial(t, server)
		write(t, conn, sent)
		NewWithT(t).Expect(expectHungUp(t, conn)).NotTo(ContainSubstring("HTTP/1.1 2"))
	}
}

// A body that drips is cut off, however steadily it does, and its sender told.
func TestASlowBody(t *testing.T) {
	g := NewWithT(t)
	i := newInstitution(t)
	server := start(t, timeouts(func(o *webhookserver.Timeouts) { o.Read = 500 * time.Millisecond }))
	server.knows(t, i)
	conn, answers := begin(t, server, i)
	dripping := make(chan struct{})
	go func() {
		defer close(dripping)
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for range 3000 {
			<-tick.C
			if _, err := io.WriteString(conn, " "); err != nil {
				return
			}
		}
	}()
	response, err := http.ReadResponse(answers, nil)
	g.Expect(err).NotTo(HaveOccurred())
	defer response.Body.Close()
	g.Expect(response.StatusCode).To(Equal(400))
	g.Expect(server.log.audit(t, response.Header.Get(webhookserver.DeliveryIDHeader))).To(
		HaveKeyWithValue("event.reason", "body-incomplete"))
	g.Eventually(dripping, patience).Should(BeClosed(), "the connection is still open")
	g.Expect(i.completions(t)).To(BeZero())
}

// Who asks and never reads fills the buffers, and is cut off then.
func TestASlowReader(t *testing.T) {
	g := NewWithT(t)
	i := newInstitution(t)
	server := start(t, timeouts(func(o *webhookserver.Timeouts) { o.Write = 300 * time.Millisecond }))
	url := server.knows(t, i)
	conn := dial(t, server)
	requests := strings.Repeat(fmt.Sprintf("GET /webhooks/12345/%s HTTP/1.1\r\nHost: x\r\n\r\n", i.token), 100)
	var err error
	for n := 0; err == nil && n < 10_000; n++ {
		_, err = io.WriteString(conn, requests)
	}
	g.Expect(err).To(HaveOccurred())
	g.Expect(errors.Is(err, os.ErrDeadlineExceeded)).To(BeFalse(), "the connection is still open")
	g.Expect(send(t, http.MethodGet, url, "").status).To(Equal(200))
}

func TestAnIdleConnection(t *testing.T) {
	g := NewWithT(t)
	i := newInstitution(t)
	server := start(t, timeouts(func(o *webhookserver.Timeouts) { o.Idle = 100 * time.Millisecond }))
	server.knows(t, i)
	conn := dial(t, server)
	write(t, conn, fmt.Sprintf("GET /webhooks/12345/%s HTTP/1.1\r\nHost: x\r\n\r\n", i.token))
	g.Expect(expectHungUp(t, conn)).To(HavePrefix("HTTP/1.1 200 OK"))
}

func TestAHeaderThatIsTooLarge(t *testing.T) {
	g := NewWithT(t)
	server := start(t)
	conn := dial(t, server)
	// The server may hang up before all of it is written.
	_, _ = fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: x\r\nX-Large: %s\r\n\r\n", strings.Repeat("x", 64<<10))
	status, err := bufio.NewReader(conn).ReadString('\n')
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(status).To(HavePrefix("HTTP/1.1 431 "))
}

// Connections cost nothing to open. Those that are not used make room for those that are.
func TestIdleConnectionsKeepNobodyOut(t *testing.T) {
	g := NewWithT(t)
	const most = 8
	i := newInstitution(t)
	server := start(t, func(o *webhookserver.Options) { o.MaxConnections = most })
	url := server.knows(t, i)
	for range 3 * most {
		dial(t, server)
	}
	kept := dial(t, server)
	write(t, kept, fmt.Sprintf("GET /webhooks/12345/%s HTTP/1.1\r\nHost: x\r\n\r\n", i.token))
	response, err := http.ReadResponse(bufio.NewReader(kept), nil)
	g.Expect(err).NotTo(HaveOccurred())
	_ = response.Body.Close()
	for range most {
		dial(t, server)
		g.Expect(postAnew(t, url, example).outcome()).To(BeElementOf("created", "duplicate"))
	}
	// The limit holds all the same.
	g.Expect(connectionsOf(t, server)).To(BeNumerically("<=", most))
}

func connectionsOf(t *testing.T, server *running) float64 {
	t.Helper()
	return metric(t, server, "completion_connections")
}

// metric reads a metric without labels.
func metric(t *testing.T, server *running, name string) (n float64) {
	t.Helper()
	for line := range strings.Lines(scrape(t, server)) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			_, err := fmt.Sscan(value, &n)
			NewWithT(t).Expect(err).NotTo(HaveOccurred())
			return n
		}
	}
	t.Errorf("there is no metric %s", name)
	return 0
}

// Where every connection is busy, one that ends its request makes room too, and so do the time-outs.
func TestBusyConnectionsKeepNobodyOutForLong(t *testing.T) {
	const most = 4
	i := newInstitution(t)
	server := start(t, func(o *webhookserver.Options) {
		o.MaxConnections, o.Timeouts.ReadHeader = most, 500*time.Millisecond
	})
	url := server.knows(t, i)
	for range 2 * most {
		write(t, dial(t, server), "POST /webhooks/12345/x HTTP/1.1\r\nX-Slow: ")
	}
	NewWithT(t).Expect(postAnew(t, url, example).outcome()).To(Equal("created"))
}

// One institution whose deliveries hang, as many as it can send, does not hold up another.
func TestANoisyInstitutionDoesNotStarveAnother(t *testing.T) {
	g := NewWithT(t)
	const most = 10
	noisy, other := newInstitution(t), newInstitution(t)
	server := start(t, func(o *webhookserver.Options) { o.MaxConnections = most })
	server.knows(t, noisy)
	url := server.knows(t, other)
	for range most / 2 {
		begin(t, server, noisy)
	}
	var late []net.Conn
	for range 2 * most {
		conn := dial(t, server)
		write(t, conn, fmt.Sprintf("POST /webhooks/12345/%s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"+
			"Content-Length: %d\r\n\r\n", noisy.token, len(example)))
		late = append(late, conn)
	}
	for _, conn := range late {
		g.Expect(expectHungUp(t, conn)).To(And(HavePrefix("HTTP/1.1 429 "), ContainSubstring("Retry-After: 1")))
	}
	got := postAnew(t, url, example)
	g.Expect(got.outcome()).To(Equal("created"), got.text)
	g.Expect(scrape(t, server)).To(ContainSubstring(`completion_throttled_total{limit="institution-places"} 20`))
}
