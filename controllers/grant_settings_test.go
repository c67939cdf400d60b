// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/installation"
)

// settings reads a configuration that says something of granted namespaces.
func settings(t *testing.T, of string) installation.Namespaces {
	t.Helper()
	namespaces, err := installation.Parse([]byte("apiVersion: " + installation.APIVersion + "\nkind: " +
		installation.Kind + "\ngrantedNamespaces: " + of))
	if err != nil {
		t.Fatal(err)
	}
	return namespaces
}

// withoutCounts leaves out the statuses that have counts of many, which come some seconds later.
func withoutCounts(taken map[string]int) {
	delete(taken, "institutions/status")
	delete(taken, "completionpolicies/status")
}

// Another configuration is another start. It rewrites what it changes, and nothing else.
func TestSettingsAreSeenInGrantedNamespaces(t *testing.T) {
	t.Parallel()
	w := makeWorld(t)
	w.settings = settings(t, `{quota: {requests.cpu: 4, count/pods: 50}, network: {
		dns: [{cidr: 10.96.0.10/32}, {namespace: own-dns}], ingress: [{namespace: traefik}],
		egress: [{cidr: 0.0.0.0/0, except: [10.0.0.0/8], ports: [{port: 443}]}]}}`)
	w.begin()
	policy := MakeLab(w, "lab").Obj()
	policy.Spec.Namespaces[0].NetworkIsolation = v1alpha1.NetworkIsolationIngressAndEgress
	completion := MakeCompletion(w, 7).Obj()
	w.create(policy, completion)
	w.awaitActive(w.grantOf("lab", completion))
	w.awaitReason(completion, v1alpha1.ReasonGranted)

	quota, isolation := w.quotaOf(7), w.isolationOf(7)
	limits := &corev1.LimitRange{ObjectMeta: metav1.ObjectMeta{Namespace: w.prefix + "7", Name: "completion-limits"}}
	w.get(quota)
	w.get(isolation)
	w.get(limits)
	wantQuota := corev1.ResourceList{"requests.cpu": resource.MustParse("4"), "count/pods": resource.MustParse("10")}
	if diff := cmp.Diff(wantQuota, quota.Spec.Hard); diff != "" {
		t.Errorf("quota (-want +got):\n%s", diff)
	}
	// The API server took the default for limits as it is.
	if diff := cmp.Diff(settings(t, "{}").Limits, limits.Spec.Limits); diff != "" {
		t.Errorf("limits (-want +got):\n%s", diff)
	}
	g := NewWithT(t)
	g.Expect(isolation.Spec.Ingress).To(HaveLen(2))
	g.Expect(isolation.Spec.Ingress[1].From[0].NamespaceSelector.MatchLabels).To(Equal(
		map[string]string{"kubernetes.io/metadata.name": "traefik"}))
	g.Expect(isolation.Spec.Egress).To(HaveLen(4))
	g.Expect(isolation.Spec.Egress[1].To[0].IPBlock.CIDR).To(Equal("10.96.0.10/32"))
	g.Expect(isolation.Spec.Egress[3].To[0].IPBlock).To(Equal(
		&networkingv1.IPBlock{CIDR: "0.0.0.0/0", Except: []string{"10.0.0.0/8"}}))

	w.stop()
	began := w.auditEnd()
	// The same in another order, and nothing more.
	w.settings = settings(t, `{quota: {count/pods: "50", requests.cpu: "4"}, network: {
		egress: [{ports: [{port: 443, protocol: TCP}], except: [10.0.0.0/8], cidr: 0.0.0.0/0}],
		ingress: [{namespace: traefik}], dns: [{namespace: "own-dns"}, {cidr: 10.96.0.10/32}]}}`)
	w.start()
	w.awaitSeen(isolation)
	w.consistently(func(g Gomega) {
		taken, refused, _ := w.writes(began)
		withoutCounts(taken)
		g.Expect(taken).To(BeEmpty())
		g.Expect(refused).To(BeEmpty())
	})

	w.stop()
	began = w.auditEnd()
	w.settings = settings(t, `{quota: {requests.cpu: 4, count/pods: 50}, network: {ingress: []}}`)
	w.start()
	w.eventually(func(g Gomega) {
		g.Expect(admin.Get(t.Context(), keyOf(isolation), isolation)).To(Succeed())
		g.Expect(cmp.Diff(wantIsolation(), isolation.Spec)).To(BeEmpty())
	})
	w.consistently(func(g Gomega) {
		taken, _, _ := w.writes(began)
		withoutCounts(taken)
		g.Expect(taken).To(Equal(map[string]int{"networkpolicies": 1}))
	})
}
