// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// retryAfterHeader is how an API server, and what stands before it, asks to be left alone for some seconds.
const retryAfterHeader = "Retry-After"

// maxErrorBody bounds what is read of an answer that asks for patience, in bytes. The API's own errors are smaller.
const maxErrorBody = 256 << 10

// unrepeated hands out requests for patience as errors. The client library repeats such a request by itself, ten times
// and after as long as it was told to wait, and does so whenever an answer 429 or 5xx has the header: a delivery would
// keep its slot until its time is over, press an API that has enough to do, and be taken for one without an answer.
// Its place is the Status in the body, where the library reads errors from.
type unrepeated struct{ next http.RoundTripper }

// RoundTrip does what http.RoundTripper asks for.
func (u unrepeated) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := u.next.RoundTrip(r)
	if err != nil || (response.StatusCode != http.StatusTooManyRequests && response.StatusCode < 500) {
		return response, err
	}
	if seconds, notANumber := strconv.Atoi(response.Header.Get(retryAfterHeader)); notANumber == nil {
		response.Header.Del(retryAfterHeader)
		if err := moveWait(r, response, seconds); err != nil {
			return nil, err
		}
	}
	// What is no number is none for the library either.
	return response, nil
}

// moveWait has the body of an answer say for how many seconds the API asks to be left alone. A body that is no Status
// becomes the one that the library would make of it.
func moveWait(r *http.Request, response *http.Response, seconds int) error {
	body, err := io.ReadAll(io.LimitReader(response.Body, maxErrorBody))
	// Whatever was left of it is not wanted.
	_ = response.Body.Close()
	if err != nil {
		return fmt.Errorf("reading a response with status %d: %w", response.StatusCode, err)
	}
	var status metav1.Status
	if err := json.Unmarshal(body, &status); err != nil || status.Status != metav1.StatusFailure {
		status = apierrors.NewGenericServerResponse(
			response.StatusCode, r.Method, schema.GroupResource{}, "", "", seconds, true).Status()
	}
	// Without it nobody knows what the body is.
	status.TypeMeta = metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}
	if status.Details == nil {
		status.Details = &metav1.StatusDetails{}
	}
	if status.Details.RetryAfterSeconds == 0 {
		status.Details.RetryAfterSeconds = int32(min(seconds, int(maxAPIWait.Seconds())))
	}
	if body, err = json.Marshal(&status); err != nil {
		return fmt.Errorf("encoding a response with status %d: %w", response.StatusCode, err)
	}
	response.Body = io.NopCloser(bytes.NewReader(body))
	response.ContentLength = int64(len(body))
	response.Header.Set("Content-Type", "application/json")
	response.Header.Set("Content-Length", strconv.Itoa(len(body)))
	return nil
}
