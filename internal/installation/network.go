// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package installation

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/validate/content"
)

// A network policy of this size is in every granted namespace.
const (
	maxPeers     = 32
	maxPorts     = 16
	maxPodLabels = 8
	maxExcept    = 32
)

// Network says what passes in and out of a granted namespace, beside the traffic within it.
type Network struct {
	// DNS is where pods resolve names: port 53 unless ports say otherwise.
	DNS []Peer `json:"dns"`
	// Egress is where else pods may connect to.
	Egress []Peer `json:"egress"`
	// Ingress are the ingress controllers, which may connect to pods.
	Ingress []Peer `json:"ingress"`
	// Monitoring is what scrapes and probes pods.
	Monitoring []Peer `json:"monitoring"`
}

// Peer is the other end of a connection: the pods of a namespace, or a range of addresses. A namespace is known by its
// name alone, since whoever owns another one may label that.
type Peer struct {
	Namespace string `json:"namespace,omitempty"`
	// PodLabels are those of the pods in the namespace; none stands for all pods.
	PodLabels map[string]string `json:"podLabels,omitempty"`
	CIDR      string            `json:"cidr,omitempty"`
	// Except are ranges within CIDR that are left out.
	Except []string `json:"except,omitempty"`
	// Ports are those that are connected to; none stands for all of them, except in Network.DNS. They are the ports of
	// pods, and not those of a Service in front.
	Ports []Port `json:"ports,omitempty"`
}

// Port is one port of a protocol.
type Port struct {
	// Protocol is TCP where it is not set.
	Protocol corev1.Protocol `json:"protocol,omitempty"`
	Port     int32           `json:"port"`
}

// onBoth returns a port for both protocols of DNS.
func onBoth(port int32) []Port {
	return []Port{{corev1.ProtocolUDP, port}, {corev1.ProtocolTCP, port}}
}

// defaultNetwork lets names be resolved on every usual cluster, and nothing else in or out. What is let out to is the
// cluster's own: nobody but its administrators makes pods in these namespaces, which are never granted either, and the
// link-local addresses lead no further than to the node.
func defaultNetwork() Network {
	return Network{
		DNS: []Peer{
			// The label is that of CoreDNS on every usual distribution.
			{Namespace: "kube-system", PodLabels: map[string]string{"k8s-app": "kube-dns"}, Ports: onBoth(53)},
			// NodeLocal DNSCache where the network redirects to its pods, as Cilium does, and at its usual address.
			{Namespace: "kube-system", PodLabels: map[string]string{"k8s-app": "node-local-dns"}, Ports: onBoth(53)},
			{CIDR: "169.254.20.10/32", Ports: onBoth(53)},
			// Cloud DNS of GKE: the port is not that of the metadata service at the same address.
			{CIDR: "169.254.169.254/32", Ports: onBoth(53)},
			// OpenShift, whose pods listen on another port than the Service.
			{Namespace: "openshift-dns", PodLabels: map[string]string{"dns.operator.openshift.io/daemonset-dns": "default"},
				Ports: onBoth(5353)},
		},
		Egress: []Peer{}, Ingress: []Peer{}, Monitoring: []Peer{},
	}
}

// fill puts the default where nothing is said.
func (n *Network) fill(standard Network) {
	for _, list := range []struct {
		have     *[]Peer
		standard []Peer
	}{
		{&n.DNS, standard.DNS}, {&n.Egress, standard.Egress},
		{&n.Ingress, standard.Ingress}, {&n.Monitoring, standard.Monitoring},
	} {
		if *list.have == nil {
			*list.have = list.standard
		}
	}
}

// checked returns the network in one form whatever the order in the file, so that only a change of what it says changes
// what is in the namespaces.
func (n *Network) checked(faults *faults) Network {
	return Network{
		DNS:        checkPeers(n.DNS, "network.dns", dns, faults),
		Egress:     checkPeers(n.Egress, "network.egress", out, faults),
		Ingress:    checkPeers(n.Ingress, "network.ingress", in, faults),
		Monitoring: checkPeers(n.Monitoring, "network.monitoring", in, faults),
	}
}

// direction is which way a list lets connections go.
type direction int

const (
	in direction = iota
	out
	dns
)

func checkPeers(peers []Peer, path string, to direction, faults *faults) []Peer {
	if len(peers) > maxPeers {
		faults.add(path, "%d entries, at most %d are allowed", len(peers), maxPeers)
		return nil
	}
	keyed := map[string]Peer{}
	for i := range peers {
		at := fmt.Sprintf("%s[%d]", path, i)
		peer := checkPeer(peers[i], at, to, faults)
		text, err := json.Marshal(peer)
		if err != nil {
			// There is nothing in a peer that has no text.
			panic("encoding a peer: " + err.Error())
		}
		if _, twice := keyed[string(text)]; twice {
			faults.add(at, "duplicate entry")
		}
		keyed[string(text)] = peer
	}
	checked := make([]Peer, 0, len(keyed))
	for _, key := range slices.Sorted(maps.Keys(keyed)) {
		checked = append(checked, keyed[key])
	}
	return checked
}

func checkPeer(peer Peer, path string, to direction, faults *faults) Peer {
	if to == dns && len(peer.Ports) == 0 {
		peer.Ports = onBoth(53)
	}
	peer.Ports = checkPorts(peer.Ports, path+".ports", faults)
	switch {
	case (peer.Namespace == "") == (peer.CIDR == ""):
		faults.add(path, "set either namespace or cidr")
	case peer.Namespace != "":
		checkPods(&peer, path, faults)
	default:
		peer.Except = slices.Sorted(slices.Values(peer.Except))
		checkRange(&peer, path, to, faults)
	}
	return peer
}

func checkPods(peer *Peer, path string, faults *faults) {
	if len(content.IsDNS1123Label(peer.Namespace)) > 0 {
		faults.add(path+".namespace",
			"%q is not a namespace name: labels cannot be used here, since tenants may label their namespaces", peer.Namespace)
	}
	if len(peer.Except) > 0 {
		faults.add(path+".except", "only allowed with cidr")
	}
	if len(peer.PodLabels) > maxPodLabels {
		faults.add(path+".podLabels", "%d labels, at most %d are allowed", len(peer.PodLabels), maxPodLabels)
	}
	for _, key := range slices.Sorted(maps.Keys(peer.PodLabels)) {
		if len(content.IsLabelKey(key)) > 0 || len(content.IsLabelValue(peer.PodLabels[key])) > 0 {
			faults.add(path+".podLabels["+key+"]", "invalid label key or value")
		}
	}
}

// metadataServices are where machines of clouds are given their credentials, over HTTP: of most clouds, of AWS by IPv6,
// of Alibaba Cloud and of Azure.
var metadataServices = []netip.Addr{netip.MustParseAddr("169.254.169.254"), netip.MustParseAddr("fd00:ec2::254"),
	netip.MustParseAddr("100.100.100.200"), netip.MustParseAddr("168.63.129.16")}

func checkRange(peer *Peer, path string, to direction, faults *faults) {
	if len(peer.PodLabels) > 0 {
		faults.add(path+".podLabels", "only allowed with namespace")
	}
	whole, ok := prefixOf(peer.CIDR, path+".cidr", faults)
	if len(peer.Except) > maxExcept {
		faults.add(path+".except", "%d ranges, at most %d are allowed", len(peer.Except), maxExcept)
		return
	}
	var except []netip.Prefix
	for i, text := range peer.Except {
		at := fmt.Sprintf("%s.except[%d]", path, i)
		part, is := prefixOf(text, at, faults)
		if !is {
			continue
		}
		if ok && (part.Bits() <= whole.Bits() || !whole.Contains(part.Addr())) {
			faults.add(at, "%s is not a subrange of %s", part, whole)
		}
		except, peer.Except[i] = append(except, part), part.String()
	}
	if !ok {
		return
	}
	peer.CIDR = whole.String()
	if to == in && whole.Bits() == 0 {
		faults.add(path+".cidr",
			"%s would admit everyone, including the pods of other institutions: use the addresses of the load balancer "+
				"or the nodes", whole)
	}
	if to == in || len(peer.Ports) > 0 && !slices.Contains(peer.Ports, Port{corev1.ProtocolTCP, 80}) {
		return
	}
	for _, service := range metadataServices {
		holds := func(p netip.Prefix) bool { return p.Contains(service) }
		if holds(whole) && !slices.ContainsFunc(except, holds) {
			faults.add(path+".cidr",
				"%s includes %s, a cloud metadata service that hands out credentials: add %s to except, or list ports "+
					"without TCP 80", whole, service, netip.PrefixFrom(service, service.BitLen()))
		}
	}
}

// prefixOf reads a range of addresses in the one form that everybody understands alike.
func prefixOf(text, path string, faults *faults) (netip.Prefix, bool) {
	prefix, err := netip.ParsePrefix(text)
	switch {
	case err != nil || prefix.Addr().Is4In6():
		faults.add(path, "%q is not a CIDR such as 10.1.0.0/16; write a single address with /32 or /128", text)
		return netip.Prefix{}, false
	case prefix != prefix.Masked():
		faults.add(path, "%s has host bits set: write %s", text, prefix.Masked())
		return netip.Prefix{}, false
	}
	return prefix, true
}

func checkPorts(ports []Port, path string, faults *faults) []Port {
	if len(ports) > maxPorts {
		faults.add(path, "%d ports, at most %d are allowed", len(ports), maxPorts)
		return nil
	}
	var checked []Port
	for i, port := range ports {
		at := fmt.Sprintf("%s[%d]", path, i)
		if port.Protocol == "" {
			port.Protocol = corev1.ProtocolTCP
		}
		if !slices.Contains([]corev1.Protocol{corev1.ProtocolTCP, corev1.ProtocolUDP, corev1.ProtocolSCTP}, port.Protocol) {
			faults.add(at+".protocol", "unknown protocol %q: use TCP, UDP or SCTP", port.Protocol)
		}
		if port.Port < 1 || port.Port > 65535 {
			faults.add(at+".port", "%d is not a port number from 1 to 65535", port.Port)
		}
		if slices.Contains(checked, port) {
			faults.add(at, "duplicate port %s %d", port.Protocol, port.Port)
		}
		checked = append(checked, port)
	}
	slices.SortFunc(checked, func(a, b Port) int {
		if a.Protocol != b.Protocol {
			// UDP before TCP, as DNS has it.
			return strings.Compare(string(b.Protocol), string(a.Protocol))
		}
		return int(a.Port - b.Port)
	})
	return checked
}
