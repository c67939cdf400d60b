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

package webhookserver

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
		wantFields []string
		wantWait   time.Duration
	}{
		{"slow", &url.Error{Op: "Post", URL: planted, Err: context.DeadlineExceeded}, "api-timeout", nil, retryAfter},
		{"slow behind the API", apierrors.NewServerTimeout(resource, "create", 20), "api-timeout", nil, 20 * time.Second},
		{"throttling", apierrors.NewTooManyRequests(planted, 30), "api-throttled", nil, 30 * time.Second},
		{"throttling for long", apierrors.NewTooManyRequests(planted, 86400), "api-throttled", nil, 10 * time.Minute},
		{"away", &url.Error{Op: "Post", URL: planted, Err: syscall.ECONNREFUSED}, "api-unreachable", nil, retryAfter},
		{"forbidden", apierrors.NewForbidden(resource, "1-2-3-4", errors.New(planted)), "api-forbidden", nil, retryAfter},
		{"token expired", apierrors.NewUnauthorized(planted), "api-forbidden", nil, retryAfter},
		{"namespace terminating", terminating, "namespace-terminating", []string{"metadata.namespace"}, retryAfter},
		{"namespace missing", apierrors.NewNotFound(schema.GroupResource{Resource: "namespaces"}, "x"),
			"namespace-or-kind-missing", nil, retryAfter},
		{"refused for good", apierrors.NewInvalid(schema.GroupKind{Kind: "CourseCompletion"}, "1-2-3-4", field.ErrorList{
			field.Invalid(field.NewPath("spec", "user", "name"), planted, planted),
		}), "api-invalid", []string{"spec.user.name"}, retryAfter},
		{"broken", apierrors.NewInternalError(errors.New(planted)), "api-unavailable", nil, retryAfter},
		{"contended", errContended, "api-contended", nil, retryAfter},
		{"completion terminating", errTerminating, "completion-terminating", nil, retryAfter},
		{"something else", apierrors.NewResourceExpired(planted), "api-other", nil, retryAfter},
	} {
		t.Run(tc.name, func(t *testing.T) {
			err := fmt.Errorf("creating the completion: %w", tc.err)
			if got := apiReason(err); got != tc.want {
				t.Errorf("reason %s, want %s", got, tc.want)
			}
			if diff := cmp.Diff(tc.wantFields, apifault.Fields(err)); diff != "" {
				t.Errorf("fields (-want +got):\n%s", diff)
			}
			if got := waitAfter(err); got != tc.wantWait {
				t.Errorf("wait %s, want %s", got, tc.wantWait)
			}
		})
	}
}
