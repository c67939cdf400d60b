// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package webhookserver

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/lxp-dev/course-completion-operator/internal/delivery"
	"github.com/lxp-dev/course-completion-operator/webhookserver/store"
	"github.com/lxp-dev/course-completion-operator/webhookserver/throttle"
)

// problemTypeBase starts the type URI of every problem; the token of the type ends it. The URIs are stable, so that a
// sender may decide by them.
const problemTypeBase = "https://completions.lxp.dev/problems/"

// Types of problems (RFC 9457). Logs and metrics carry the tokens as reasons.
const (
	// ProblemNotFound: there is nothing at this path.
	ProblemNotFound = "not-found"
	// ProblemMethodNotAllowed: the webhook takes POST, and GET or HEAD to check the URL.
	ProblemMethodNotAllowed = "method-not-allowed"
	// ProblemUnauthorized: the institution is not known or the token is not one of its tokens.
	ProblemUnauthorized = "unauthorized"
	// ProblemAddressNotAllowed: the token is good, but the institution's deliveries may not come from this address.
	ProblemAddressNotAllowed = "address-not-allowed"
	// ProblemRateLimited: the token is good, but the institution's deliveries come too fast or too many at a time. Nothing
	// was kept; send it again.
	ProblemRateLimited = "rate-limited"
	// ProblemTooManyFailures: the authentications of this address keep failing.
	ProblemTooManyFailures = "too-many-failures"
	// ProblemUnsupportedMediaType: the body is not declared as plain application/json in UTF-8.
	ProblemUnsupportedMediaType = "unsupported-media-type"
	// ProblemBodyTooLarge: the body has more bytes than the server takes.
	ProblemBodyTooLarge = "body-too-large"
	// ProblemBodyIncomplete: the connection ended or stalled before the body did.
	ProblemBodyIncomplete = "body-incomplete"
	// ProblemMalformedJSON: the body is not one JSON value in UTF-8 with unique member names.
	ProblemMalformedJSON = "malformed-json"
	// ProblemInvalidDelivery: the body is JSON, but not a delivery as the contract describes it.
	ProblemInvalidDelivery = "invalid-delivery"
	// ProblemUnavailable: the delivery could not be stored now. Nothing was kept; send it again.
	ProblemUnavailable = "unavailable"
	// ProblemInternalError: the server has a defect. Nothing is known to be stored; send it again.
	ProblemInternalError = "internal-error"
)

// retryAfter is how long a sender is asked to wait after something that passes.
const retryAfter = 10 * time.Second

// problem is the document that answers a call which was not accepted.
type problem struct {
	Type       string           `json:"type"`
	Title      string           `json:"title"`
	Status     int              `json:"status"`
	Detail     string           `json:"detail"`
	DeliveryID string           `json:"deliveryID"`
	Errors     []delivery.Fault `json:"errors,omitempty"`
}

// refuse makes the answer for a problem of the given type.
func refuse(problemType string, status int, title, detail string, faults ...delivery.Fault) *answer {
	return &answer{
		status:      status,
		contentType: "application/problem+json",
		header:      http.Header{},
		outcome:     store.Refused,
		reason:      problemType,
		body: func(deliveryID string) any {
			return problem{
				Type: problemTypeBase + problemType, Title: title, Status: status, Detail: detail,
				DeliveryID: deliveryID, Errors: faults,
			}
		},
	}
}

func notFound() *answer {
	return hangUp(refuse(ProblemNotFound, http.StatusNotFound, "Not found",
		"The webhook is at /webhooks/{institution}/{token}, or at /webhooks/{institution} with the token in the "+
			"Authorization header."))
}

func methodNotAllowed() *answer {
	a := refuse(ProblemMethodNotAllowed, http.StatusMethodNotAllowed, "Method not allowed",
		"Send deliveries with POST. GET checks the URL.")
	a.header.Set("Allow", "GET, HEAD, POST")
	return hangUp(a)
}

// unauthorized is the one answer for an unknown institution, a wrong token, and whatever else is wrong with what a call
// presents.
func unauthorized() *answer {
	a := refuse(ProblemUnauthorized, http.StatusUnauthorized, "Unauthorized",
		"The institution is unknown, or the token is not valid for it.")
	a.header["Www-Authenticate"] = []string{`Basic realm="webhooks", charset="UTF-8"`, `Bearer realm="webhooks"`}
	return hangUp(a)
}

func addressNotAllowed() *answer {
	return refuse(ProblemAddressNotAllowed, http.StatusForbidden, "Address not allowed",
		"This address is not allowed to send deliveries for the institution.")
}

func rateLimited(wait time.Duration) *answer {
	return retryLater(refuse(ProblemRateLimited, http.StatusTooManyRequests, "Too many requests",
		"The institution sends deliveries too fast. This one was not stored; send it again later."), wait)
}

func tooManyFailures(wait time.Duration) *answer {
	return hangUp(retryLater(refuse(ProblemTooManyFailures, http.StatusTooManyRequests, "Too many failed authentications",
		"Too many authentications from this address failed. Try again later."), wait))
}

// retryLater asks for whole seconds, at least one: a Retry-After of 0 would ask for the next failure.
func retryLater(a *answer, wait time.Duration) *answer {
	a.header.Set("Retry-After", strconv.Itoa(max(1, int((wait+time.Second-1)/time.Second))))
	return a
}

// hangUp has the connection closed after the answer, so that nobody holds one without a good token.
func hangUp(a *answer) *answer {
	a.hangUp = true
	return a
}

func unsupportedMediaType(detail string) *answer {
	a := refuse(ProblemUnsupportedMediaType, http.StatusUnsupportedMediaType, "Unsupported media type", detail)
	a.header.Set("Accept-Post", mediaType)
	return a
}

func bodyTooLarge(limit int64) *answer {
	return hangUp(refuse(ProblemBodyTooLarge, http.StatusRequestEntityTooLarge, "Body too large",
		"The body must have at most "+strconv.FormatInt(limit, 10)+" bytes."))
}

func bodyIncomplete() *answer {
	return refuse(ProblemBodyIncomplete, http.StatusBadRequest, "Body incomplete",
		"The body is incomplete or did not arrive in time.")
}

// bodyNotTaken answers what package throttle says of a body.
func bodyNotTaken(err error, limit int64) *answer {
	switch {
	case errors.Is(err, throttle.ErrBodyTooLarge):
		return bodyTooLarge(limit)
	case errors.Is(err, throttle.ErrBodyMemory):
		return unavailable("bodies-in-memory")
	}
	return bodyIncomplete()
}

func malformedJSON(fault delivery.Fault) *answer {
	return refuse(ProblemMalformedJSON, http.StatusBadRequest, "Malformed JSON",
		"The body must be a single JSON object in UTF-8 with unique member names.", fault)
}

func invalidDelivery(faults []delivery.Fault) *answer {
	return refuse(ProblemInvalidDelivery, http.StatusUnprocessableEntity, "Invalid delivery",
		"The body does not follow the delivery contract; errors lists every problem.", faults...)
}

// unavailable answers what passes. The reason is for logs and metrics only: the inside of the cluster is none of the
// sender's business.
func unavailable(reason string) *answer {
	a := refuse(ProblemUnavailable, http.StatusServiceUnavailable, "Unavailable",
		"The delivery was not stored. Send it again later.")
	retryLater(a, retryAfter)
	a.outcome, a.reason = store.Unavailable, reason
	return a
}

func internalError() *answer {
	a := refuse(ProblemInternalError, http.StatusInternalServerError, "Internal error",
		"The server failed unexpectedly. The delivery may not be stored; send it again later.")
	a.outcome = store.Failed
	return a
}
