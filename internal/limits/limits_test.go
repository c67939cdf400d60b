// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package limits

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/policies"
)

func TestOfArguments(t *testing.T) {
	t.Parallel()
	f, err := OfArguments([]string{"--workers=4", "--allow-group-subjects", "-pod-security-cap", "baseline",
		"--namespace-label-domains=example.com,example.org", "--metrics-secure=false", "pod-security-cap=privileged"})
	if err != nil {
		t.Fatal(err)
	}
	want := policies.Limits{PodSecurityCap: v1alpha1.PodSecurityBaseline, AllowGroupSubjects: true,
		NetworkIsolationCap:   policies.DefaultNetworkIsolationCap,
		NamespaceLabelDomains: []string{"example.com", "example.org"}}
	if diff := cmp.Diff(want, f.Limits(), cmp.Comparer(func(a, b []string) bool {
		return len(a) == len(b) && cmp.Equal(append([]string{}, a...), append([]string{}, b...))
	})); diff != "" {
		t.Error(diff)
	}
	if _, err := OfArguments([]string{"--pod-security-cap=none"}); err == nil {
		t.Error("none is no level")
	}
}
