// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package webhookserver

import (
	"net/http"
	"testing"
)

func TestCheckMediaType(t *testing.T) {
	for _, tc := range []struct {
		name   string
		header http.Header
		want   bool
	}{
		{"JSON", http.Header{"Content-Type": {"application/json"}}, true},
		{"JSON in UTF-8", http.Header{"Content-Type": {"application/json; charset=utf-8"}}, true},
		{"written otherwise", http.Header{"Content-Type": {`Application/JSON;charset="UTF-8"`}}, true},
		{"not encoded", http.Header{"Content-Type": {"application/json"}, "Content-Encoding": {"identity"}}, true},
		{"none", http.Header{}, false},
		{"empty", http.Header{"Content-Type": {""}}, false},
		{"two", http.Header{"Content-Type": {"application/json", "application/json"}}, false},
		{"a form", http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}, false},
		{"text", http.Header{"Content-Type": {"text/plain"}}, false},
		{"something like JSON", http.Header{"Content-Type": {"application/jsonp"}}, false},
		{"another charset", http.Header{"Content-Type": {"application/json; charset=iso-8859-1"}}, false},
		{"a broken parameter", http.Header{"Content-Type": {"application/json; charset"}}, false},
		{"compressed", http.Header{"Content-Type": {"application/json"}, "Content-Encoding": {"gzip"}}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			refused := checkMediaType(tc.header)
			if (refused == nil) != tc.want {
				t.Fatalf("accepted: %t, want %t", refused == nil, tc.want)
			}
			if refused != nil && refused.status != http.StatusUnsupportedMediaType {
				t.Errorf("status %d, want 415", refused.status)
			}
		})
	}
}
