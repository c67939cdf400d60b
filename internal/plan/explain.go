// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"fmt"
	"time"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/expression"
)

// MatchReason says whether a policy is about a completion, and why not.
type MatchReason struct {
	Matched bool
	// OtherCourse reports that the courseIDs do not select the completion's course.
	OtherCourse bool
	// Conditions are the parts of the expression. They are empty where it was not asked, and where it holds.
	Conditions []expression.Condition
	// Err is why the expression cannot be evaluated on the completion.
	Err error
}

// Explain says what Matches says of a completion, and why. Personal data is left out unless it is asked for.
func (p *Policy) Explain(spec *v1alpha1.CourseCompletionSpec, personal bool) (MatchReason, error) {
	reason := MatchReason{OtherCourse: p.courses != nil && !p.courses[spec.Course.ID]}
	reason.Matched, reason.Err = p.Matches(spec)
	if reason.Matched || reason.OtherCourse || p.match == nil {
		return reason, nil
	}
	var err error
	if reason.Conditions, err = p.match.Explain(expression.VariablesOf(spec), personal); err != nil {
		return reason, fmt.Errorf("spec.match.expression: %w", err)
	}
	return reason, nil
}

// Missing returns the courses that a policy requires and that a person has no completion of, by which the Grant, if
// there is one, could be had. It is empty where one completion is enough.
func (p *Policy) Missing(
	existing *v1alpha1.Grant, completions []v1alpha1.CourseCompletion, now time.Time,
) []v1alpha1.PlatformID {
	var candidates []candidate
	for i := range completions {
		c := candidate{completion: &completions[i]}
		if !now.Before(inRange(&c.completion.Spec)) {
			c.matched, c.err = p.Matches(&c.completion.Spec)
		}
		candidates = append(candidates, c)
	}
	return p.missing(existing, candidates)
}

// Decider returns the cause that decides when the causes of a Grant no longer entitle; nil where that has no end.
func Decider(spec *v1alpha1.GrantSpec) *v1alpha1.GrantCause {
	last := lastEnd(spec)
	if last == nil {
		return nil
	}
	for i := range spec.Causes {
		if spec.Causes[i].EndsAt.Equal(last) {
			return &spec.Causes[i]
		}
	}
	return nil
}
