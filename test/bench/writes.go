// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"k8s.io/client-go/rest"
)

// ours are the resources that the operator writes, with the subresources that it does.
var ours = []string{
	"coursecompletions", "coursecompletions/status", "grants", "grants/status", "seats", "namespaces", "resourcequotas",
	"limitranges", "networkpolicies", "rolebindings",
}

// writeCounts are how often the API server has written each resource.
type writeCounts map[string]int

// since returns what was written after an earlier count, without what was not.
func (c writeCounts) since(before writeCounts) writeCounts {
	difference := writeCounts{}
	for name, n := range c {
		if n > before[name] {
			difference[name] = n - before[name]
		}
	}
	return difference
}

func (c writeCounts) sum() int {
	sum := 0
	for _, n := range c {
		sum += n
	}
	return sum
}

func (c writeCounts) String() string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(c)) {
		parts = append(parts, fmt.Sprintf("%s %d", name, c[name]))
	}
	if len(parts) == 0 {
		return "nothing"
	}
	return strings.Join(parts, ", ")
}

// written reads from the API server's own metrics what it has written so far.
func (w *world) written(ctx context.Context) (writeCounts, error) {
	transport, err := rest.HTTPClientFor(w.plane.AdminConfig())
	if err != nil {
		return nil, err
	}
	defer transport.CloseIdleConnections()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, w.plane.AdminConfig().Host+"/metrics", http.NoBody)
	if err != nil {
		return nil, err
	}
	response, err := transport.Do(request)
	if err != nil {
		return nil, fmt.Errorf("reading the metrics of the API server: %w", err)
	}
	defer response.Body.Close()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(response.Body)
	if err != nil {
		return nil, fmt.Errorf("reading the metrics of the API server: %w", err)
	}
	_, _ = io.Copy(io.Discard, response.Body)
	counts := writeCounts{}
	for _, metric := range families["apiserver_request_total"].GetMetric() {
		name := labelOf(metric, "resource")
		if sub := labelOf(metric, "subresource"); sub != "" {
			name += "/" + sub
		}
		switch labelOf(metric, "verb") {
		case "POST", "PUT", "PATCH", "APPLY", "DELETE", "DELETECOLLECTION":
		default:
			continue
		}
		done := strings.HasPrefix(labelOf(metric, "code"), "2") && labelOf(metric, "dry_run") == ""
		if done && slices.Contains(ours, name) {
			counts[name] += int(metric.GetCounter().GetValue())
		}
	}
	return counts, nil
}

func labelOf(metric *dto.Metric, name string) string {
	for _, label := range metric.GetLabel() {
		if label.GetName() == name {
			return label.GetValue()
		}
	}
	return ""
}

// quietFor is for how long nothing may be written before everything counts as done.
const quietFor = 3 * time.Second

// awaitQuiet waits until the operator has written nothing for a while, and returns what was written by then.
func (w *world) awaitQuiet(ctx context.Context) (writeCounts, error) {
	return w.awaitQuietFor(ctx, quietFor)
}

func (w *world) awaitQuietFor(ctx context.Context, quiet time.Duration) (writeCounts, error) {
	ctx, cancel := context.WithTimeout(ctx, settleTimeout)
	defer cancel()
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	last, since := writeCounts(nil), time.Now()
	for {
		counts, err := w.written(ctx)
		if err != nil {
			return nil, err
		}
		if !maps.Equal(last, counts) {
			last, since = counts, time.Now()
		}
		if time.Since(since) >= quiet {
			return last, nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, fmt.Errorf("the operator still writes after %s", settleTimeout)
		}
	}
}
