// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

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

func TestARepetitionCostsNobodyAPlaceInTheQueue(t *testing.T) {
	t.Parallel()
	grant := func(name string, first, sent int) v1alpha1.Grant {
		at := func(hour int) metav1.Time { return metav1.NewTime(noon.Add(time.Duration(hour) * time.Hour)) }
		g := v1alpha1.Grant{ObjectMeta: metav1.ObjectMeta{Name: name}}
		g.Spec.Causes = []v1alpha1.GrantCause{{Completion: "c", SentAt: at(sent), FirstSentAt: new(at(first))}}
		return g
	}
	repeated, second := grant("repeated", 1, 9), grant("second", 2, 2)
	if first := claimed(&repeated); !first.Before(claimed(&second)) {
		t.Errorf("the place of the one that was repeated is %s", first)
	}
}
