// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"errors"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// scope is what a refusal of the API concerns.
type scope int

const (
	// scopeForGood: the API will never take this delivery as it is.
	scopeForGood scope = iota
	// scopeAPI: nobody's deliveries are taken now.
	scopeAPI
	// scopeNamespace: other deliveries of the same namespace will hardly fare better.
	scopeNamespace
	// scopeCompletion: only this completion is concerned.
	scopeCompletion
)

// refusal is why the API did not take a delivery.
type refusal struct {
	// reason says it in a word. The error itself is never shown: it may quote values.
	reason string
	scope  scope
	// slow tells that there was no answer in time. That may be the fault of one namespace alone, as where an admission
	// webhook for it hangs.
	slow bool
	// wait is how long the API asks to be left alone; 0 where it does not.
	wait time.Duration
}

// ReasonOf says in a word why the API did not do what it was asked. The error itself is never shown: it may quote
// values.
func ReasonOf(err error) string { return refusalOf(err).reason }

// refusalOf tells why the API did not take a delivery.
func refusalOf(err error) refusal {
	r := refusal{reason: "api-other", scope: scopeNamespace}
	if seconds, ok := apierrors.SuggestsClientDelay(err); ok {
		r.wait = min(time.Duration(seconds)*time.Second, maxAPIWait)
	}
	switch {
	case errors.Is(err, errContended):
		r.reason, r.scope = "api-contended", scopeCompletion
	case errors.Is(err, errErasuresUnreadable):
		r.reason = "erasures-unreadable"
	case errors.Is(err, errTerminating):
		r.reason, r.scope = "completion-terminating", scopeCompletion
	case errors.Is(err, context.DeadlineExceeded), apierrors.IsTimeout(err), apierrors.IsServerTimeout(err):
		r.reason, r.scope, r.slow = "api-timeout", scopeAPI, true
	case apierrors.IsTooManyRequests(err):
		r.reason, r.scope = "api-throttled", scopeAPI
	case apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause):
		r.reason = "namespace-terminating"
	case apierrors.IsForbidden(err), apierrors.IsUnauthorized(err):
		r.reason = "api-forbidden"
	case apierrors.IsNotFound(err):
		r.reason = "namespace-or-kind-missing"
	case apierrors.IsInvalid(err), apierrors.IsBadRequest(err):
		r.reason, r.scope = "api-invalid", scopeForGood
	case apierrors.IsRequestEntityTooLargeError(err):
		r.reason, r.scope = "api-too-large", scopeForGood
	case apierrors.IsServiceUnavailable(err):
		r.reason, r.scope = "api-unavailable", scopeAPI
	case apierrors.IsInternalError(err):
		// It may be about this object alone, as where an admission plugin has a defect.
		r.reason = "api-internal"
	case apierrors.ReasonForError(err) == metav1.StatusReasonUnknown:
		r.reason, r.scope = "api-unreachable", scopeAPI
	}
	return r
}
