// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package webhookserver

import (
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
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
		o := trusted.originOf(&http.Request{RemoteAddr: remote, Header: header})
		for _, address := range []netip.Addr{o.peer, o.client} {
			if address.Zone() != "" || address.Is4In6() {
				t.Errorf("%q for %q gave %s", remote, forwarded, address)
			}
		}
		if o.client != o.peer && !trusted.contain(o.peer) {
			t.Errorf("%s was believed", o.peer)
		}
		direct := TrustedProxies(nil).originOf(&http.Request{RemoteAddr: remote, Header: header})
		if direct.client != o.peer {
			t.Errorf("without trust the client of %s is %s", o.peer, direct.client)
		}
		for _, values := range [][]string{{forwarded + "," + added.String()}, {forwarded, added.String()}} {
			through := trusted.originOf(&http.Request{
				RemoteAddr: "10.0.0.1:80", Header: http.Header{"X-Forwarded-For": values},
			})
			if through.client != added {
				t.Errorf("%q made the client %s", forwarded, through.client)
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

// What counts as basic is what the standard library takes for it, and there is never a token without characters.
func FuzzAuthorization(f *testing.F) {
	f.Add("Bearer secret")
	f.Add("Basic MTIzNDU6c2VjcmV0")
	f.Add("BAsiC  Om000000")
	f.Fuzz(func(t *testing.T, value string) {
		token, ok := parseAuthorization(value)
		if ok == (token == "") {
			t.Fatalf("%q gave %q, %t", value, token, ok)
		}
		if !ok {
			return
		}
		if !strings.HasSuffix(value, token) {
			// There may be several spaces after the scheme (RFC 9110, 11.4), of which the library takes one.
			_, rest, _ := strings.Cut(value, " ")
			r := &http.Request{Header: http.Header{"Authorization": {"Basic " + strings.TrimLeft(rest, " ")}}}
			if _, password, basic := r.BasicAuth(); !basic || password != token {
				t.Errorf("%q gave %q", value, token)
			}
		}
	})
}

// A token is presented whole or not at all, and no path shows it afterwards.
func FuzzPresent(f *testing.F) {
	f.Add("/webhooks/12345/secret", "")
	f.Add("/webhooks/1/a%2Fb", "Bearer a/b")
	f.Fuzz(func(t *testing.T, path, authorization string) {
		redacted := redactPath(path)
		for part := range strings.SplitSeq(redacted, "/") {
			if !slices.Contains([]string{"", "webhooks", "***"}, part) && parseInstitution(part) == 0 {
				t.Errorf("%q stays in %q", part, redacted)
			}
		}
		u, err := url.Parse(path)
		if err != nil {
			return
		}
		header := http.Header{}
		if authorization != "" {
			header.Set("Authorization", authorization)
		}
		c, ok := present(u, header)
		if ok && (c.flaw == "") == (c.token == "") || c.institution < 0 {
			t.Errorf("%q and %q gave %+v", path, authorization, c)
		}
	})
}
