// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"fmt"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/lxp-dev/course-completion-operator/config"
	"github.com/lxp-dev/course-completion-operator/internal/cli/deliveries"
	"github.com/lxp-dev/course-completion-operator/internal/sender"
)

func TestClocks(t *testing.T) {
	noon := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	for _, tc := range []struct {
		told time.Duration
		want level
		text string
	}{
		{0, levelOK, "agree"}, {4 * time.Second, levelOK, "agree"}, {-5 * time.Second, levelOK, "agree"},
		{8 * time.Second, levelWarning, "7s ahead"}, {-8 * time.Second, levelWarning, "7s behind"},
		{2 * time.Minute, levelProblem, "1m59s ahead"}, {-2 * time.Minute, levelProblem, "1m59s behind"},
	} {
		e := &examination{}
		// What is told is cut off to the second, and the question took one.
		e.compareClocks("clocks", "the API server", noon.Add(tc.told), noon, noon.Add(time.Second))
		NewWithT(t).Expect(e.findings).To(ConsistOf(And(
			HaveField("Level", tc.want), HaveField("Message", ContainSubstring(tc.text)))))
	}
}

func TestURLs(t *testing.T) {
	for text, tc := range map[string]struct {
		answer sender.Answer
		want   level
	}{
		"its token is valid":                 {sender.Answer{Status: 200, Outcome: "checked"}, levelOK},
		"not answered by the webhook server": {sender.Answer{Status: 200}, levelProblem},
		"401: no such token": {
			sender.Answer{Status: 401, Outcome: "refused", Body: []byte(`{"detail": "no such token"}`)}, levelProblem,
		},
		"403": {sender.Answer{Status: 403, Outcome: "refused"}, levelProblem},
		"503": {sender.Answer{Status: 503, Outcome: "unavailable"}, levelProblem},
	} {
		e := &examination{}
		e.judgeURL("url", tc.answer)
		NewWithT(t).Expect(e.findings).To(ConsistOf(And(
			HaveField("Level", tc.want), HaveField("Message", ContainSubstring(text)))))
	}
}

func TestAddressThatArrives(t *testing.T) {
	for text, tc := range map[string]struct {
		found deliveries.Arrival
		want  level
	}{
		"is 203.0.113.7, without a trusted proxy": {deliveries.Arrival{Client: "203.0.113.7"}, levelOK},
		"is 203.0.113.8, which the trusted proxy 10.0.0.1 passed on": {
			deliveries.Arrival{Client: "203.0.113.8", Proxy: "10.0.0.1", TrustedProxies: "10.0.0.0/8"}, levelOK,
		},
		"is 10.0.0.2, a private one that --trusted-proxies does not name": {
			deliveries.Arrival{Client: "10.0.0.2", TrustedProxies: "10.0.0.1, 10.1.0.0/16"}, levelWarning,
		},
		"is that of the trusted proxy 10.0.0.3, which passed on none": {
			deliveries.Arrival{Client: "10.0.0.3", TrustedProxies: "192.0.2.1,10.0.0.3"}, levelProblem,
		},
		"the trusted proxy 10.0.0.4 passed on no valid address": {
			deliveries.Arrival{Client: "unknown", Proxy: "10.0.0.4", TrustedProxies: "10.0.0.4"}, levelProblem,
		},
	} {
		e := &examination{}
		e.judgeArrival("address", &tc.found)
		NewWithT(t).Expect(e.findings).To(ConsistOf(And(
			HaveField("Level", tc.want), HaveField("Message", ContainSubstring(text)))))
	}
}

func TestSingleRights(t *testing.T) {
	g := NewWithT(t)
	var all []string
	for _, right := range rightsIn([]rbacv1.PolicyRule{
		{APIGroups: []string{"g"}, Resources: []string{"a", "b/status"}, Verbs: []string{"get", "patch"}},
		{APIGroups: []string{""}, Resources: []string{"c"}, Verbs: []string{"bind"}, ResourceNames: []string{"x", "y"}},
	}, "") {
		all = append(all, fmt.Sprint(right.Verb, " ", resourceOf(right), " ", right.Name))
	}
	g.Expect(all).To(Equal([]string{
		"get a.g ", "patch a.g ", "get b/status.g ", "patch b/status.g ", "bind c x", "bind c y",
	}))
}

// Everything that is looked for by name is in the manifests.
func TestManifests(t *testing.T) {
	g := NewWithT(t)
	for want, files := range map[int]func(func([]byte) error) error{
		7:  func(each func([]byte) error) error { return documents(config.CRDs, each) },
		12: func(each func([]byte) error) error { return documents(config.Admission, each) },
	} {
		n := 0
		g.Expect(files(func([]byte) error {
			n++
			return nil
		})).To(Succeed())
		g.Expect(n).To(Equal(want))
	}
}

func TestOverlaysMayChangeVariables(t *testing.T) {
	g := NewWithT(t)
	policy := &admissionv1.ValidatingAdmissionPolicy{}
	policy.Spec.Variables = []admissionv1.Variable{{Name: "levels", Expression: "['restricted']"}}
	policy.Spec.Validations = []admissionv1.Validation{{Expression: "true"}}
	other := policy.DeepCopy()
	other.Spec.Variables[0].Expression = "['baseline']"
	g.Expect(sameRules(policy, other)).To(BeTrue())
	other.Spec.Validations[0].Expression = "false"
	g.Expect(sameRules(policy, other)).To(BeFalse())
}

func TestWhyAPodIsNotReady(t *testing.T) {
	g := NewWithT(t)
	pod := &corev1.Pod{Status: corev1.PodStatus{Phase: corev1.PodPending, Conditions: []corev1.PodCondition{
		{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: "Unschedulable", Message: "no nodes"},
	}}}
	g.Expect(notReady(pod)).To(Equal("Unschedulable no nodes"))
	pod.Status.ContainerStatuses = []corev1.ContainerStatus{{State: corev1.ContainerState{
		Waiting: &corev1.ContainerStateWaiting{Reason: "ImagePullBackOff", Message: "not found"},
	}}}
	g.Expect(notReady(pod)).To(Equal("ImagePullBackOff not found"))
	pod.Status.Conditions = append(pod.Status.Conditions,
		corev1.PodCondition{Type: corev1.PodReady, Status: corev1.ConditionTrue})
	g.Expect(notReady(pod)).To(BeEmpty())
}
