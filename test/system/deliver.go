// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package system

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/test/cluster"
)

// deliveryTimeout is longer than the webhook server lets any delivery take.
const deliveryTimeout = 2 * time.Minute

// Answer is what the webhook server says to a delivery.
type Answer struct {
	// Status is the HTTP status code.
	Status int `json:"-"`
	// Outcome, Completion and DeliveryID are members of the body, empty where it has none.
	Outcome    string `json:"outcome"`
	Completion string `json:"completion"`
	DeliveryID string `json:"deliveryID"`
	// Body as it came.
	Body string `json:"-"`
}

// String shows the answer to people.
func (a Answer) String() string {
	return fmt.Sprintf("%d %s", a.Status, strings.TrimSpace(a.Body))
}

// Deliver posts a body to a webhook URL as the learning platform does.
func Deliver(ctx context.Context, url string, body []byte) (Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, deliveryTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return Answer{}, err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return Answer{}, err
	}
	defer response.Body.Close()
	content, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if err != nil {
		return Answer{}, fmt.Errorf("reading the answer to a delivery: %w", err)
	}
	answer := Answer{Status: response.StatusCode, Body: string(content)}
	if err := json.Unmarshal(content, &answer); err != nil {
		return answer, fmt.Errorf("the answer to a delivery is not JSON: %w: %s", err, answer)
	}
	return answer, nil
}

// WebhookURL returns the URL to which an institution's deliveries go. It holds the token.
func (s *System) WebhookURL(institution v1alpha1.PlatformID, token string) string {
	return fmt.Sprintf("%s/webhooks/%d/%s", s.URL, institution, token)
}

// ContractExample returns the example of the sender's contract, byte for byte.
func ContractExample() ([]byte, error) {
	root, err := cluster.RepositoryRoot()
	if err != nil {
		return nil, err
	}
	return os.ReadFile(filepath.Join(root, "webhookserver", "testdata", "contract-example.json"))
}

// Variant returns the contract's example with other values. A key is an object and one of its
// fields, such as user.id or event.send_at.
func Variant(values map[string]any) ([]byte, error) {
	example, err := ContractExample()
	if err != nil {
		return nil, err
	}
	var delivery struct {
		Event map[string]any            `json:"event"`
		Data  map[string]map[string]any `json:"data"`
	}
	decoder := json.NewDecoder(bytes.NewReader(example))
	decoder.UseNumber()
	if err := decoder.Decode(&delivery); err != nil {
		return nil, fmt.Errorf("reading the contract's example: %w", err)
	}
	for path, value := range values {
		object, field, _ := strings.Cut(path, ".")
		target := delivery.Data[object]
		if object == "event" {
			target = delivery.Event
		}
		if _, ok := target[field]; !ok {
			return nil, fmt.Errorf("the contract's example has no field %s", path)
		}
		target[field] = value
	}
	return json.Marshal(delivery)
}
