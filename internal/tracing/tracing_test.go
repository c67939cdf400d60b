// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package tracing

import (
	"strings"
	"testing"
)

func TestTraceparent(t *testing.T) {
	const (
		traceID = "4bf92f3577b34da6a3ce929d0e0e4736"
		spanID  = "00f067aa0ba902b7"
	)
	for _, tc := range []struct {
		name string
		text string
		want string
	}{
		{"sampled", "00-" + traceID + "-" + spanID + "-01", "00-" + traceID + "-" + spanID + "-01"},
		{"not sampled", "00-" + traceID + "-" + spanID + "-00", ""},
		{"of a later version", "01-" + traceID + "-" + spanID + "-01-more", "00-" + traceID + "-" + spanID + "-01"},
		{"more than this version has", "00-" + traceID + "-" + spanID + "-01-more", ""},
		{"in capitals", "00-" + strings.ToUpper(traceID) + "-" + spanID + "-01", ""},
		{"no trace", "00-" + strings.Repeat("0", 32) + "-" + spanID + "-01", ""},
		{"no span", "00-" + traceID + "-" + strings.Repeat("0", 16) + "-01", ""},
		{"something else", "student@toolzz.com", ""},
		{"nothing", "", ""},
	} {
		if got := Format(Parse(tc.text)); got != tc.want {
			t.Errorf("%s: %q, want %q", tc.name, got, tc.want)
		}
	}
}

func TestNoCollectorNoSpans(t *testing.T) {
	provider, stop, err := Start(t.Context(), "", Program{})
	if err != nil {
		t.Fatal(err)
	}
	if provider != nil {
		t.Error("something is traced that nobody asked for")
	}
	if err := stop(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestEndpointsThatAreNone(t *testing.T) {
	for _, endpoint := range []string{"collector:4317", "collector", "ftp://collector", "http://", "://"} {
		if _, _, err := Start(t.Context(), endpoint, Program{}); err == nil {
			t.Errorf("%q: %v", endpoint, err)
		}
	}
}
