// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// required returns the courses that a policy requires together, ordered; none where one completion is enough.
func (p *Policy) required() []v1alpha1.PlatformID {
	if p.Spec.Match.Require != v1alpha1.MatchAll || p.Spec.GrantPer != v1alpha1.GrantPerUser {
		return nil
	}
	return slices.Sorted(maps.Keys(p.courses))
}

// courseOf returns the course of a cause, which the name of the completion says, since the completion itself may have
// gone.
func courseOf(cause *v1alpha1.GrantCause) v1alpha1.PlatformID {
	parts := strings.Split(string(cause.Completion), "-")
	if len(parts) != 4 {
		return 0
	}
	id, err := strconv.ParseInt(parts[1], 10, 64)
	if err != nil {
		return 0
	}
	return v1alpha1.PlatformID(id)
}

// completed reports whether a person has a completion of every course that a policy requires, whether or not it still
// entitles: one that matches, or one that the Grant records.
func (p *Policy) completed(existing *v1alpha1.Grant, candidates []candidate) bool {
	return len(p.missing(existing, candidates)) == 0
}

// missing returns the required courses of which there is no such completion.
func (p *Policy) missing(existing *v1alpha1.Grant, candidates []candidate) []v1alpha1.PlatformID {
	have := map[v1alpha1.PlatformID]bool{}
	for i := range candidates {
		if candidates[i].matched {
			have[candidates[i].completion.Spec.Course.ID] = true
		}
	}
	if existing != nil {
		for i := range existing.Spec.Causes {
			have[courseOf(&existing.Spec.Causes[i])] = true
		}
	}
	return slices.DeleteFunc(p.required(), func(id v1alpha1.PlatformID) bool { return have[id] })
}

// entitles reports whether the causes that a condition holds for entitle at a moment: one of each required course, or,
// where none is required, any.
func entitles(spec *v1alpha1.GrantSpec, now time.Time, counts func(*v1alpha1.GrantCause) bool) bool {
	have := map[v1alpha1.PlatformID]bool{}
	for i := range spec.Causes {
		if cause := &spec.Causes[i]; live(cause, now) && counts(cause) {
			have[courseOf(cause)] = true
		}
	}
	if len(spec.RequiredCourseIDs) == 0 {
		return len(have) > 0
	}
	return !slices.ContainsFunc(spec.RequiredCourseIDs, func(id v1alpha1.PlatformID) bool { return !have[id] })
}

func every(*v1alpha1.GrantCause) bool { return true }

// Entitles reports whether a Grant's causes entitle, counting only those that a condition holds for.
func Entitles(grant *v1alpha1.Grant, now time.Time, counts func(*v1alpha1.GrantCause) bool) bool {
	return entitles(&grant.Spec, now, counts)
}

// standing reports whether people let a completion of each required course stand, whether or not it still entitles.
func standing(spec *v1alpha1.GrantSpec) bool {
	return !slices.ContainsFunc(spec.RequiredCourseIDs, func(id v1alpha1.PlatformID) bool {
		return !slices.ContainsFunc(spec.Causes, func(cause v1alpha1.GrantCause) bool {
			return courseOf(&cause) == id && !ordered(&cause)
		})
	})
}

// requires works out which courses a Grant requires. What a policy asks for anew holds once it is met, or where the
// policy takes back what it no longer gives; until then the Grant keeps what it was granted for.
func (p *planning) requires(policy *Policy, spec *v1alpha1.GrantSpec, existing *v1alpha1.Grant,
	candidates []candidate) {
	if policy == nil || !policy.Ready() {
		return
	}
	asked := *spec
	asked.RequiredCourseIDs = policy.required()
	matched := func(cause *v1alpha1.GrantCause) bool {
		return slices.ContainsFunc(candidates, func(c candidate) bool {
			return c.matched && c.completion.Name == string(cause.Completion)
		}) || cause.ArchivedAt != nil && policy.courses[courseOf(cause)]
	}
	withdraws := spec.OnPolicyRemoval == v1alpha1.RemovalDelete && policy.completed(existing, candidates)
	if existing == nil || withdraws || entitles(&asked, p.Now, matched) {
		spec.RequiredCourseIDs = asked.RequiredCourseIDs
	}
}

// lastEnd returns when access ends: with the last cause, or, where courses are required, with the first course of which
// the last cause ends. It is nil where that has no end.
func lastEnd(spec *v1alpha1.GrantSpec) *metav1.Time {
	if len(spec.RequiredCourseIDs) == 0 {
		return lastOf(spec.Causes, every)
	}
	var first *metav1.Time
	for _, id := range spec.RequiredCourseIDs {
		last := lastOf(spec.Causes, func(cause *v1alpha1.GrantCause) bool { return courseOf(cause) == id })
		if last != nil && (first == nil || last.Before(first)) {
			first = last
		}
	}
	return first
}

func lastOf(causes []v1alpha1.GrantCause, counts func(*v1alpha1.GrantCause) bool) *metav1.Time {
	var last *metav1.Time
	for i := range causes {
		if !counts(&causes[i]) {
			continue
		}
		at := causes[i].EndsAt
		if at == nil {
			return nil
		}
		if last == nil || last.Before(at) {
			last = at
		}
	}
	return last
}

// lastOfCourses returns, by completion, the cause that ends last of each course; none where a policy that requires all
// of its courses cannot have as many.
func lastOfCourses(causes []v1alpha1.GrantCause) map[v1alpha1.LocalName]bool {
	best := map[v1alpha1.PlatformID]*v1alpha1.GrantCause{}
	for i := range causes {
		cause := &causes[i]
		last, found := best[courseOf(cause)]
		if !found || last.EndsAt != nil && (cause.EndsAt == nil || last.EndsAt.Before(cause.EndsAt)) {
			best[courseOf(cause)] = cause
		}
	}
	lasts := map[v1alpha1.LocalName]bool{}
	for _, cause := range best {
		lasts[cause.Completion] = len(best) <= 2*v1alpha1.MaxRequiredCourses
	}
	return lasts
}
