// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package otlp is a collector of traces for tests: it takes OTLP over gRPC on loopback and keeps what came.
package otlp

import (
	"context"
	"encoding/hex"
	"fmt"
	"net"
	"sync"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	traces "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/encoding/protojson"
)

// Span is what tests look at.
type Span struct {
	// Service is the attribute service.name of the resource.
	Service, Name string
	// TraceID, SpanID and ParentID are in hexadecimal; ParentID is empty at the root.
	TraceID, SpanID, ParentID string
	// Attributes as text.
	Attributes map[string]string
	// Links are the traces that the span refers to.
	Links []string
}

// Collector is a server on loopback.
type Collector struct {
	collector.UnimplementedTraceServiceServer
	server *grpc.Server
	url    string
	served chan error

	mu    sync.Mutex
	spans []Span
	raw   []byte
}

// Start serves until Stop.
func Start() (*Collector, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listening for spans: %w", err)
	}
	c := &Collector{
		server: grpc.NewServer(), url: "http://" + listener.Addr().String(), served: make(chan error, 1),
	}
	collector.RegisterTraceServiceServer(c.server, c)
	go func() { c.served <- c.server.Serve(listener) }()
	return c, nil
}

// URL is what --otlp-endpoint is told.
func (c *Collector) URL() string { return c.url }

// Stop ends the server at once and waits for it.
func (c *Collector) Stop() error {
	c.server.Stop()
	return <-c.served
}

// Spans returns what came so far.
func (c *Collector) Spans() []Span {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]Span(nil), c.spans...)
}

// Text returns all that came so far, with everything in it.
func (c *Collector) Text() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return string(c.raw)
}

// Export implements the service.
func (c *Collector) Export(
	_ context.Context, request *collector.ExportTraceServiceRequest,
) (*collector.ExportTraceServiceResponse, error) {
	text, err := protojson.Marshal(request)
	if err != nil {
		return nil, fmt.Errorf("reading spans: %w", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.raw = append(append(c.raw, text...), '\n')
	for _, resource := range request.GetResourceSpans() {
		service := texts(resource.GetResource().GetAttributes())["service.name"]
		for _, scope := range resource.GetScopeSpans() {
			for _, sent := range scope.GetSpans() {
				c.spans = append(c.spans, read(service, sent))
			}
		}
	}
	return &collector.ExportTraceServiceResponse{}, nil
}

func read(service string, sent *traces.Span) Span {
	span := Span{
		Service: service, Name: sent.GetName(), TraceID: hex.EncodeToString(sent.GetTraceId()),
		SpanID: hex.EncodeToString(sent.GetSpanId()), ParentID: hex.EncodeToString(sent.GetParentSpanId()),
		Attributes: texts(sent.GetAttributes()),
	}
	for _, link := range sent.GetLinks() {
		span.Links = append(span.Links, hex.EncodeToString(link.GetTraceId()))
	}
	return span
}

func texts(attributes []*common.KeyValue) map[string]string {
	found := make(map[string]string, len(attributes))
	for _, attribute := range attributes {
		switch value := attribute.GetValue().GetValue().(type) {
		case *common.AnyValue_StringValue:
			found[attribute.GetKey()] = value.StringValue
		case *common.AnyValue_IntValue:
			found[attribute.GetKey()] = fmt.Sprint(value.IntValue)
		}
	}
	return found
}
