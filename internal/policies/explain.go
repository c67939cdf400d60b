// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package policies

import (
	"fmt"

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
