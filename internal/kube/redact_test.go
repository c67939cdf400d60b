// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// What is logged of a failed attempt quotes nothing that the API server quoted, however the error was wrapped on its
// way, and is still the error that it was.
func TestRedactedErrorsQuoteNothing(t *testing.T) {
	t.Parallel()
	const email = "graciliano@example.org"
	invalid := apierrors.NewInvalid(schema.GroupKind{Group: "rbac.authorization.k8s.io", Kind: "RoleBinding"}, "access",
		field.ErrorList{field.Invalid(field.NewPath("subjects").Index(0).Child("name"), email, "no such user")})
	if !strings.Contains(invalid.Error(), email) {
		t.Fatalf("the error quotes nothing to begin with: %v", invalid)
	}
	const told = "Invalid for RoleBinding access at subjects[0].name"
	plain := errors.New("seat lab-1 names no grant")
	for name, tc := range map[string]struct {
		err  error
		want string
		is   func(error) bool
	}{
		"as it came":         {invalid, told, apierrors.IsInvalid},
		"wrapped":            {fmt.Errorf("apply: %w", fmt.Errorf("again: %w", invalid)), told, apierrors.IsInvalid},
		"joined":             {errors.Join(plain, fmt.Errorf("apply: %w", invalid), invalid), told, apierrors.IsInvalid},
		"not worth a repeat": {reconcile.TerminalError(invalid), told, isTerminal},
		"of our own":         {plain, plain.Error(), func(err error) bool { return errors.Is(err, plain) }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fails := reconcile.Func(func(context.Context, reconcile.Request) (reconcile.Result, error) {
				return reconcile.Result{}, tc.err
			})
			_, err := Redact[reconcile.Request](fails).Reconcile(t.Context(), reconcile.Request{})
			if err == nil || err.Error() != tc.want {
				t.Errorf("got %v, want %s", err, tc.want)
			}
			if !tc.is(err) {
				t.Errorf("%v is no longer the error that it was", err)
			}
			var written bytes.Buffer
			zap.New(zap.WriteTo(&written)).Error(err, "Reconciler error")
			if !strings.Contains(written.String(), tc.want) || strings.Contains(written.String(), email) {
				t.Errorf("logged: %s", written.String())
			}
		})
	}
}

func isTerminal(err error) bool { return errors.Is(err, reconcile.TerminalError(nil)) }
