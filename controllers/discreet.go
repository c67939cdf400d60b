// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"errors"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/lxp-dev/course-completion-operator/internal/apifault"
)

// discreet keeps what an API error quotes, which may be personal data, out of the log of failed attempts. An attempt
// that only has to wait for the cache did not fail.
type discreet[R comparable] struct {
	reconcile.TypedReconciler[R]
}

// Reconcile implements reconcile.TypedReconciler.
func (d discreet[R]) Reconcile(ctx context.Context, request R) (reconcile.Result, error) {
	result, err := d.TypedReconciler.Reconcile(ctx, request)
	if errors.Is(err, errBehind) {
		return reconcile.Result{RequeueAfter: staleInterval}, nil
	}
	var status apierrors.APIStatus
	if errors.As(err, &status) {
		err = &discreetError{err}
	}
	return result, err
}

// discreetError is an API error that says no more than its reason and the fields that it is about.
type discreetError struct{ err error }

// Error returns the reason and the fields.
func (e *discreetError) Error() string { return apifault.Describe(e.err) }

// Unwrap returns the error as it was.
func (e *discreetError) Unwrap() error { return e.err }
