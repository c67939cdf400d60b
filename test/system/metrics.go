// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package system

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// MetricsReader reads the metrics of the programs as Prometheus does: as a ServiceAccount that may.
type MetricsReader struct {
	client *http.Client
	token  string
}

// MetricsReader makes a ServiceAccount and lets it read the metrics.
func (s *System) MetricsReader(ctx context.Context) (*MetricsReader, error) {
	const name = "metrics-reader"
	for _, args := range [][]string{
		{"create", "serviceaccount", name, "--namespace=" + Namespace},
		{"create", "clusterrolebinding", name, "--clusterrole=completion-metrics-reader",
			"--serviceaccount=" + Namespace + ":" + name},
	} {
		if _, err := s.Cluster.Kubectl(ctx, args...); err != nil && !strings.Contains(err.Error(), "already exists") {
			return nil, err
		}
	}
	config, err := s.Cluster.ServiceAccountConfig(ctx, Namespace, name)
	if err != nil {
		return nil, err
	}
	return NewMetricsReader(config.BearerToken), nil
}

// NewMetricsReader reads metrics with a token.
func NewMetricsReader(token string) *MetricsReader {
	// The programs make their certificates at every start.
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}} //nolint:gosec // see above
	return &MetricsReader{client: &http.Client{Transport: transport}, token: token}
}

// Get returns the status and the body of an answer.
func (r *MetricsReader) Get(ctx context.Context, url string) (code int, text string, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return 0, "", fmt.Errorf("asking for the metrics: %w", err)
	}
	if r.token != "" {
		request.Header.Set("Authorization", "Bearer "+r.token)
	}
	response, err := r.client.Do(request)
	if err != nil {
		return 0, "", fmt.Errorf("asking for the metrics: %w", err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, "", fmt.Errorf("reading the metrics: %w", err)
	}
	return response.StatusCode, string(body), nil
}

// Read returns the metrics at a URL.
func (r *MetricsReader) Read(ctx context.Context, url string) (string, error) {
	code, text, err := r.Get(ctx, url)
	if err == nil && code != http.StatusOK {
		err = fmt.Errorf("asking for the metrics at %s: status %d: %s", url, code, text)
	}
	return text, err
}

// Close closes the connections.
func (r *MetricsReader) Close() { r.client.CloseIdleConnections() }
