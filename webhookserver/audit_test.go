// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package webhookserver

import (
	"strings"
	"testing"

	"github.com/go-logr/logr/funcr"
)

const token = "s3cret-s3cret-s3cret-s3cret-s3cret"

func TestRedactPath(t *testing.T) {
	for path, want := range map[string]string{
		"/webhooks/12345/" + token:             "/webhooks/12345/***",
		"/webhooks/" + token:                   "/webhooks/***",
		"/webhooks/" + token + "/12345":        "/webhooks/***/12345",
		"/" + token:                            "/***",
		"/hook/12345/" + token:                 "/***/12345/***",
		"/webhooks/12345/" + token + "/":       "/webhooks/12345/***/",
		"/webhooks/" + strings.Repeat("1", 32): "/webhooks/***",
		strings.Repeat("/1", 500):              "/1/1/1/1/1/***",
		"":                                     "",
	} {
		if got := redactPath(path); got != want {
			t.Errorf("redactPath(%q) = %q, want %q", path, got, want)
		}
	}
}

func TestKnownMethod(t *testing.T) {
	for method, want := range map[string]string{"POST": "POST", "PATCH": "PATCH", "post": "-", token: "-", "": "-"} {
		if got := knownMethod(method); got != want {
			t.Errorf("knownMethod(%q) = %q, want %q", method, got, want)
		}
	}
}

func TestErrorLogHidesTokens(t *testing.T) {
	var written string
	log := funcr.New(func(_, args string) { written = args }, funcr.Options{})
	line := `http: panic serving 127.0.0.1: "POST /webhooks/12345/` + token + ` HTTP/1.1"` + "\n"
	if n, err := (&errorLog{log}).Write([]byte(line)); n != len(line) || err != nil {
		t.Errorf("wrote %d, %v", n, err)
	}
	if strings.Contains(written, token) || !strings.Contains(written, "/webhooks/12345/*** HTTP/1.1") {
		t.Errorf("the log says %s", written)
	}
}
