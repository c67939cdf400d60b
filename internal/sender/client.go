// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package sender

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// maxAnswerBytes is how much of an answer is read.
const maxAnswerBytes = 1 << 16

// deliveryIDHeader is where the webhook server says under which id it knows a call, and outcomeHeader what came of it.
const (
	deliveryIDHeader = "Completion-Delivery-Id"
	outcomeHeader    = "Completion-Outcome"
)

// Answer is what a server said.
type Answer struct {
	// Status is the HTTP status code.
	Status int
	// Outcome is what came of the delivery, in a word; empty where something else than the webhook server answered.
	Outcome string
	// DeliveryID is how the webhook server knows the call.
	DeliveryID string
	// RetryAfter is how long the server asks to wait; 0 where it does not say.
	RetryAfter time.Duration
	// Body is the start of the document that came, as far as it did come.
	Body []byte
}

// Document is what the webhook server says in its answers.
type Document struct {
	Completion string   `json:"completion"`
	Warnings   []string `json:"warnings"`
	Detail     string   `json:"detail"`
	Errors     []struct {
		Pointer string `json:"pointer"`
		Detail  string `json:"detail"`
	} `json:"errors"`
}

// Document returns what the answer says; nothing where something else than the webhook server answered.
func (a *Answer) Document() Document {
	var document Document
	_ = json.Unmarshal(a.Body, &document)
	return document
}

// Reason says why a delivery was not taken: every fault with its field, or else what the answer says in general.
func (d *Document) Reason() string {
	var faults []string
	for _, fault := range d.Errors {
		faults = append(faults, strings.TrimSpace(FieldOf(fault.Pointer)+" "+fault.Detail))
	}
	if len(faults) == 0 {
		return d.Detail
	}
	return strings.Join(faults, "; ")
}

// FieldOf returns the field of the contract, such as user.id, that a JSON pointer into a delivery is about.
func FieldOf(pointer string) string {
	return strings.ReplaceAll(strings.TrimPrefix(strings.TrimPrefix(pointer, "/data"), "/"), "/", ".")
}

// Client posts to webhook URLs as the learning platform does.
type Client struct{ http *http.Client }

// NewClient returns a client with so many connections, over a transport of its own where none is given. The timeout
// bounds one delivery.
func NewClient(connections int, timeout time.Duration, transport http.RoundTripper) *Client {
	if transport == nil {
		transport = &http.Transport{
			Proxy: http.ProxyFromEnvironment, MaxIdleConns: connections, MaxIdleConnsPerHost: connections,
			MaxConnsPerHost: connections, DisableCompression: true,
		}
	}
	return &Client{&http.Client{
		Transport: transport,
		Timeout:   timeout,
		// The platform follows none, and a token must not go anywhere else.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Close lets go of the connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Post sends a delivery. Its errors hold no URL, since that holds the token.
func (c *Client) Post(ctx context.Context, webhook string, body []byte) (Answer, error) {
	return c.call(ctx, http.MethodPost, webhook, bytes.NewReader(body))
}

// Check asks whether a webhook URL is one, by GET, which delivers nothing. Its errors hold no URL.
func (c *Client) Check(ctx context.Context, webhook string) (Answer, error) {
	return c.call(ctx, http.MethodGet, webhook, http.NoBody)
}

func (c *Client) call(ctx context.Context, method, webhook string, body io.Reader) (Answer, error) {
	request, err := http.NewRequestWithContext(ctx, method, webhook, body)
	if err != nil {
		return Answer{}, errors.New("invalid webhook URL")
	}
	if method == http.MethodPost {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := c.http.Do(request)
	if err != nil {
		if wrapped, ok := errors.AsType[*url.Error](err); ok {
			err = wrapped.Err
		}
		return Answer{}, err
	}
	defer response.Body.Close()
	// The status and the header are the promise, also when the rest of the answer is cut off.
	said, _ := io.ReadAll(io.LimitReader(response.Body, maxAnswerBytes))
	answer := Answer{
		Status: response.StatusCode, Outcome: response.Header.Get(outcomeHeader),
		DeliveryID: response.Header.Get(deliveryIDHeader), Body: said,
	}
	if seconds, err := strconv.Atoi(strings.TrimSpace(response.Header.Get("Retry-After"))); err == nil && seconds > 0 {
		answer.RetryAfter = time.Duration(seconds) * time.Second
	}
	return answer, nil
}
