//go:build ingress

// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package ingress

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/test/system"
)

// TestThroughTraefik follows docs/install.md: the Ingress and the HTTPRoute bring deliveries, and nothing else.
func TestThroughTraefik(t *testing.T) {
	w := startWorld(t)
	school, err := w.operator.OpenInstitution(t.Context(), w.admin, 9301)
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	NewWithT(t).Expect(w.admin.Create(t.Context(), &v1alpha1.CompletionPolicy{
		ObjectMeta: metav1.ObjectMeta{Namespace: school.Namespace, Name: "lab"},
		Spec: v1alpha1.CompletionPolicySpec{
			GrantPer:   v1alpha1.GrantPerCompletion,
			Match:      v1alpha1.PolicyMatch{CourseIDs: []v1alpha1.PlatformID{123456}},
			Namespaces: []v1alpha1.NamespaceTemplate{{Name: "i9301-${string(user.id)}"}},
		},
	})).To(Succeed())
	for user, at := range []string{host, routeHost} {
		t.Run(at, func(t *testing.T) { w.testHost(t, school, at, v1alpha1.PlatformID(11+user)) })
	}
}

func (w *world) testHost(t *testing.T, school *system.Institution, at string, user v1alpha1.PlatformID) {
	g := NewWithT(t)
	secure := url(school, "https", at)
	// It takes Traefik a moment to find the way.
	g.Eventually(func(g Gomega) {
		g.Expect(w.call(t, g, http.MethodGet, secure, nil).Status).To(Equal(http.StatusOK))
	}, patience, often).Should(Succeed())

	answer := w.call(t, g, http.MethodPost, secure, completion(g, school, user))
	g.Expect(answer.Status).To(Equal(http.StatusOK), answer.String())
	g.Expect(answer.Outcome).To(Equal("created"))
	g.Eventually(func() error {
		namespace := &corev1.Namespace{}
		return w.admin.Get(t.Context(), client.ObjectKey{Name: "i9301-" + user.String()}, namespace)
	}, patience, often).Should(Succeed())
	stored := &v1alpha1.CourseCompletion{}
	_, name, _ := strings.Cut(answer.Completion, "/")
	g.Expect(w.admin.Get(t.Context(), client.ObjectKey{Namespace: school.Namespace, Name: name}, stored)).To(Succeed())
	record := w.record(g, answer.DeliveryID)
	g.Expect(record.Source.IP).To(Equal(outside), "whatever the sender says about itself")
	g.Expect(record.Completion.ProxyIP).To(Equal(w.pod))

	wrong := secure[:len(secure)-1] + "-"
	g.Expect(w.call(t, g, http.MethodPost, wrong, completion(g, school, user)).Status).To(Equal(http.StatusUnauthorized))
	large := bytes.Repeat([]byte(" "), 100<<10)
	g.Expect(w.call(t, g, http.MethodPost, secure, large).Status).To(Equal(http.StatusRequestEntityTooLarge))

	before := w.records(g)
	g.Expect(w.call(t, g, http.MethodPost, url(school, "http", at), completion(g, school, user)).Status).
		To(Or(Equal(http.StatusNotFound), BeNumerically("~", 300, 8)), "plain HTTP is not taken")
	for _, path := range []string{"/", "/metrics", "/healthz"} {
		g.Expect(w.call(t, g, http.MethodGet, "https://"+at+path, nil).Status).To(Equal(http.StatusNotFound), path)
	}
	g.Expect(w.records(g)).To(HaveLen(len(before)), "nothing of this came to the webhook server")
}

// completion is a delivery about a user.
func completion(g Gomega, i *system.Institution, user v1alpha1.PlatformID) []byte {
	body, err := system.Variant(map[string]any{
		"institution.id": i.ID, "course.id": 123456, "enrollment.course_id": 123456, "user.id": user,
	})
	g.Expect(err).NotTo(HaveOccurred())
	return body
}

// call sends something from outside, with an address that it pretends to have.
func (w *world) call(t *testing.T, g Gomega, method, url string, body []byte) system.Answer {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, bytes.NewReader(body))
	g.Expect(err).NotTo(HaveOccurred())
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("X-Forwarded-For", "203.0.113.5")
	response, err := w.platform.Do(request)
	g.Expect(err).NotTo(HaveOccurred())
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	g.Expect(err).NotTo(HaveOccurred())
	answer := system.Answer{Status: response.StatusCode, Body: string(content)}
	// What Traefik says itself is no JSON.
	_ = json.Unmarshal(content, &answer)
	return answer
}

// record is what is read of an audit record.
type record struct {
	Event  struct{ ID string }
	Source struct{ IP string }

	Completion struct {
		ProxyIP string `json:"proxy_ip"`
	}
}

func (w *world) records(g Gomega) []record {
	file, err := os.Open(w.auditLog)
	g.Expect(err).NotTo(HaveOccurred())
	defer file.Close()
	var found []record
	for lines := bufio.NewScanner(file); lines.Scan(); {
		var r record
		g.Expect(json.Unmarshal(lines.Bytes(), &r)).To(Succeed())
		found = append(found, r)
	}
	return found
}

// record returns the record of a delivery, which is written before it is answered.
func (w *world) record(g Gomega, deliveryID string) record {
	for _, r := range w.records(g) {
		if r.Event.ID == deliveryID {
			return r
		}
	}
	g.Expect(deliveryID).To(BeEmpty(), "the delivery has no audit record")
	return record{}
}
