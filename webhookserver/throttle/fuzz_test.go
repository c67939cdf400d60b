// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package throttle

import (
	"net/http"
	"net/netip"
	"testing"
)

// Whatever a client writes into its header, the address that the proxy adds is the one that counts.
func FuzzOrigin(f *testing.F) {
	f.Add("10.0.0.1:80", "203.0.113.1, 10.2.2.2")
	f.Add("[::ffff:10.0.0.1]:80", "[2001:db8::1%eth0]:443,,unknown")
	trusted, err := ParseTrustedProxies("10.0.0.0/8, fd00::/8")
	if err != nil {
		f.Fatal(err)
	}
	added := netip.MustParseAddr("198.51.100.9")
	f.Fuzz(func(t *testing.T, remote, forwarded string) {
		header := http.Header{"X-Forwarded-For": {forwarded}}
		o := trusted.OriginOf(&http.Request{RemoteAddr: remote, Header: header})
		for _, address := range []netip.Addr{o.Peer, o.Client} {
			if address.Zone() != "" || address.Is4In6() {
				t.Errorf("%q for %q gave %s", remote, forwarded, address)
			}
		}
		if o.Client != o.Peer && !trusted.contain(o.Peer) {
			t.Errorf("%s was believed", o.Peer)
		}
		direct := TrustedProxies(nil).OriginOf(&http.Request{RemoteAddr: remote, Header: header})
		if direct.Client != o.Peer {
			t.Errorf("without trust the client of %s is %s", o.Peer, direct.Client)
		}
		for _, values := range [][]string{{forwarded + "," + added.String()}, {forwarded, added.String()}} {
			through := trusted.OriginOf(&http.Request{
				RemoteAddr: "10.0.0.1:80", Header: http.Header{"X-Forwarded-For": values},
			})
			if through.Client != added {
				t.Errorf("%q made the client %s", forwarded, through.Client)
			}
		}
	})
}

func FuzzNetworks(f *testing.F) {
	f.Add("10.0.0.0/8, 2001:db8::1")
	f.Add("::ffff:10.0.0.0/104")
	f.Fuzz(func(t *testing.T, text string) {
		networks, err := ParseTrustedProxies(text)
		if err != nil {
			return
		}
		for _, network := range networks {
			if !network.IsValid() || network != network.Masked() || network.Addr().Is4In6() || network.Addr().Zone() != "" ||
				!network.Contains(network.Addr()) {
				t.Errorf("%q gave %s", text, network)
			}
			again, err := parseNetwork(network.String())
			if err != nil || again != network {
				t.Errorf("%s is read as %s, %v", network, again, err)
			}
		}
	})
}
