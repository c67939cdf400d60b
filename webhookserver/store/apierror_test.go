// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/lxp-dev/course-completion-operator/internal/apifault"
)

// planted is what an error of the API may quote and nothing may show.
const planted = "planted-8731"

func TestAPIErrorsBecomeWords(t *testing.T) {
	var (
		resource    = schema.GroupResource{Group: "completions.lxp.dev", Resource: "coursecompletions"}
		terminating = apierrors.NewForbidden(resource, "1-2-3-4", errors.New(planted))
	)
	terminating.ErrStatus.Details.Causes = []metav1.StatusCause{{
		Type: corev1.NamespaceTerminatingCause, Message: planted, Field: "metadata.namespace",
	}}
	for _, tc := range []struct {
		name       string
		err        error
		want       string
		wantScope  scope
		wantFields []string
		wantWait   time.Duration
	}{
		{"slow", &url.Error{Op: "Post", URL: planted, Err: context.DeadlineExceeded}, "api-timeout", scopeAPI, nil, 0},
		{"slow behind the API", apierrors.NewServerTimeout(resource, "create", 3), "api-timeout", scopeAPI, nil,
			3 * time.Second},
		{"throttling", apierrors.NewTooManyRequests(planted, 1), "api-throttled", scopeAPI, nil, time.Second},
		{"throttling for long", apierrors.NewTooManyRequests(planted, 86400), "api-throttled", scopeAPI, nil, maxAPIWait},
		{"away", &url.Error{Op: "Post", URL: planted, Err: syscall.ECONNREFUSED}, "api-unreachable", scopeAPI, nil, 0},
		{"not serving", apierrors.NewServiceUnavailable(planted), "api-unavailable", scopeAPI, nil, 0},
		{"forbidden", apierrors.NewForbidden(resource, "1-2-3-4", errors.New(planted)), "api-forbidden",
			scopeNamespace, nil, 0},
		{"token expired", apierrors.NewUnauthorized(planted), "api-forbidden", scopeNamespace, nil, 0},
		{"namespace terminating", terminating, "namespace-terminating", scopeNamespace, []string{"metadata.namespace"}, 0},
		{"namespace missing", apierrors.NewNotFound(schema.GroupResource{Resource: "namespaces"}, "x"),
			"namespace-or-kind-missing", scopeNamespace, nil, 0},
		{"refused for good", apierrors.NewInvalid(schema.GroupKind{Kind: "CourseCompletion"}, "1-2-3-4", field.ErrorList{
			field.Invalid(field.NewPath("spec", "user", "name"), planted, planted),
		}), "api-invalid", scopeForGood, []string{"spec.user.name"}, 0},
		{"unknown to the API", apierrors.NewBadRequest(planted), "api-invalid", scopeForGood, nil, 0},
		{"too large", apierrors.NewRequestEntityTooLargeError(planted), "api-too-large", scopeForGood, nil, 0},
		{"broken", apierrors.NewInternalError(errors.New(planted)), "api-internal", scopeNamespace, nil, 0},
		{"contended", errContended, "api-contended", scopeCompletion, nil, 0},
		{"completion terminating", errTerminating, "completion-terminating", scopeCompletion, nil, 0},
		{"something else", apierrors.NewResourceExpired(planted), "api-other", scopeNamespace, nil, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			err := fmt.Errorf("creating the completion: %w", tc.err)
			want := refusal{reason: tc.want, scope: tc.wantScope, wait: tc.wantWait, slow: tc.want == "api-timeout"}
			if got := refusalOf(err); got != want {
				t.Errorf("refusal %+v, want %+v", got, want)
			}
			if diff := cmp.Diff(tc.wantFields, apifault.Fields(err)); diff != "" {
				t.Errorf("fields (-want +got):\n%s", diff)
			}
		})
	}
}
