// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package throttle

import (
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// Origin is where a call comes from. The zero Addr stands for what cannot be known.
type Origin struct {
	// Peer is the other end of the connection.
	Peer netip.Addr
	// Client is whom the peer speaks for if it is a trusted proxy, and otherwise the peer.
	Client netip.Addr
}

// AddressText is how records show an address, also one that cannot be known.
func AddressText(address netip.Addr) string {
	if !address.IsValid() {
		return "unknown"
	}
	return address.String()
}

// LimitedBy is the address that failures count against: that of the proxy where the client is not known.
func (o Origin) LimitedBy() netip.Addr {
	if o.Client.IsValid() {
		return o.Client
	}
	return o.Peer
}

// TrustedProxies are the networks of proxies whose X-Forwarded-For is believed. The zero value trusts nobody.
type TrustedProxies []netip.Prefix

// ParseTrustedProxies reads networks and addresses that commas separate. An IPv4 network that is written as IPv6 is
// meant as IPv4.
func ParseTrustedProxies(text string) (TrustedProxies, error) {
	var proxies TrustedProxies
	for part := range strings.SplitSeq(text, ",") {
		part = strings.TrimSpace(part)
		if part == "" {
			continue
		}
		network, err := parseNetwork(part)
		if err != nil {
			return nil, fmt.Errorf("%q is not a trusted proxy: use addresses or CIDRs such as 10.0.0.0/8", part)
		}
		proxies = append(proxies, network)
	}
	return proxies, nil
}

func parseNetwork(text string) (netip.Prefix, error) {
	if !strings.Contains(text, "/") {
		address, err := netip.ParseAddr(text)
		if err != nil || address.Zone() != "" {
			return netip.Prefix{}, fmt.Errorf("%q is not an address without a zone", text)
		}
		address = address.Unmap()
		return netip.PrefixFrom(address, address.BitLen()), nil
	}
	network, err := netip.ParsePrefix(text)
	if err != nil {
		return netip.Prefix{}, err
	}
	if network.Addr().Is4In6() {
		const mapped = 96
		if network.Bits() < mapped {
			return netip.Prefix{}, fmt.Errorf("%q is wider than IPv4", text)
		}
		network = netip.PrefixFrom(network.Addr().Unmap(), network.Bits()-mapped)
	}
	return network.Masked(), nil
}

func (p TrustedProxies) contain(address netip.Addr) bool {
	return slices.ContainsFunc(p, func(network netip.Prefix) bool { return network.Contains(address) })
}

// maxForwarded bounds how many addresses of X-Forwarded-For are looked at.
const maxForwarded = 32

// OriginOf finds where a call comes from. Each proxy adds at the right whom it speaks for, so the right-most address
// that is no trusted proxy is the client: what stands left of it was written by the client, and may say anything. An
// entry that is no address, where a trusted proxy should have left one, makes the client unknown; so does a chain
// without end.
func (p TrustedProxies) OriginOf(r *http.Request) Origin {
	peer := parseAddress(r.RemoteAddr)
	o := Origin{Peer: peer, Client: peer}
	if !p.contain(peer) {
		return o
	}
	forwarded := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	seen := 0
	for _, entry := range slices.Backward(forwarded) {
		entry = strings.Trim(entry, " \t")
		if entry == "" {
			continue
		}
		seen++
		o.Client = parseAddress(entry)
		if seen > maxForwarded {
			o.Client = netip.Addr{}
		}
		if !p.contain(o.Client) {
			break
		}
	}
	return o
}

// parseAddress reads an address with or without a port, in the forms that proxies write, and forgets its zone. An IPv4
// address that is written as IPv6 is IPv4. What is no address gives the zero Addr.
func parseAddress(text string) netip.Addr {
	address, err := netip.ParseAddr(text)
	if err != nil {
		withPort, portErr := netip.ParseAddrPort(text)
		if portErr == nil {
			address, err = withPort.Addr(), nil
		} else if inner, ok := strings.CutPrefix(text, "["); ok && strings.HasSuffix(inner, "]") {
			address, err = netip.ParseAddr(strings.TrimSuffix(inner, "]"))
			if err == nil && address.Is4() {
				return netip.Addr{}
			}
		}
	}
	if err != nil {
		return netip.Addr{}
	}
	return address.Unmap().WithZone("")
}

// AllowedFrom tells whether deliveries of an institution may come from an address. One that is not known is in no
// network, and so is every address in what the schema would not have let pass.
func AllowedFrom(institution *v1alpha1.Institution, client netip.Addr) bool {
	networks := institution.Spec.Authentication.AllowedCIDRs
	return len(networks) == 0 || slices.ContainsFunc(networks, func(text v1alpha1.CIDR) bool {
		network, err := parseNetwork(string(text))
		return err == nil && network.Contains(client)
	})
}
