// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/expression"
	"github.com/lxp-dev/course-completion-operator/internal/policies"
)

// What is explained says what the planner goes by.
func TestExplain(t *testing.T) {
	t.Parallel()
	where := func(text string, ids ...v1alpha1.PlatformID) func(*v1alpha1.CompletionPolicySpec) {
		return func(s *v1alpha1.CompletionPolicySpec) {
			s.Match = v1alpha1.PolicyMatch{CourseIDs: ids, Expression: text}
		}
	}
	status := []expression.Seen{{Field: "enrollment.status", Value: "0"}}
	for name, tc := range map[string]struct {
		edit func(*v1alpha1.CompletionPolicySpec)
		want policies.MatchReason
	}{
		"its course":     {where("", 7), policies.MatchReason{Matched: true}},
		"another course": {where("enrollment.status == 1", 8), policies.MatchReason{OtherCourse: true}},
		"a part is false": {
			where("enrollment.status == 1 && course.id == 7"),
			policies.MatchReason{Conditions: []expression.Condition{
				{Text: "enrollment.status == 1", Saw: status},
				{Text: "course.id == 7", Holds: true, Saw: []expression.Seen{{Field: "course.id", Value: "7"}}},
			}},
		},
		"all parts are true":  {where("enrollment.status == 0 && course.id == 7", 7), policies.MatchReason{Matched: true}},
		"it does not compile": {where("enrollment.statut == 1"), policies.MatchReason{Matched: true}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			policy := policies.Compile(namespacePolicy(tc.edit), v1alpha1.PrivacySpec{}, policies.Limits{})
			got, err := policy.Explain(new(delivered("2024-01-08 10:00:00", inactive)), false)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestMissing(t *testing.T) {
	t.Parallel()
	policy := policies.Compile(path(courses(7, 8, 9)), v1alpha1.PrivacySpec{}, policies.Limits{})
	of := func(course v1alpha1.PlatformID, sendAt string) v1alpha1.CourseCompletion {
		return v1alpha1.CourseCompletion{Spec: delivered(sendAt, func(s *v1alpha1.CourseCompletionSpec) {
			s.Course.ID = course
		})}
	}
	now := time.Date(2024, 2, 1, 0, 0, 0, 0, time.UTC)
	completions := []v1alpha1.CourseCompletion{of(8, "2024-01-08 10:00:00"), of(9, "2025-01-08 10:00:00")}
	recorded := &v1alpha1.Grant{Spec: v1alpha1.GrantSpec{Causes: []v1alpha1.GrantCause{{Completion: "1-7-11-5"}}}}
	if diff := cmp.Diff([]v1alpha1.PlatformID{7, 9}, Missing(policy, nil, completions, now)); diff != "" {
		t.Errorf("what was sent too far ahead does not count (-want +got)\n%s", diff)
	}
	if diff := cmp.Diff([]v1alpha1.PlatformID{9}, Missing(policy, recorded, completions, now)); diff != "" {
		t.Errorf("what a Grant records counts (-want +got)\n%s", diff)
	}
	one := policies.Compile(namespacePolicy(), v1alpha1.PrivacySpec{}, policies.Limits{})
	if missing := Missing(one, nil, nil, now); len(missing) > 0 {
		t.Errorf("one completion is enough, and %v is missing", missing)
	}
}

var midday = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func TestDecider(t *testing.T) {
	t.Parallel()
	cause := func(completion string, ends int) v1alpha1.GrantCause {
		c := v1alpha1.GrantCause{Completion: v1alpha1.LocalName(completion)}
		if ends > 0 {
			c.EndsAt = new(metav1.NewTime(midday.Add(time.Duration(ends) * time.Hour)))
		}
		return c
	}
	const seven, otherSeven, eight = "1-7-11-5", "1-7-12-5", "1-8-21-5"
	for name, tc := range map[string]struct {
		required []v1alpha1.PlatformID
		causes   []v1alpha1.GrantCause
		want     string
	}{
		"none":                  {},
		"the last one":          {nil, []v1alpha1.GrantCause{cause(seven, 2), cause(eight, 3)}, eight},
		"one that does not end": {nil, []v1alpha1.GrantCause{cause(seven, 0), cause(eight, 3)}, ""},
		"of required courses the first one": {[]v1alpha1.PlatformID{7, 8},
			[]v1alpha1.GrantCause{cause(seven, 2), cause(otherSeven, 3), cause(eight, 4)}, otherSeven},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := ""
			if decider := Decider(&v1alpha1.GrantSpec{RequiredCourseIDs: tc.required, Causes: tc.causes}); decider != nil {
				got = string(decider.Completion)
			}
			if got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}
