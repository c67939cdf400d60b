// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package throttle

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

func TestParseTrustedProxies(t *testing.T) {
	for _, tc := range []struct {
		text string
		want string
		err  bool
	}{
		{"", "", false},
		{" , ", "", false},
		{"10.0.0.0/8", "10.0.0.0/8", false},
		{"10.0.0.0/8, 192.0.2.1,2001:db8::/32,::1", "10.0.0.0/8 192.0.2.1/32 2001:db8::/32 ::1/128", false},
		{"10.1.2.3/8", "10.0.0.0/8", false},
		{"::ffff:10.0.0.0/104", "10.0.0.0/8", false},
		{"::ffff:192.0.2.1", "192.0.2.1/32", false},
		{"::ffff:10.0.0.0/90", "", true},
		{"10.0.0.0/33", "", true},
		{"fe80::1%eth0", "", true},
		{"proxy.example.com", "", true},
		{"10.0.0.0/8;10.0.0.1", "", true},
	} {
		got, err := ParseTrustedProxies(tc.text)
		var networks []string
		for _, network := range got {
			networks = append(networks, network.String())
		}
		if diff := cmp.Diff(tc.want, strings.Join(networks, " ")); diff != "" || (err != nil) != tc.err {
			t.Errorf("%q: %v (-want +got):\n%s", tc.text, err, diff)
		}
	}
}

func TestOrigin(t *testing.T) {
	const proxies = "10.0.0.0/8,fd00::/8"
	for _, tc := range []struct {
		name      string
		peer      string
		forwarded []string
		want      string
	}{
		{"directly", "198.51.100.7:1234", nil, "198.51.100.7"},
		{"a stranger who claims to be a proxy", "198.51.100.7:1234", []string{"203.0.113.1"}, "198.51.100.7"},
		{"through a proxy", "10.0.0.1:1234", []string{"203.0.113.1"}, "203.0.113.1"},
		{"through two proxies", "10.0.0.1:1234", []string{"203.0.113.1, 10.9.9.9"}, "203.0.113.1"},
		{"in two headers", "10.0.0.1:1234", []string{"192.0.2.99, 203.0.113.1", "10.9.9.9"}, "203.0.113.1"},
		{"who forges the left end", "10.0.0.1:1234", []string{"192.0.2.99, 203.0.113.1"}, "203.0.113.1"},
		{"who forges a trusted one", "10.0.0.1:1234", []string{"10.3.3.3, 203.0.113.1"}, "203.0.113.1"},
		{"garbage that the client wrote", "10.0.0.1:1234", []string{"<script>, 203.0.113.1"}, "203.0.113.1"},
		{"garbage where the client should be", "10.0.0.1:1234", []string{"203.0.113.1, unknown"}, "unknown"},
		{"garbage between proxies", "10.0.0.1:1234", []string{"203.0.113.1, _hidden, 10.2.2.2"}, "unknown"},
		{"a proxy by itself", "10.0.0.1:1234", nil, "10.0.0.1"},
		{"a proxy that says nothing", "10.0.0.1:1234", []string{"", " , "}, "10.0.0.1"},
		{"from inside", "10.0.0.1:1234", []string{"10.5.5.5, 10.6.6.6"}, "10.5.5.5"},
		{"with a port", "10.0.0.1:1234", []string{"203.0.113.1:4711"}, "203.0.113.1"},
		{"IPv6", "[fd00::1]:1234", []string{"2001:db8::1"}, "2001:db8::1"},
		{"IPv6 in brackets", "[fd00::1]:1234", []string{"[2001:db8::1]"}, "2001:db8::1"},
		{"IPv6 with a port", "[fd00::1]:1234", []string{"[2001:db8::1]:443"}, "2001:db8::1"},
		{"IPv4 in brackets", "10.0.0.1:1234", []string{"[203.0.113.1]"}, "unknown"},
		{"a mapped peer", "[::ffff:10.0.0.1]:1234", []string{"::ffff:203.0.113.1"}, "203.0.113.1"},
		{"a zone", "[fe80::1%eth0]:1234", nil, "fe80::1"},
		{"a zone that was forwarded", "10.0.0.1:1234", []string{"fd00::2%eth0"}, "fd00::2"},
		{"leading zeros", "10.0.0.1:1234", []string{"203.0.113.001"}, "unknown"},
		{"no end of proxies", "10.0.0.1:1234", []string{"203.0.113.1" + strings.Repeat(",10.0.0.2", 100)}, "unknown"},
		{"no address at all", "@", nil, "unknown"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			trusted, err := ParseTrustedProxies(proxies)
			if err != nil {
				t.Fatal(err)
			}
			r := &http.Request{RemoteAddr: tc.peer, Header: http.Header{"X-Forwarded-For": tc.forwarded}}
			if got := AddressText(trusted.OriginOf(r).Client); got != tc.want {
				t.Errorf("got %s, want %s", got, tc.want)
			}
			direct := TrustedProxies(nil).OriginOf(r)
			if direct.Client != direct.Peer {
				t.Errorf("without trusted proxies the client is %s", direct.Client)
			}
		})
	}
}

func TestAllowedFrom(t *testing.T) {
	for _, tc := range []struct {
		networks []v1alpha1.CIDR
		client   string
		want     bool
	}{
		{nil, "203.0.113.1", true},
		{nil, "", true},
		{[]v1alpha1.CIDR{"203.0.113.0/24"}, "203.0.113.255", true},
		{[]v1alpha1.CIDR{"203.0.113.0/24"}, "203.0.114.0", false},
		{[]v1alpha1.CIDR{"192.0.2.0/24", "2001:db8::/32"}, "2001:db8::1", true},
		{[]v1alpha1.CIDR{"0.0.0.0/0"}, "2001:db8::1", false},
		{[]v1alpha1.CIDR{"0.0.0.0/0", "::/0"}, "", false},
		{[]v1alpha1.CIDR{"nonsense"}, "203.0.113.1", false},
	} {
		institution := &v1alpha1.Institution{}
		institution.Spec.Authentication.AllowedCIDRs = tc.networks
		client := netip.Addr{}
		if tc.client != "" {
			client = netip.MustParseAddr(tc.client)
		}
		if got := AllowedFrom(institution, client); got != tc.want {
			t.Errorf("%s from %v: %t, want %t", tc.client, tc.networks, got, tc.want)
		}
	}
}
