// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"strings"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/policies"
)

// grantName returns the name of the Grant that a policy makes of a completion. The policy's name is a DNS label, so
// that what stands before the first dot is always the policy.
func grantName(policy *policies.Policy, completion *v1alpha1.CourseCompletion) string {
	if policy.Spec.GrantPer == v1alpha1.GrantPerUser {
		return policy.Name + "." + completion.Spec.Institution.ID.String() + "-" + completion.Spec.User.ID.String()
	}
	return policy.Name + "." + completion.Name
}

// Origin is what the name of a planned Grant says: its policy, and either the completion that it is of, or the user.
type Origin struct {
	Policy string
	// Completion is empty where the Grant is of all completions of a user.
	Completion string
	// Institution and User are ids; empty where the Grant is of one completion.
	Institution, User string
}

// OriginOf returns what the name of a planned Grant says. It reports false for a name that the planner gives to none.
// It is for a Grant that has gone; one that is there says itself where it comes from.
func OriginOf(grant string) (Origin, bool) {
	policy, of, planned := strings.Cut(grant, ".")
	if !planned {
		return Origin{}, false
	}
	if institution, user, two := strings.Cut(of, "-"); two && !strings.Contains(user, "-") {
		return Origin{Policy: policy, Institution: institution, User: user}, true
	}
	return Origin{Policy: policy, Completion: of}, true
}
