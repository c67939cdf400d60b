// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/policies"
)

// The name of a Grant says what it was made of, whatever the numbers.
func TestOriginOf(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		id := rapid.Int64Range(1, 1<<53).AsAny()
		draw := func(what string) v1alpha1.PlatformID { return v1alpha1.PlatformID(id.Draw(t, what).(int64)) }
		completion := &v1alpha1.CourseCompletion{}
		spec := &completion.Spec
		spec.Institution.ID, spec.Course.ID, spec.User.ID = draw("institution"), draw("course"), draw("user")
		spec.Enrollment.ID, spec.Enrollment.CourseID = draw("enrollment"), spec.Course.ID
		completion.Name = spec.Name()
		policy := &policies.Policy{Name: rapid.StringMatching("[a-z]([-a-z0-9]{0,10}[a-z0-9])?").Draw(t, "policy")}
		want := Origin{Policy: policy.Name, Completion: completion.Name}
		if rapid.Bool().Draw(t, "per user") {
			policy.Spec.GrantPer = v1alpha1.GrantPerUser
			want = Origin{Policy: policy.Name, Institution: spec.Institution.ID.String(), User: spec.User.ID.String()}
		}
		if got, planned := OriginOf(grantName(policy, completion)); !planned || got != want {
			t.Fatalf("%s says %+v, want %+v", grantName(policy, completion), got, want)
		}
	})
	if origin, planned := OriginOf("made-by-hand"); planned {
		t.Errorf("a Grant that a person made says %+v", origin)
	}
}
