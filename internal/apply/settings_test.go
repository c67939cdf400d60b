// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/installation"
)

// settings reads a configuration that says something of granted namespaces.
func settings(t *testing.T, of string) *installation.Namespaces {
	t.Helper()
	namespaces, err := installation.Parse([]byte("apiVersion: " + installation.APIVersion + "\nkind: " +
		installation.Kind + "\ngrantedNamespaces: " + of))
	if err != nil {
		t.Fatal(err)
	}
	return &namespaces
}

func networkPolicy(
	t *testing.T, level v1alpha1.NetworkIsolation, of *installation.Namespaces,
) *networkingv1.NetworkPolicy {
	t.Helper()
	objects := objectsOf(&v1alpha1.Grant{}, &v1alpha1.GrantedNamespace{Name: "grad-1", NetworkIsolation: level}, of)
	i := slices.IndexFunc(objects, func(o owned) bool { return o.kind == "NetworkPolicy" })
	if i < 0 {
		return nil
	}
	return objects[i].want.(*networkingv1.NetworkPolicy)
}

func TestNetworkPolicyLetsThroughWhatTheInstallationNames(t *testing.T) {
	t.Parallel()
	namespaces := settings(t, `{network: {
		dns: [{cidr: 10.96.0.10/32}],
		egress: [{cidr: 0.0.0.0/0, except: [10.0.0.0/8, 169.254.0.0/16], ports: [{port: 443}]}],
		ingress: [{namespace: traefik}],
		monitoring: [{namespace: monitoring, podLabels: {app: prometheus}, ports: [{port: 9090}]}]}}`)
	own := networkingv1.NetworkPolicyPeer{PodSelector: &metav1.LabelSelector{}}
	port := func(protocol corev1.Protocol, number int32) networkingv1.NetworkPolicyPort {
		return networkingv1.NetworkPolicyPort{Protocol: new(protocol), Port: new(intstr.FromInt32(number))}
	}
	pods := func(namespace string, labels map[string]string) []networkingv1.NetworkPolicyPeer {
		return []networkingv1.NetworkPolicyPeer{{
			NamespaceSelector: &metav1.LabelSelector{
				MatchLabels: map[string]string{"kubernetes.io/metadata.name": namespace}},
			PodSelector: &metav1.LabelSelector{MatchLabels: labels},
		}}
	}
	addresses := func(cidr string, except ...string) []networkingv1.NetworkPolicyPeer {
		return []networkingv1.NetworkPolicyPeer{{IPBlock: &networkingv1.IPBlock{CIDR: cidr, Except: except}}}
	}
	want := networkingv1.NetworkPolicySpec{
		PolicyTypes: []networkingv1.PolicyType{"Ingress"},
		Ingress: []networkingv1.NetworkPolicyIngressRule{
			{From: []networkingv1.NetworkPolicyPeer{own}},
			{From: pods("traefik", nil)},
			{From: pods("monitoring", map[string]string{"app": "prometheus"}),
				Ports: []networkingv1.NetworkPolicyPort{port("TCP", 9090)}},
		},
	}
	got := networkPolicy(t, v1alpha1.NetworkIsolationIngress, namespaces)
	if diff := cmp.Diff(want, got.Spec); diff != "" {
		t.Errorf("Ingress (-want +got):\n%s", diff)
	}
	want.PolicyTypes = append(want.PolicyTypes, "Egress")
	want.Egress = []networkingv1.NetworkPolicyEgressRule{
		{To: []networkingv1.NetworkPolicyPeer{own}},
		{To: addresses("10.96.0.10/32"), Ports: []networkingv1.NetworkPolicyPort{port("UDP", 53), port("TCP", 53)}},
		{To: addresses("0.0.0.0/0", "10.0.0.0/8", "169.254.0.0/16"),
			Ports: []networkingv1.NetworkPolicyPort{port("TCP", 443)}},
	}
	got = networkPolicy(t, v1alpha1.NetworkIsolationIngressAndEgress, namespaces)
	if diff := cmp.Diff(want, got.Spec); diff != "" {
		t.Errorf("IngressAndEgress (-want +got):\n%s", diff)
	}
	if networkPolicy(t, v1alpha1.NetworkIsolationNone, namespaces) != nil {
		t.Error("None has a network policy")
	}
}

// A namespace is selected by nothing that its owner can set, and no rule is for everybody.
func TestNetworkPolicyTrustsNoLabelOfANamespace(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	policy := networkPolicy(t, v1alpha1.NetworkIsolationIngressAndEgress,
		settings(t, "{network: {ingress: [{namespace: traefik}], egress: [{namespace: mirror}]}}"))
	var peers []networkingv1.NetworkPolicyPeer
	for _, rule := range policy.Spec.Ingress {
		g.Expect(rule.From).NotTo(BeEmpty())
		peers = append(peers, rule.From...)
	}
	for _, rule := range policy.Spec.Egress {
		g.Expect(rule.To).NotTo(BeEmpty())
		peers = append(peers, rule.To...)
	}
	g.Expect(peers).To(HaveLen(9), "twice its own, two of the file, five of the default")
	for _, peer := range peers {
		if selector := peer.NamespaceSelector; selector != nil {
			g.Expect(selector.MatchExpressions).To(BeEmpty())
			g.Expect(selector.MatchLabels).To(HaveLen(1))
			g.Expect(selector.MatchLabels["kubernetes.io/metadata.name"]).NotTo(BeEmpty())
		}
	}
}

func TestNamespaceIsBoundedWhereThePolicySaysNothing(t *testing.T) {
	t.Parallel()
	kinds := func(ns v1alpha1.GrantedNamespace, of *installation.Namespaces) string {
		var found []string
		for _, object := range objectsOf(&v1alpha1.Grant{}, &ns, of) {
			found = append(found, object.kind)
		}
		return strings.Join(found, " ")
	}
	const bounded = "Namespace ResourceQuota LimitRange"
	bare := v1alpha1.GrantedNamespace{Name: "grad-1", NetworkIsolation: v1alpha1.NetworkIsolationNone}
	full := bare
	full.Quota = map[string]v1alpha1.Quantity{"pods": "1"}
	full.Limits = []v1alpha1.GrantedLimit{{Type: "Pod", Max: map[string]v1alpha1.Quantity{"cpu": "1"}}}
	for name, tc := range map[string]struct {
		ns   v1alpha1.GrantedNamespace
		of   string
		want string
	}{
		"by default":                      {bare, "{}", bounded},
		"an installation without bounds":  {bare, "{quota: {}, limits: []}", "Namespace"},
		"and a policy with some":          {full, "{quota: {}, limits: []}", bounded},
		"an installation with limits":     {bare, "{quota: {}}", "Namespace LimitRange"},
		"and the same without the limits": {bare, "{limits: []}", "Namespace ResourceQuota"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := kinds(tc.ns, settings(t, tc.of)); got != tc.want {
				t.Errorf("it has %s, want %s", got, tc.want)
			}
		})
	}
}

func TestNamespaceCarriesWhoseCostsItHas(t *testing.T) {
	t.Parallel()
	const group = "completions.lxp.dev/"
	for name, tc := range map[string]struct {
		policy string
		causes []v1alpha1.LocalName
		course string
	}{
		"one completion":              {"lab", []v1alpha1.LocalName{"12-123456-9-7"}, "123456"},
		"several of one course":       {"lab", []v1alpha1.LocalName{"12-123456-9-7", "12-123456-10-7"}, "123456"},
		"several courses":             {"lab", []v1alpha1.LocalName{"12-123456-9-7", "12-5-10-7"}, ""},
		"several courses, none first": {"lab", []v1alpha1.LocalName{"12-5-9-7", "12-123456-10-7", "12-5-11-7"}, ""},
		"by hand":                     {"", nil, ""},
		"an odd name":                 {"lab", []v1alpha1.LocalName{"graciliano"}, ""},
		"a policy of the longest name and ids": {strings.Repeat("p", 63),
			[]v1alpha1.LocalName{"1-9223372036854775807-1-1"}, "9223372036854775807"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			grant := &v1alpha1.Grant{}
			grant.Spec.Policy = v1alpha1.LocalName(tc.policy)
			grant.Spec.Holder = v1alpha1.GrantHolder{InstitutionID: 12, UserID: 7}
			for _, completion := range tc.causes {
				grant.Spec.Causes = append(grant.Spec.Causes, v1alpha1.GrantCause{Completion: completion})
			}
			want := map[string]string{group + "institution-id": "12", group + "user-id": "7"}
			if tc.policy != "" {
				want[group+"policy"] = tc.policy
			}
			if tc.course != "" {
				want[group+"course-id"] = tc.course
			}
			got := accountOf(grant)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("labels (-want +got):\n%s", diff)
			}
			for key, value := range got {
				if wrong := validation.IsValidLabelValue(value); len(wrong) > 0 {
					t.Errorf("%s: %v", key, wrong)
				}
			}
		})
	}
}
