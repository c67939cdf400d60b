// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"
	"time"
)

func TestProgressSaysHowFarItIs(t *testing.T) {
	for _, tc := range []struct {
		compiled, downloaded int64
		total                int
		elapsed              time.Duration
		want                 string
	}{
		{0, 17, 0, 3 * time.Second, "17 modules downloaded, 3s"},
		{0, 0, 2740, 40 * time.Second, "0 of at most 2740 packages, 40s"},
		{100, 0, 2740, time.Minute, "100 of at most 2740 packages, 1m0s"},
		{1370, 0, 2740, 5*time.Minute + 200*time.Millisecond, "1370 of at most 2740 packages, 5m0s, about 5m0s left"},
		{2740, 0, 2740, 10 * time.Minute, "2740 of at most 2740 packages, 10m0s, about 0s left"},
	} {
		if got := progress(tc.compiled, tc.downloaded, tc.total, tc.elapsed); got != tc.want {
			t.Errorf("progress of %d packages after %s is %q, want %q", tc.compiled, tc.elapsed, got, tc.want)
		}
	}
}

func TestExecutableIsNamedAsTheGoCommandDoes(t *testing.T) {
	for pkg, want := range map[string]string{
		etcdModule:                        "server",
		kubernetesModule + "/cmd/kubectl": "kubectl",
		"example.org/vault":               "vault",
	} {
		if got := (&program{pkg: pkg}).executable(); got != want {
			t.Errorf("the executable of %s is %q, want %q", pkg, got, want)
		}
	}
}
