// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"fmt"
	"testing"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/lifecycle"
)

// The same delivery has another digest where the institution's privacy was changed meanwhile, or the sender put in
// something that does not matter. It is no newer delivery.
func TestRepetitionWithAnotherDigestBringsNothingBack(t *testing.T) {
	t.Parallel()
	const completion = "1-7-11-5"
	// Digests are as good as random: some are greater than that of what was withdrawn, and some are less.
	greater, less := 0, 0
	for i := range 16 {
		w := newWorld(t, namespacePolicy())
		w.deliver(delivered("2024-01-10 10:00:00"))
		w.plan()
		digest := w.grants[0].Spec.Causes[0].Digest
		delete(w.completions, completion)
		w.plan()
		w.deliver(delivered("2024-01-10 10:00:00", func(s *v1alpha1.CourseCompletionSpec) {
			s.User.Name = fmt.Sprintf("Ada %d", i)
		}))
		stored := w.completions[completion]
		again := causeOf(&stored, v1alpha1.Lifetime{}, w.person().Zone, nil).Digest
		if again > digest {
			greater++
		} else if again < digest {
			less++
		}
		w.plan()
		if end := stateLettingGo(&w.grants[0], w.now); end.Stage != lifecycle.AccessExpired {
			t.Errorf("%d: what was withdrawn is back: %v", i, w.grants[0].Spec.Causes)
		}
		if got := w.grants[0].Spec.Causes[0].End; got != v1alpha1.CauseWithdrawn {
			t.Errorf("%d: end: got %q, want %q", i, got, v1alpha1.CauseWithdrawn)
		}
	}
	if greater == 0 || less == 0 {
		t.Fatalf("%d greater digests and %d less: this proves nothing", greater, less)
	}
}
