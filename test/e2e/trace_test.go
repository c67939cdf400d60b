// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bytes"
	"net/http"
	"slices"
	"strings"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/test/otlp"
)

const (
	sendersTrace = "4bf92f3577b34da6a3ce929d0e0e4736"
	sendersSpan  = "00f067aa0ba902b7"
)

// postTraced posts a body as part of a trace of the sender's, and returns the status.
func postTraced(t *testing.T, url string, body []byte, traceID string) int {
	t.Helper()
	g := NewWithT(t)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, bytes.NewReader(body))
	g.Expect(err).NotTo(HaveOccurred())
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Traceparent", "00-"+traceID+"-"+sendersSpan+"-01")
	request.Header.Set("Tracestate", "vendor=planted-in-tracestate")
	request.Header.Set("Baggage", "user=planted-in-baggage")
	response, err := http.DefaultClient.Do(request)
	g.Expect(err).NotTo(HaveOccurred())
	defer response.Body.Close()
	return response.StatusCode
}

// spansOf returns those of a trace by their names.
func spansOf(traceID, name string) []otlp.Span {
	return slices.DeleteFunc(collector.Spans(), func(s otlp.Span) bool { return s.TraceID != traceID || s.Name != name })
}

// One trace leads from the sender through the webhook server to the planning of the person.
func TestATraceLeadsToTheReconcile(t *testing.T) {
	g := NewWithT(t)
	u := labStudent(t)
	s := u.school
	g.Expect(postTraced(t, s.url(), u.delivery(t), sendersTrace)).To(Equal(200))
	u.awaitGrant(t, v1alpha1.ReasonActive)

	var stored v1alpha1.CourseCompletion
	g.Expect(admin.Get(t.Context(), u.completion, &stored)).To(Succeed())
	// The exporters send every five seconds.
	g.Eventually(func() []otlp.Span { return spansOf(sendersTrace, "plan") }, eventually, often).ShouldNot(BeEmpty())
	g.Eventually(func() []otlp.Span { return spansOf(sendersTrace, "delivery") }, eventually, often).Should(HaveLen(1))
	received := spansOf(sendersTrace, "delivery")[0]
	g.Expect(received.Service).To(Equal("completion-webhook-server"))
	g.Expect(received.ParentID).To(Equal(sendersSpan))
	// An API server that is busy takes it a moment later.
	outcome, reason := received.Attributes["completion.outcome"], received.Attributes["completion.reason"]
	g.Expect(outcome).To(BeElementOf("created", "queued"))
	g.Expect(received.Attributes).To(Equal(map[string]string{
		"completion.delivery_id": stored.Spec.Delivery.ID, "completion.institution_id": s.id.String(),
		"completion.outcome": outcome, "completion.reason": reason, "http.response.status_code": "200",
	}))
	g.Expect(stored.Spec.Delivery.Traceparent).To(Equal("00-" + sendersTrace + "-" + received.SpanID + "-01"))
	planned := spansOf(sendersTrace, "plan")[0]
	g.Expect(planned.Service).To(Equal("completion-controller-manager"))
	g.Expect(planned.ParentID).To(Equal(received.SpanID))
	g.Expect(planned.Attributes).To(Equal(map[string]string{
		"completion.delivery_id": stored.Spec.Delivery.ID, "completion.institution_id": s.id.String(),
	}))
	expectNone(t, "a span", collector.Text(), u.secrets())
	g.Expect(collector.Text()).NotTo(ContainSubstring("planted"))
}

// Nobody without a good token can write into the traces.
func TestAStrangerMakesNoSpans(t *testing.T) {
	g := NewWithT(t)
	s := openSchool(t)
	u := s.student()
	strangers := strings.Repeat("ab", 16)
	g.Expect(postTraced(t, s.url()+"x", u.delivery(t), strangers)).To(Equal(401))
	marked := strings.Repeat("cd", 16)
	g.Expect(postTraced(t, s.url(), u.delivery(t), marked)).To(Equal(200))
	g.Eventually(func() []otlp.Span { return spansOf(marked, "delivery") }, eventually, often).Should(HaveLen(1))
	g.Expect(collector.Text()).NotTo(ContainSubstring(strangers))
}
