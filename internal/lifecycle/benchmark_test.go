// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package lifecycle

import (
	"testing"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// active are the facts about a Grant that is as it should be, which is what a controller looks at most.
func active() Facts {
	return Facts{Grant: granted(), Now: noon, Admitted: map[v1alpha1.RevocationType]bool{}}
}

func BenchmarkDecide(b *testing.B) {
	facts := active()
	b.ReportAllocs()
	for b.Loop() {
		if decision := Decide(facts); decision.Action != Provide {
			b.Fatal(decision)
		}
	}
}

// TestAllocations bounds what a decision costs: some more than it needs today. How long it takes is for the benchmarks.
func TestAllocations(t *testing.T) {
	facts, beside := active(), []v1alpha1.Grant{*granted(), *granted()}
	for name, tc := range map[string]struct {
		most float64
		do   func()
	}{
		"what becomes of a grant":           {3, func() { Decide(facts) }},
		"what is revoked from it by others": {3, func() { RevokedFrom(facts.Grant, beside, noon) }},
	} {
		if got := testing.AllocsPerRun(100, tc.do); got > tc.most {
			t.Errorf("deciding %s allocates %.0f times, at most %.0f wanted", name, got, tc.most)
		}
	}
}
