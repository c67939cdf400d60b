// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package webhookserver

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

func TestParseCredentials(t *testing.T) {
	basic := func(text string) string { return "Basic " + base64.StdEncoding.EncodeToString([]byte(text)) }
	for _, tc := range []struct {
		path   string
		header []string
		want   credentials
		wantOK bool
	}{
		{"/webhooks/12345/secret", nil, credentials{12345, "secret", ""}, true},
		{"/webhooks/9223372036854775807/s", nil, credentials{9223372036854775807, "s", ""}, true},
		{"/webhooks/1/a%2Fb%20c+d", nil, credentials{1, "a/b c+d", ""}, true},
		{"/webhooks/1/", nil, credentials{1, "", rejectedMissing}, true},
		{"/webhooks/1", nil, credentials{1, "", rejectedMissing}, true},
		{"/webhooks/", nil, credentials{0, "", rejectedMissing}, true},
		{"/webhooks//secret", nil, credentials{0, "secret", ""}, true},
		{"/webhooks/0/secret", nil, credentials{0, "secret", ""}, true},
		{"/webhooks/-1/secret", nil, credentials{0, "secret", ""}, true},
		{"/webhooks/+1/secret", nil, credentials{0, "secret", ""}, true},
		{"/webhooks/01/secret", nil, credentials{0, "secret", ""}, true},
		{"/webhooks/1.0/secret", nil, credentials{0, "secret", ""}, true},
		{"/webhooks/school/secret", nil, credentials{0, "secret", ""}, true},
		{"/webhooks/9223372036854775808/secret", nil, credentials{0, "secret", ""}, true},
		{"/webhooks/1/secret/", nil, credentials{}, false},
		{"//webhooks/1/secret", nil, credentials{}, false},
		{"/Webhooks/1/secret", nil, credentials{}, false},
		{"/webhooks", nil, credentials{}, false},
		{"/", nil, credentials{}, false},
		{"", nil, credentials{}, false},

		{"/webhooks/1", []string{"Bearer secret"}, credentials{1, "secret", ""}, true},
		{"/webhooks/1/", []string{"bearer  secret"}, credentials{1, "secret", ""}, true},
		{"/webhooks/1", []string{basic("1:secret")}, credentials{1, "secret", ""}, true},
		{"/webhooks/1", []string{basic(":secret")}, credentials{1, "secret", ""}, true},
		{"/webhooks/1", []string{basic("platform:with:colons")}, credentials{1, "with:colons", ""}, true},
		{"/webhooks/1", []string{strings.Replace(basic("1:secret"), "Bas", "BAS", 1)}, credentials{1, "secret", ""}, true},
		{"/webhooks/1/secret", []string{"Bearer secret"}, credentials{1, "secret", ""}, true},
		{"/webhooks/1/secret", []string{basic("1:secret")}, credentials{1, "secret", ""}, true},
		{"/webhooks/1/secret", []string{"Bearer other"}, credentials{1, "", rejectedDiffering}, true},
		{"/webhooks/1/secret", []string{basic("1:secret2")}, credentials{1, "", rejectedDiffering}, true},
		{"/webhooks/1/secret", []string{"Bearer "}, credentials{1, "", rejectedMalformed}, true},
		{"/webhooks/1/secret", []string{""}, credentials{1, "", rejectedMalformed}, true},
		{"/webhooks/1/secret", []string{"Digest username=x"}, credentials{1, "", rejectedMalformed}, true},
		{"/webhooks/1/secret", []string{"Bearer secret", "Bearer secret"}, credentials{1, "", rejectedMalformed}, true},
		{"/webhooks/1", []string{"secret"}, credentials{1, "", rejectedMalformed}, true},
		{"/webhooks/1", []string{basic("secret")}, credentials{1, "", rejectedMalformed}, true},
		{"/webhooks/1", []string{basic("1:")}, credentials{1, "", rejectedMalformed}, true},
		{"/webhooks/1", []string{"Basic not base64"}, credentials{1, "", rejectedMalformed}, true},
	} {
		t.Run(tc.path+strings.Join(tc.header, ","), func(t *testing.T) {
			u, err := url.Parse(tc.path)
			if err != nil {
				t.Fatal(err)
			}
			header := http.Header{}
			for _, value := range tc.header {
				header.Add("Authorization", value)
			}
			got, ok := parseCredentials(u, header)
			if ok != tc.wantOK || !cmp.Equal(tc.want, got, cmp.AllowUnexported(credentials{})) {
				t.Errorf("got %+v, %t, want %+v, %t", got, ok, tc.want, tc.wantOK)
			}
		})
	}
}

func TestOnlyAcceptedDigestsCount(t *testing.T) {
	institution := &v1alpha1.Institution{Status: v1alpha1.InstitutionStatus{Tokens: []v1alpha1.TokenStatus{
		{SecretName: "a", State: v1alpha1.TokenAccepted, SHA256: "aa"},
		{SecretName: "b", State: v1alpha1.TokenShared, SHA256: "bb"},
		{SecretName: "c", State: v1alpha1.TokenAccepted, SHA256: "cc"},
		{SecretName: "d", State: v1alpha1.TokenAccepted},
		{SecretName: "e", State: v1alpha1.TokenInvalid, SHA256: "ee"},
	}}}
	if diff := cmp.Diff([]string{"aa", "cc"}, acceptedDigests(institution)); diff != "" {
		t.Errorf("digests (-want +got):\n%s", diff)
	}
	for digest, want := range map[string]string{"aa": "a", "cc": "c", "bb": "", "ee": "", "": "", "a": ""} {
		if got, ok := acceptedFrom(institution, digest); got != want || ok != (want != "") {
			t.Errorf("accepts %q: %t, from %q, want %q", digest, ok, got, want)
		}
	}
}
