// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package tracing sends traces to an OTLP collector, and reads and writes the one thing of a trace that travels with a
// delivery. Nothing is sent unless somebody names a collector. Spans may have ids of the platform and fixed words as
// attributes; tokens and personal data never.
package tracing

import (
	"context"
	"fmt"
	"net/url"
	"time"

	"github.com/go-logr/logr"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// stopTimeout bounds how long the last spans may take to be sent.
const stopTimeout = 5 * time.Second

// Program is what the spans say of who made them.
type Program struct{ Name, Version string }

// Start returns where spans come from, nil where nothing is traced, and what sends the last of them. The endpoint is
// the URL of a collector that takes OTLP over gRPC, http:// for plain text and https:// for TLS; empty stands for no
// tracing. What else there is to say, such as headers and sampling, is said by the environment variables of
// OpenTelemetry; by default the caller's decision to sample is followed. A collector that is away costs spans and
// nothing else, and is logged.
func Start(
	ctx context.Context, endpoint string, program Program,
) (provider trace.TracerProvider, stop func(context.Context) error, err error) {
	if endpoint == "" {
		return nil, func(context.Context) error { return nil }, nil
	}
	parsed, err := url.Parse(endpoint)
	if err != nil || parsed.Scheme != "http" && parsed.Scheme != "https" || parsed.Host == "" {
		return nil, nil, fmt.Errorf("the OTLP endpoint is not the URL of a collector: use one such as http://collector:4317")
	}
	exporter, err := otlptracegrpc.New(ctx, otlptracegrpc.WithEndpointURL(endpoint))
	if err != nil {
		return nil, nil, fmt.Errorf("preparing the OTLP exporter: %w", err)
	}
	log := logr.FromContextOrDiscard(ctx).WithName("tracing")
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { log.Error(err, "Could not send spans") }))
	spans := sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter), sdktrace.WithResource(
		resource.NewSchemaless(attribute.String("service.name", program.Name),
			attribute.String("service.version", program.Version))))
	return spans, func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
		defer cancel()
		if err := spans.Shutdown(ctx); err != nil {
			return fmt.Errorf("sending the last spans: %w", err)
		}
		return nil
	}, nil
}

// header is the one of W3C Trace Context that is read. Its companions tracestate and baggage hold what anybody likes.
const header = "traceparent"

// WithParent returns a context that continues the trace of a traceparent. What is none is ignored.
func WithParent(ctx context.Context, traceparent string) context.Context {
	return propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier{header: traceparent})
}

// Parse reads a traceparent. What is none gives one that is not valid.
func Parse(traceparent string) trace.SpanContext {
	return trace.SpanContextFromContext(WithParent(context.Background(), traceparent))
}

// Format writes a span as a traceparent, or nothing where nobody would look for it.
func Format(span trace.SpanContext) string {
	if !span.IsValid() || !span.IsSampled() {
		return ""
	}
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(trace.ContextWithSpanContext(context.Background(), span), carrier)
	return carrier[header]
}
