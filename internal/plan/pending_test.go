// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"testing"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/policies"
)

// A policy that is not compiled yet says nothing: neither that it was removed, nor that it no longer matches, nor what
// it grants by now. What else ends still ends.
func TestPendingPolicy(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		edit        func(*v1alpha1.CompletionPolicySpec)
		play        func(w *world)
		wantChanged int
		wantEnd     v1alpha1.CauseEnd
	}{
		"as it was": {edit: func(*v1alpha1.CompletionPolicySpec) {}},
		"it matches no longer": {edit: func(s *v1alpha1.CompletionPolicySpec) {
			s.Match.CourseIDs, s.OnPolicyRemoval = []v1alpha1.PlatformID{8}, v1alpha1.RemovalDelete
		}},
		"it grants something else, for less time": {edit: func(s *v1alpha1.CompletionPolicySpec) {
			s.Namespaces[0].Name, s.Lifetime.MaxDays, s.OnRevoke = "grad-other-${user.id}", 1, v1alpha1.RemovalRetain
		}},
		"a completion that it may match comes": {
			edit: func(*v1alpha1.CompletionPolicySpec) {},
			play: func(w *world) {
				w.deliver(delivered("2024-01-10 11:00:00", func(s *v1alpha1.CourseCompletionSpec) { s.Enrollment.ID = 12 }))
			},
		},
		"the completion is withdrawn": {
			edit: func(*v1alpha1.CompletionPolicySpec) {},
			play: func(w *world) { clear(w.completions) }, wantChanged: 1, wantEnd: v1alpha1.CauseWithdrawn,
		},
		"the enrollment ends": {
			edit:        func(*v1alpha1.CompletionPolicySpec) {},
			play:        func(w *world) { w.deliver(delivered("2024-01-10 11:00:00", inactive)) },
			wantChanged: 1, wantEnd: v1alpha1.CauseEnrollmentInactive,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, namespacePolicy())
			w.deliver(delivered("2024-01-10 10:00:00"))
			w.plan()
			edited := namespacePolicy(tc.edit)
			if tc.play != nil {
				tc.play(w)
			}
			person := w.person()
			person.Policies = []*policies.Policy{policies.Pending(edited)}
			changed := 0
			planned := For(person).Grants
			for i := range planned {
				if planned[i].Changed() {
					changed++
				}
			}
			if len(planned) != 1 || changed != tc.wantChanged {
				t.Fatalf("%d Grants are planned and %d changed, want 1 and %d", len(planned), changed, tc.wantChanged)
			}
			if end := planned[0].Spec.Causes[0].End; end != tc.wantEnd {
				t.Errorf("the cause ends as %q, want %q", end, tc.wantEnd)
			}
		})
	}
}
