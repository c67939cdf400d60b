/*
Copyright 2026 The Course Completion Operator Authors.

Licensed under the Apache License, Version 2.0 (the "License");
you may not use this file except in compliance with the License.
You may obtain a copy of the License at

    http://www.apache.org/licenses/LICENSE-2.0

Unless required by applicable law or agreed to in writing, software
distributed under the License is distributed on an "AS IS" BASIS,
WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
See the License for the specific language governing permissions and
limitations under the License.
*/

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
