// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/utils/clock"

	"github.com/lxp-dev/course-completion-operator/webhookserver"
)

// get returns the status of a GET, or 0 where nobody listens.
func get(t *testing.T, address, path string) int {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+path, http.NoBody)
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	response, err := httpClient.Do(request)
	if err != nil {
		return 0
	}
	defer response.Body.Close()
	return response.StatusCode
}

// begin sends the header of a delivery and half of its body, and returns once the server has begun to read it.
func begin(t *testing.T, server *running, i institution) (conn net.Conn, answers *bufio.Reader) {
	t.Helper()
	g := NewWithT(t)
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", server.WebhookAddress())
	g.Expect(err).NotTo(HaveOccurred())
	t.Cleanup(func() { _ = conn.Close() })
	_, err = fmt.Fprintf(conn, "POST /webhooks/12345/%s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"+
		"Content-Length: %d\r\nExpect: 100-continue\r\n\r\n", i.token, len(example))
	g.Expect(err).NotTo(HaveOccurred())
	answers = bufio.NewReader(conn)
	line, err := answers.ReadString('\n')
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(line).To(Equal("HTTP/1.1 100 Continue\r\n"))
	_, err = answers.ReadString('\n')
	g.Expect(err).NotTo(HaveOccurred())
	_, err = io.WriteString(conn, example[:len(example)/2])
	g.Expect(err).NotTo(HaveOccurred())
	return conn, answers
}

// Who says beforehand that too much will come is refused before any of it does.
func TestADeclaredBodyThatIsTooLargeIsNotRead(t *testing.T) {
	g := NewWithT(t)
	i, server := newInstitution(t), start(t)
	server.knows(t, i)
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", server.WebhookAddress())
	g.Expect(err).NotTo(HaveOccurred())
	defer conn.Close()
	g.Expect(conn.SetDeadline(time.Now().Add(patience / 2))).To(Succeed())
	_, err = fmt.Fprintf(conn, "POST /webhooks/12345/%s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"+
		"Content-Length: 1000000000\r\n\r\n", i.token)
	g.Expect(err).NotTo(HaveOccurred())
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	g.Expect(err).NotTo(HaveOccurred())
	defer response.Body.Close()
	g.Expect(response.StatusCode).To(Equal(413))
	g.Expect(response.Close).To(BeTrue())
}

func TestShutdownFinishesWhatWasAccepted(t *testing.T) {
	g := NewWithT(t)
	i, server := newInstitution(t), start(t)
	server.knows(t, i)
	g.Expect(get(t, server.HealthAddress(), "/readyz")).To(Equal(200))
	conn, answers := begin(t, server, i)

	server.stop()
	g.Eventually(func() int { return get(t, server.HealthAddress(), "/readyz") }, patience).Should(Equal(503))
	g.Expect(get(t, server.HealthAddress(), "/healthz")).To(Equal(200))
	g.Eventually(func() error {
		late, err := new(net.Dialer).DialContext(t.Context(), "tcp", server.WebhookAddress())
		if err == nil {
			_ = late.Close()
		}
		return err
	}, patience).Should(HaveOccurred())
	g.Expect(server.ended).NotTo(Receive())

	_, err := io.WriteString(conn, example[len(example)/2:])
	g.Expect(err).NotTo(HaveOccurred())
	response, err := http.ReadResponse(answers, nil)
	g.Expect(err).NotTo(HaveOccurred())
	defer response.Body.Close()
	g.Expect(response.StatusCode).To(Equal(200))
	g.Eventually(server.ended, patience).Should(Receive(BeNil()))
	g.Expect(i.completions(t)).To(Equal(1))
	g.Expect(get(t, server.HealthAddress(), "/healthz")).To(BeZero())
}

func TestShutdownIsBounded(t *testing.T) {
	g := NewWithT(t)
	i := newInstitution(t)
	server := start(t, func(o *webhookserver.Options) { o.ShutdownTimeout = 200 * time.Millisecond })
	server.knows(t, i)
	begin(t, server, i)
	server.stop()
	g.Eventually(server.ended, patience).Should(Receive(MatchError(ContainSubstring("took longer than 200ms"))))
	g.Expect(i.completions(t)).To(BeZero())
}

// A sender that hangs up in the middle of a body is not answered, but there is a record of it.
func TestAnIncompleteBodyIsRecorded(t *testing.T) {
	g := NewWithT(t)
	i, server := newInstitution(t), start(t)
	server.knows(t, i)
	conn, _ := begin(t, server, i)
	g.Expect(conn.Close()).To(Succeed())
	g.Eventually(server.log.String, patience).Should(ContainSubstring(`"reason":"body-incomplete"`))
	g.Expect(i.completions(t)).To(BeZero())
}

func TestAddressesThatAreTakenAreAnErrorAtOnce(t *testing.T) {
	g := NewWithT(t)
	server := start(t)
	config, err := controlPlane.ServiceAccountConfig(t.Context(), systemNamespace, serviceAccount)
	g.Expect(err).NotTo(HaveOccurred())
	_, err = webhookserver.New(t.Context(), webhookserver.Options{
		Config: config, ListenAddress: "127.0.0.1:0", HealthAddress: server.HealthAddress(), MetricsAddress: "127.0.0.1:0",
		Registry: prometheus.NewRegistry(), Storage: newStorage(t), Clock: clock.RealClock{},
	})
	g.Expect(err).To(MatchError(ContainSubstring("listening on the health address")))
}

// The log, the audit record, the answer and the completion share the delivery id; none but the completion holds
// personal data, and none the token.
func TestAuditAndMetrics(t *testing.T) {
	g := NewWithT(t)
	i, server := newInstitution(t), start(t)
	url := server.knows(t, i)
	got := post(t, url, edited(t, `"user": {`, `"user": {"x":"Unknown-Value","y":2,`))
	g.Expect(got.status).To(Equal(200), got.text)
	record := server.log.audit(t, got.deliveryID())
	for key, want := range map[string]any{
		"http.request.method": "POST", "url.path": "/webhooks/12345/***", "source.ip": "127.0.0.1",
		"completion.outcome": "created", "event.reason": "stored", "event.outcome": "success",
		"http.response.status_code": 200.0, "organization.id": "12345", "orchestrator.namespace": i.namespace,
		"orchestrator.resource.name": exampleName, "completion.token_secret": "webhook-token",
		"http.request.body.bytes": float64(len(example) + len(`"x":"Unknown-Value","y":2,`)),
	} {
		g.Expect(record).To(HaveKeyWithValue(key, want))
	}
	g.Expect(record["event.duration"]).To(BeNumerically(">", 0))
	g.Expect(i.completion(t).Spec.Delivery.Warnings).To(ContainElement(BeEquivalentTo("UnknownFields")))
	g.Expect(post(t, url, `{`).status).To(Equal(400))
	g.Expect(post(t, url+"x", example).status).To(Equal(401))

	var metrics string
	g.Eventually(func() string {
		metrics = scrape(t, server)
		return metrics
	}, patience).Should(ContainSubstring(`completion_deliveries_total{outcome="refused",reason="unauthorized"} 1`))
	for _, want := range []string{
		`completion_deliveries_total{outcome="created",reason="stored"} 1`,
		`completion_deliveries_total{outcome="refused",reason="malformed-json"} 1`,
		`completion_delivery_unknown_fields_total 2`,
		`completion_delivery_duration_seconds_count{outcome="created"} 1`,
	} {
		g.Expect(metrics).To(ContainSubstring(want))
	}
	for _, private := range []string{
		i.token, digest(i.token), "Student", "student@toolzz.com", "123.456.789-99", "Unknown-Value", "Course Name",
	} {
		g.Expect(server.log.String()).NotTo(ContainSubstring(private))
		g.Expect(metrics).NotTo(ContainSubstring(private))
		g.Expect(got.text).NotTo(ContainSubstring(private))
	}
}

func scrape(t *testing.T, server *running) string {
	t.Helper()
	g := NewWithT(t)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet,
		"http://"+server.MetricsAddress()+"/metrics", http.NoBody)
	g.Expect(err).NotTo(HaveOccurred())
	response, err := httpClient.Do(request)
	g.Expect(err).NotTo(HaveOccurred())
	defer response.Body.Close()
	var text strings.Builder
	_, err = io.Copy(&text, response.Body)
	g.Expect(err).NotTo(HaveOccurred())
	return text.String()
}
