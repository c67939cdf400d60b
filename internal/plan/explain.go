// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"time"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/policies"
)

// Missing returns the courses that a policy requires and that a person has no completion of, by which the Grant, if
// there is one, could be had. It is empty where one completion is enough.
func Missing(
	policy *policies.Policy, existing *v1alpha1.Grant, completions []v1alpha1.CourseCompletion, now time.Time,
) []v1alpha1.PlatformID {
	var candidates []candidate
	for i := range completions {
		c := candidate{completion: &completions[i]}
		if !now.Before(inRange(&c.completion.Spec)) {
			c.matched, c.err = policy.Matches(&c.completion.Spec)
		}
		candidates = append(candidates, c)
	}
	return missing(policy, existing, candidates)
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
