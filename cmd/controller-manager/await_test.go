// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/go-logr/logr"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/controllers"
)

// An API server that has just started answers before it serves every kind, and it may have the CRDs of another
// version.
func TestTheAPIIsThereOnceItServesEveryKind(t *testing.T) {
	every := []string{
		"CompletionPolicy", "CourseCompletion", "ErasureRegister", "Grant", "Institution", "Seat", "SeatPool",
	}
	for _, tc := range []struct {
		name   string
		status int
		serves []string
		want   string
	}{
		{"every kind", 200, every, ""},
		{"more than ours", 200, append(slices.Clone(every), "Later"), ""},
		{"all but two", 200, every[1:6], "does not serve CompletionPolicy, SeatPool in completions.lxp.dev/v1alpha1"},
		{"none", 404, nil, "discover completions.lxp.dev/v1alpha1"},
		{"not serving", 503, nil, "discover completions.lxp.dev/v1alpha1"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			g := NewWithT(t)
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/apis/completions.lxp.dev/v1alpha1" || tc.status != http.StatusOK {
					w.WriteHeader(max(tc.status, http.StatusNotFound))
					return
				}
				list := metav1.APIResourceList{GroupVersion: v1alpha1.GroupVersion.String()}
				for _, kind := range tc.serves {
					list.APIResources = append(list.APIResources, metav1.APIResource{Kind: kind})
				}
				w.Header().Set("Content-Type", "application/json")
				_ = json.NewEncoder(w).Encode(list)
			}))
			defer server.Close()
			api, err := newAwaiting(&rest.Config{Host: server.URL}, controllers.NewScheme(), "0", logr.Discard())
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(api.kinds).To(Equal(every))
			if err := api.ask(t.Context()); tc.want == "" {
				g.Expect(err).NotTo(HaveOccurred())
			} else {
				g.Expect(err).To(MatchError(ContainSubstring(tc.want)))
			}
		})
	}
}
