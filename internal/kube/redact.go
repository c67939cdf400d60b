// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"context"
	"errors"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/lxp-dev/course-completion-operator/internal/apifault"
)

// Redact keeps what an API error quotes, which may be personal data, out of the log of a loop's failed attempts. An
// attempt that only has to wait for the cache did not fail.
func Redact[R comparable](loop reconcile.TypedReconciler[R]) reconcile.TypedReconciler[R] {
	return redacting[R]{loop}
}

type redacting[R comparable] struct {
	reconcile.TypedReconciler[R]
}

// Reconcile implements reconcile.TypedReconciler.
func (r redacting[R]) Reconcile(ctx context.Context, request R) (reconcile.Result, error) {
	result, err := r.TypedReconciler.Reconcile(ctx, request)
	if errors.Is(err, ErrBehind) {
		return reconcile.Result{RequeueAfter: StaleInterval}, nil
	}
	var status apierrors.APIStatus
	if errors.As(err, &status) {
		err = &redactedError{err}
	}
	return result, err
}

// redactedError is an API error that says no more than its reason and the fields that it is about.
type redactedError struct{ err error }

// Error returns the reason and the fields.
func (e *redactedError) Error() string { return apifault.Describe(e.err) }

// Unwrap returns the error as it was.
func (e *redactedError) Unwrap() error { return e.err }
