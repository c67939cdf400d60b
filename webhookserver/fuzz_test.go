// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package webhookserver

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
)

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
func FuzzCredentials(f *testing.F) {
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
		c, ok := parseCredentials(u, header)
		if ok && (c.invalid == "") == (c.token == "") || c.institution < 0 {
			t.Errorf("%q and %q gave %+v", path, authorization, c)
		}
	})
}
