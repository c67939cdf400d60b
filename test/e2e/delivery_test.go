// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"fmt"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/test/cluster"
	"github.com/lxp-dev/course-completion-operator/test/system"
)

const (
	sampleNamespace   = "institution-12345"
	exampleCompletion = "12345-123456-11-987654321"
)

// applySamples applies config/samples and returns the sample institution's webhook URL.
func applySamples(t *testing.T) string {
	t.Helper()
	g := NewWithT(t)
	root, err := cluster.RepositoryRoot()
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(system.CreateToken(t.Context(), admin, sampleNamespace, "webhook-token")).To(Succeed())
	_, err = plane.Kubectl(t.Context(), "apply", "-k", filepath.Join(root, "config", "samples"))
	g.Expect(err).NotTo(HaveOccurred())
	_, err = plane.Kubectl(t.Context(), "wait", "--for=condition=Ready", "--timeout=30s", "--all",
		"institutions,completionpolicies", "-n", sampleNamespace)
	g.Expect(err).NotTo(HaveOccurred())
	var secret corev1.Secret
	key := client.ObjectKey{Namespace: sampleNamespace, Name: "webhook-token"}
	g.Expect(admin.Get(t.Context(), key, &secret)).To(Succeed())
	url := operator.WebhookURL(12345, string(secret.Data[v1alpha1.SecretKeyToken]))
	g.Eventually(func() (int, error) {
		answer, err := system.Deliver(t.Context(), url, nil)
		return answer.Status, err
	}, soon, often).ShouldNot(Equal(http.StatusUnauthorized))
	return url
}

func TestContractExampleIsStoredWithEveryFieldInItsPlace(t *testing.T) {
	g := NewWithT(t)
	url := applySamples(t)
	example, err := system.ContractExample()
	g.Expect(err).NotTo(HaveOccurred())

	answer, err := system.Deliver(t.Context(), url, example)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(answer.Status).To(Equal(http.StatusOK), answer.String())
	// An API server that is busy takes it a moment later.
	g.Expect(answer.Outcome).To(BeElementOf("created", "queued"))

	var completion v1alpha1.CourseCompletion
	key := client.ObjectKey{Namespace: sampleNamespace, Name: exampleCompletion}
	g.Eventually(func() error { return admin.Get(t.Context(), key, &completion) }, soon, often).Should(Succeed())
	warnings := []v1alpha1.DeliveryWarning{v1alpha1.WarningCourseIDsDiffer, v1alpha1.WarningCPFInvalid}
	want := v1alpha1.CourseCompletionSpec{
		Event: v1alpha1.CompletionEvent{
			Name: "Atividades - Curso concluído", Slug: "activities.course.completed", SendAt: "2023-07-03 12:53:41",
			// São Paulo is three hours behind UTC.
			SentAt:      metav1.NewTime(time.Date(2023, 7, 3, 15, 53, 41, 0, time.UTC)),
			FirstSentAt: new(metav1.NewTime(time.Date(2023, 7, 3, 15, 53, 41, 0, time.UTC))),
		},
		Institution: v1alpha1.CompletionInstitution{ID: 12345},
		Course:      v1alpha1.CompletionCourse{ID: 123456, Name: "Course Name"},
		Enrollment: v1alpha1.CompletionEnrollment{
			ID: 11, CourseID: 123456789, Activated: new(true), Status: new(int32(1)),
		},
		User: v1alpha1.CompletionUser{
			ID: 987654321, Name: "Student", Email: "student@toolzz.com", CPF: "***.***.***-99",
		},
		// The servers of these tests trace: what the planner continues is stored along.
		Delivery: v1alpha1.CompletionDelivery{
			ID: answer.DeliveryID, Warnings: warnings, Traceparent: completion.Spec.Delivery.Traceparent,
		},
	}
	g.Expect(completion.Spec.Delivery.Traceparent).To(MatchRegexp("^00-[0-9a-f]{32}-[0-9a-f]{16}-01$"))
	unordered := cmpopts.SortSlices(func(a, b v1alpha1.DeliveryWarning) bool { return a < b })
	if diff := cmp.Diff(want, completion.Spec, unordered); diff != "" {
		t.Errorf("the stored completion differs (-want +got):\n%s", diff)
	}

	u := &student{school: &school{namespace: sampleNamespace}, id: 987654321, completion: key}
	g.Eventually(func() (string, error) { return u.ready(t.Context()) }, soon, often).
		Should(Equal(v1alpha1.ReasonGranted))
	g.Expect(u.grantReason(t.Context())).To(Equal(v1alpha1.ReasonActive))
	g.Expect(admin.Get(t.Context(), key, &completion)).To(Succeed())
	g.Expect(completion.Status.Warnings).To(ConsistOf(warnings), "the planner copies the warnings")
	g.Expect(completion.Status.Grants).To(HaveLen(1))
	outcomes := map[v1alpha1.LocalName]v1alpha1.PolicyOutcome{}
	for _, row := range completion.Status.Policies {
		outcomes[row.Policy] = row.Outcome
	}
	g.Expect(outcomes).To(Equal(map[v1alpha1.LocalName]v1alpha1.PolicyOutcome{"lab": v1alpha1.OutcomeGranted}),
		"policies that do not match leave no row")

	// The last test with the sample institution leaves it as it found it.
	u.namespace = "grad-987654321"
	u.withdraw(t)
	u.awaitNamespaceGone(t)
}

func TestRepeatedDelivery(t *testing.T) {
	u := grantedStudent(t)

	for _, tc := range []struct {
		name       string
		changes    []any
		want       int
		wantOf     string
		wantSendAt string
	}{
		{"the same again", nil, 200, "duplicate", "2023-07-03 12:53:41"},
		{"a newer one", []any{"event.send_at", "2023-07-04 08:00:00"}, 200, "updated", "2023-07-04 08:00:00"},
		{"an older one", []any{"event.send_at", "2023-07-03 12:53:41"}, 200, "stale", "2023-07-04 08:00:00"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			g := NewWithT(t)
			answer := u.deliver(t, tc.changes...)
			g.Expect(answer.Status).To(Equal(tc.want), answer.String())
			g.Expect(answer.Outcome).To(Equal(tc.wantOf))
			var completion v1alpha1.CourseCompletion
			g.Expect(admin.Get(t.Context(), u.completion, &completion)).To(Succeed())
			g.Expect(completion.Spec.Event.SendAt).To(Equal(tc.wantSendAt))
		})
	}
	// However often it came, it granted once.
	g := NewWithT(t)
	u.awaitGrant(t, v1alpha1.ReasonActive)
	grants, err := u.grants(t.Context())
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(grants).To(HaveLen(1))
	g.Expect(grants[0].Spec.Causes).To(HaveLen(1))
}

func TestRefusedAndIgnoredDeliveriesStoreNothing(t *testing.T) {
	s := openSchool(t)
	u := s.student()
	other := openSchool(t)
	good := u.delivery(t)
	for _, tc := range []struct {
		name string
		url  string
		body []byte
		want int
	}{
		{"wrong token", operator.WebhookURL(s.id, "wrong-"+s.token), good, 401},
		{"unknown institution", operator.WebhookURL(4, s.token), good, 401},
		{"token of another institution", operator.WebhookURL(s.id, other.token), good, 401},
		{"body of another institution", other.url(), good, 422},
		{"not JSON", s.url(), []byte("{"), 400},
		{"trailing data", s.url(), append(append([]byte{}, good...), '1'), 400},
		{"another event", s.url(), s.student().delivery(t, "event.slug", "activities.course.started"), 200},
		{"no user id", s.url(), s.student().delivery(t, "user.id", nil), 422},
	} {
		t.Run(tc.name, func(t *testing.T) {
			g := NewWithT(t)
			answer, err := system.Deliver(t.Context(), tc.url, tc.body)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(answer.Status).To(Equal(tc.want), answer.String())
		})
	}
	g := NewWithT(t)
	for _, namespace := range []string{s.namespace, other.namespace} {
		var completions v1alpha1.CourseCompletionList
		g.Expect(admin.List(t.Context(), &completions, client.InNamespace(namespace))).To(Succeed())
		g.Expect(completions.Items).To(BeEmpty(), fmt.Sprintf("in %s", namespace))
	}
}
