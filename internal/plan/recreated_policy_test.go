// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"testing"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/lifecycle"
)

// grantPer is immutable, but a policy can be deleted and made again with another one. Its new Grants have other names,
// and the old ones still end with their completions.
func TestGrantOfAPolicyThatWasRecreatedWithAnotherGrantPerStillEnds(t *testing.T) {
	t.Parallel()
	const (
		completion  = "1-7-11-5"
		old, recent = "graduates." + completion, "graduates.1-5"
	)
	for name, tc := range map[string]struct {
		edit    []func(*v1alpha1.CompletionPolicySpec)
		play    func(w *world)
		want    lifecycle.Stage
		wantEnd v1alpha1.CauseEnd
		// wantNew is where the Grant of the policy as it is now stands.
		wantNew lifecycle.Stage
	}{
		"nothing happened": {play: func(*world) {}, want: lifecycle.Active, wantNew: lifecycle.Active},
		"a newer delivery is of an inactive enrollment": {
			play: func(w *world) { w.deliver(delivered("2024-01-10 11:00:00", inactive)) },
			want: lifecycle.AccessExpired, wantEnd: v1alpha1.CauseEnrollmentInactive, wantNew: lifecycle.AccessExpired,
		},
		"a newer delivery is of an enrollment that has expired": {
			play: func(w *world) { w.deliver(delivered("2024-01-10 11:00:00", expires("2024-01-09"))) },
			want: lifecycle.AccessExpired, wantEnd: v1alpha1.CauseEnrollmentExpired, wantNew: lifecycle.AccessExpired,
		},
		"the completion is withdrawn": {
			play: func(w *world) { delete(w.completions, completion) },
			want: lifecycle.AccessExpired, wantEnd: v1alpha1.CauseWithdrawn, wantNew: lifecycle.AccessExpired,
		},
		"the policy takes away what it no longer gives": {
			edit: []func(*v1alpha1.CompletionPolicySpec){removeWithPolicy},
			play: func(*world) {},
			want: lifecycle.AccessExpired, wantEnd: v1alpha1.CauseNotMatched, wantNew: lifecycle.Active,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, namespacePolicy(tc.edit...))
			w.deliver(delivered("2024-01-10 10:00:00"))
			w.plan()
			w.policies["graduates"] = namespacePolicy(append(tc.edit, func(s *v1alpha1.CompletionPolicySpec) {
				s.GrantPer = v1alpha1.GrantPerUser
				s.Namespaces[0].Name = "grad-all-${user.id}"
			})...)
			w.plan()
			tc.play(w)
			w.plan()
			got := map[string]lifecycle.Stage{}
			for i := range w.grants {
				got[w.grants[i].Name] = stateLettingGo(&w.grants[i], w.now).Stage
				if w.grants[i].Name == old && w.grants[i].Spec.Causes[0].End != tc.wantEnd {
					t.Errorf("end: got %q, want %q", w.grants[i].Spec.Causes[0].End, tc.wantEnd)
				}
			}
			if len(got) != 2 || got[old] != tc.want || got[recent] != tc.wantNew {
				t.Errorf("got %v, want %v of %s and %v of %s", got, tc.want, old, tc.wantNew, recent)
			}
			if rows := w.last.Completions; len(rows) == 1 && len(rows[0].Policies) != 1 {
				t.Errorf("the completion has %d rows of one policy: %+v", len(rows[0].Policies), rows[0].Policies)
			}
		})
	}
}
