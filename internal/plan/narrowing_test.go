// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// Narrowing a policy retains by default: whoever has a seat that it no longer grants keeps it.
func TestSeatsOfANarrowedPolicy(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		removal v1alpha1.RemovalAction
		held    []v1alpha1.LocalName
		says    []v1alpha1.LocalName
		want    []v1alpha1.LocalName
	}{
		"a seat that somebody has stays": {
			v1alpha1.RemovalRetain, []v1alpha1.LocalName{"desk", "lab"}, []v1alpha1.LocalName{"desk"},
			[]v1alpha1.LocalName{"desk", "lab"}},
		"a seat that somebody waits for does not": {
			v1alpha1.RemovalRetain, []v1alpha1.LocalName{"desk"}, []v1alpha1.LocalName{"desk"},
			[]v1alpha1.LocalName{"desk"}},
		"another pool instead": {
			v1alpha1.RemovalRetain, []v1alpha1.LocalName{"desk", "lab"}, []v1alpha1.LocalName{"room"},
			[]v1alpha1.LocalName{"room", "desk", "lab"}},
		"no seat at all any more": {
			v1alpha1.RemovalRetain, []v1alpha1.LocalName{"desk", "lab"}, nil, []v1alpha1.LocalName{"desk", "lab"}},
		"what was asked to go goes": {
			v1alpha1.RemovalDelete, []v1alpha1.LocalName{"desk", "lab"}, []v1alpha1.LocalName{"desk"},
			[]v1alpha1.LocalName{"desk"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			says := func(pools ...v1alpha1.LocalName) func(*v1alpha1.CompletionPolicySpec) {
				return func(s *v1alpha1.CompletionPolicySpec) {
					s.Seats, s.OnPolicyRemoval = nil, tc.removal
					for _, pool := range pools {
						s.Seats = append(s.Seats, v1alpha1.SeatTemplate{Pool: pool})
					}
				}
			}
			w := newWorld(t, namespacePolicy(says("desk", "lab")))
			w.deliver(delivered("2024-01-10 10:00:00"))
			w.plan()
			for _, pool := range tc.held {
				w.grants[0].Status.Seats = append(w.grants[0].Status.Seats, v1alpha1.HeldSeat{Pool: pool, Number: new(int32(0))})
			}
			says(tc.says...)(&w.policies["graduates"].Spec)
			w.plan()
			var got []v1alpha1.LocalName
			for _, seat := range w.grants[0].Spec.Seats {
				got = append(got, seat.Pool)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
