// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"slices"

	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"
	networkingv1ac "k8s.io/client-go/applyconfigurations/networking/v1"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/installation"
)

// isolationOf lets pods talk to those of their own namespace, and to what the installation names.
func isolationOf(
	grant *v1alpha1.Grant, ns *v1alpha1.GrantedNamespace, network *installation.Network,
) owned {
	build := func() *networkingv1ac.NetworkPolicyApplyConfiguration {
		own := networkingv1ac.NetworkPolicyPeer().WithPodSelector(metav1ac.LabelSelector())
		spec := networkingv1ac.NetworkPolicySpec().
			WithPodSelector(metav1ac.LabelSelector()).
			WithPolicyTypes(networkingv1.PolicyTypeIngress).
			WithIngress(networkingv1ac.NetworkPolicyIngressRule().WithFrom(own))
		for _, peer := range slices.Concat(network.Ingress, network.Monitoring) {
			spec.WithIngress(networkingv1ac.NetworkPolicyIngressRule().WithFrom(peerOf(&peer)).WithPorts(portsOf(&peer)...))
		}
		if ns.NetworkIsolation == v1alpha1.NetworkIsolationIngressAndEgress {
			spec.WithPolicyTypes(networkingv1.PolicyTypeEgress).
				WithEgress(networkingv1ac.NetworkPolicyEgressRule().WithTo(own))
			for _, peer := range slices.Concat(network.DNS, network.Egress) {
				spec.WithEgress(networkingv1ac.NetworkPolicyEgressRule().WithTo(peerOf(&peer)).WithPorts(portsOf(&peer)...))
			}
		}
		return networkingv1ac.NetworkPolicy(IsolationName, ns.Name).WithSpec(spec)
	}
	return own(grant, networkingv1.GroupName, "NetworkPolicy", build, func(want, have *networkingv1.NetworkPolicy) bool {
		return digest(want.Spec) == digest(have.Spec)
	})
}

// peerOf selects a namespace by the label that the API server sets to its name: nobody else can have that one. All
// pods are selected by a selector that is empty, and not by none, with which OpenShift leaves out those on the network
// of the host.
func peerOf(peer *installation.Peer) *networkingv1ac.NetworkPolicyPeerApplyConfiguration {
	config := networkingv1ac.NetworkPolicyPeer()
	if peer.CIDR != "" {
		return config.WithIPBlock(networkingv1ac.IPBlock().WithCIDR(peer.CIDR).WithExcept(peer.Except...))
	}
	return config.
		WithNamespaceSelector(metav1ac.LabelSelector().
			WithMatchLabels(map[string]string{namespaceNameLabel: peer.Namespace})).
		WithPodSelector(metav1ac.LabelSelector().WithMatchLabels(peer.PodLabels))
}

func portsOf(peer *installation.Peer) []*networkingv1ac.NetworkPolicyPortApplyConfiguration {
	var ports []*networkingv1ac.NetworkPolicyPortApplyConfiguration
	for _, port := range peer.Ports {
		ports = append(ports,
			networkingv1ac.NetworkPolicyPort().WithProtocol(port.Protocol).WithPort(intstr.FromInt32(port.Port)))
	}
	return ports
}
