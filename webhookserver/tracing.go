// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package webhookserver

import (
	"net/http"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/lxp-dev/course-completion-operator/internal/tracing"
)

// startSpan begins the span of a call that was let in; strangers cannot make any. It continues the sender's trace, if
// the call names one.
func (h *handler) startSpan(r *http.Request, c *call) {
	if h.tracer == nil {
		return
	}
	parent := tracing.WithParent(r.Context(), r.Header.Get("Traceparent"))
	_, c.span = h.tracer.Start(parent, "delivery", trace.WithSpanKind(trace.SpanKindServer), trace.WithAttributes(
		attribute.String("completion.delivery_id", c.id),
		attribute.Int64("completion.institution_id", int64(c.institution.Spec.ID))))
}

// traceparent is what is passed on with a delivery; empty where it is not traced.
func (c *call) traceparent() string {
	if c.span == nil {
		return ""
	}
	return tracing.Format(c.span.SpanContext())
}

func (c *call) endSpan(a *answer) {
	if c.span == nil {
		return
	}
	c.span.SetAttributes(
		attribute.String("completion.outcome", string(a.outcome)),
		attribute.String("completion.reason", a.reason),
		attribute.Int("http.response.status_code", a.status))
	if a.status >= http.StatusInternalServerError {
		c.span.SetStatus(codes.Error, a.reason)
	}
	c.span.End()
}
