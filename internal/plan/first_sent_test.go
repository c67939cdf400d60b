// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"testing"
	"time"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// Platforms send the same completion again with a new time: a batch, a reset, a second click.
func TestMaximumCountsFromTheFirstTimeThatACompletionWasSent(t *testing.T) {
	t.Parallel()
	for name, sent := range map[string][]string{
		"once":                     {"2024-01-10 10:00:00"},
		"again later":              {"2024-01-10 10:00:00", "2024-01-20 10:00:00"},
		"the first one comes late": {"2024-01-20 10:00:00", "2024-01-10 10:00:00"},
		"in between":               {"2024-01-20 10:00:00", "2024-01-10 10:00:00", "2024-01-15 10:00:00"},
	} {
		for _, planned := range []string{"each", "at the end"} {
			t.Run(name+", planned "+planned, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, namespacePolicy(func(s *v1alpha1.CompletionPolicySpec) { s.Lifetime.MaxDays = 60 }))
				w.now = time.Date(2024, time.January, 21, 12, 0, 0, 0, time.UTC)
				for _, at := range sent {
					w.deliver(delivered(at))
					if planned == "each" {
						w.plan()
					}
				}
				w.plan()
				want := time.Date(2024, time.March, 10, 10, 0, 0, 0, time.UTC)
				if got := w.grants[0].Spec.AccessEndsAt; got == nil || !got.Time.Equal(want) {
					t.Errorf("access ends at %v, want %v", got, want)
				}
			})
		}
	}
}

// The Grant knows when a completion was sent first, also where the completion was deleted since.
func TestMaximumCountsFromWhatTheGrantRecorded(t *testing.T) {
	t.Parallel()
	w := newWorld(t, namespacePolicy(func(s *v1alpha1.CompletionPolicySpec) { s.Lifetime.MaxDays = 60 }))
	w.deliver(delivered("2024-01-10 10:00:00"))
	w.plan()
	delete(w.completions, "1-7-11-5")
	w.plan()
	w.now = time.Date(2024, time.January, 21, 12, 0, 0, 0, time.UTC)
	w.deliver(delivered("2024-01-20 10:00:00"))
	w.plan()
	want := time.Date(2024, time.March, 10, 10, 0, 0, 0, time.UTC)
	if got := w.grants[0].Spec.AccessEndsAt; got == nil || !got.Time.Equal(want) {
		t.Errorf("access ends at %v, want %v", got, want)
	}
}
