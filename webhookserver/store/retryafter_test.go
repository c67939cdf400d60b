// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// The client library repeats what it is asked to repeat later, up to ten times, and sleeps in between. A delivery would
// keep its slot all that time, and nobody would know that the API throttles.
func TestAnAPIThatAsksForPatienceIsAskedOnce(t *testing.T) {
	resource := schema.GroupResource{Group: v1alpha1.GroupVersion.Group, Resource: "coursecompletions"}
	structured := func(err *apierrors.StatusError) string {
		text, encodeErr := json.Marshal(err.Status())
		NewWithT(t).Expect(encodeErr).NotTo(HaveOccurred())
		return string(text)
	}
	terminating := apierrors.NewTooManyRequests("", 0)
	terminating.ErrStatus.Details.Causes = []metav1.StatusCause{{Type: corev1.NamespaceTerminatingCause}}
	slow := apierrors.NewServerTimeout(resource, "create", 4)
	bare := apierrors.NewServiceUnavailable("")
	bare.ErrStatus.Details = nil
	for _, tc := range []struct {
		name        string
		status      int
		retryAfter  string
		contentType string
		body        string
		want        refusal
		wantCause   metav1.CauseType
	}{
		{"throttling as priority and fairness says it", 429, "3", "text/plain; charset=utf-8", "Too many requests\n",
			refusal{reason: "api-throttled", scope: scopeAPI, wait: 3 * time.Second}, metav1.CauseTypeUnexpectedServerResponse},
		{"throttling in a Status", 429, "2", "application/json", structured(apierrors.NewTooManyRequests("", 2)),
			refusal{reason: "api-throttled", scope: scopeAPI, wait: 2 * time.Second}, ""},
		{"throttling in a Status that does not say for how long", 429, "2", "application/json", structured(terminating),
			refusal{reason: "api-throttled", scope: scopeAPI, wait: 2 * time.Second}, corev1.NamespaceTerminatingCause},
		{"for longer than anybody waits", 429, "3600", "text/plain", "", refusal{
			reason: "api-throttled", scope: scopeAPI, wait: maxAPIWait,
		}, metav1.CauseTypeUnexpectedServerResponse},
		{"going away, with a page of a proxy", 503, "1", "text/html", "<html></html>",
			refusal{reason: "api-unavailable", scope: scopeAPI, wait: time.Second}, metav1.CauseTypeUnexpectedServerResponse},
		{"going away, in a Status without details", 503, "1", "application/json", structured(bare),
			refusal{reason: "api-unavailable", scope: scopeAPI, wait: time.Second}, ""},
		{"too slow behind the API", 500, "4", "application/json", structured(slow),
			refusal{reason: "api-timeout", scope: scopeAPI, slow: true, wait: 4 * time.Second}, ""},
		{"broken", 500, "1", "application/json", "{",
			refusal{reason: "api-internal", scope: scopeNamespace, wait: time.Second}, metav1.CauseTypeUnexpectedServerResponse},
		{"without a number", 503, "Fri, 31 Dec 2027 23:59:59 GMT", "text/plain", "",
			refusal{reason: "api-unavailable", scope: scopeAPI}, metav1.CauseTypeUnexpectedServerResponse},
		{"not asked to wait", 429, "", "text/plain", "", refusal{reason: "api-throttled", scope: scopeAPI},
			metav1.CauseTypeUnexpectedServerResponse},
	} {
		t.Run(tc.name, func(t *testing.T) {
			g := NewWithT(t)
			var requests atomic.Int32
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				requests.Add(1)
				_, _ = io.Copy(io.Discard, r.Body)
				w.Header().Set("Content-Type", tc.contentType)
				if tc.retryAfter != "" {
					w.Header().Set("Retry-After", tc.retryAfter)
				}
				w.WriteHeader(tc.status)
				_, _ = io.WriteString(w, tc.body)
			}))
			defer server.Close()
			api, err := Connect(&rest.Config{Host: server.URL})
			g.Expect(err).NotTo(HaveOccurred())
			completions, err := api.Completions()
			g.Expect(err).NotTo(HaveOccurred())
			recorder := recorder{client: completions, timeout: 30 * time.Second}
			completion := NewCompletion("institution-1", v1alpha1.CourseCompletionSpec{})

			_, err = recorder.record(t.Context(), completion)
			g.Expect(refusalOf(err)).To(Equal(tc.want), "%v", err)
			g.Expect(apierrors.HasStatusCause(err, tc.wantCause)).To(Equal(tc.wantCause != ""), "%v", err)
			g.Expect(requests.Load()).To(BeEquivalentTo(1), "requests")

			g.Expect(refusalOf(recorder.probe(t.Context())).reason).To(Equal(tc.want.reason))
			g.Expect(requests.Load()).To(BeEquivalentTo(2), "requests")
		})
	}
}
