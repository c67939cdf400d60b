// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"os"
	"testing"

	"sigs.k8s.io/yaml"
)

// firstCompletion is somebody who has completed a course for the first time, and a policy that grants a namespace.
func firstCompletion(tb testing.TB) Person {
	tb.Helper()
	text, err := os.ReadFile("testdata/first-completion.input.yaml")
	if err != nil {
		tb.Fatal(err)
	}
	var tc golden
	if err := yaml.UnmarshalStrict(text, &tc); err != nil {
		tb.Fatal(err)
	}
	return tc.person(tb)
}

func BenchmarkFor(b *testing.B) {
	person := firstCompletion(b)
	b.ReportAllocs()
	for b.Loop() {
		if planned := For(person); len(planned.Grants) != 1 {
			b.Fatal(planned)
		}
	}
}

// TestAllocations bounds what planning costs: some more than it needs today. How long it takes is for the benchmarks.
func TestAllocations(t *testing.T) {
	person := firstCompletion(t)
	for name, tc := range map[string]struct {
		most float64
		do   func()
	}{
		"a person": {200, func() { For(person) }},
	} {
		if got := testing.AllocsPerRun(10, tc.do); got > tc.most {
			t.Errorf("planning %s allocates %.0f times, at most %.0f wanted", name, got, tc.most)
		}
	}
}
