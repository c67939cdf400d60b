/*
Copyright 2026 The Course Completion Operator Authors.

Licensed under the Apache License, Version 2.0 (the "License");
you may not use this file except in compliance with the License.
You may obtain a copy of the License at

    http://www.apache.org/licenses/LICENSE-2.0

Unless required by applicable law or agreed to in writing, software
distributed under the License is distributed on an "AS IS" BASIS,
WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
See the License for the specific language governing permissions and
limitations under the License.
*/

package limits

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/plan"
)

func TestOfArguments(t *testing.T) {
	t.Parallel()
	f, err := OfArguments([]string{"--workers=4", "--allow-group-subjects", "-pod-security-cap", "baseline",
		"--namespace-label-domains=example.com,example.org", "--metrics-secure=false", "pod-security-cap=privileged"})
	if err != nil {
		t.Fatal(err)
	}
	want := plan.Limits{PodSecurityCap: v1alpha1.PodSecurityBaseline, AllowGroupSubjects: true,
		NetworkIsolationCap:   plan.DefaultNetworkIsolationCap,
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
