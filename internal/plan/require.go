// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/lifecycle"
	"github.com/lxp-dev/course-completion-operator/internal/policies"
)

// completed reports whether a person has a completion of every course that a policy requires, whether or not it still
// entitles: one that matches, or one that the Grant records.
func completed(policy *policies.Policy, existing *v1alpha1.Grant, candidates []candidate) bool {
	return len(missing(policy, existing, candidates)) == 0
}

// missing returns the required courses of which there is no such completion.
func missing(policy *policies.Policy, existing *v1alpha1.Grant, candidates []candidate) []v1alpha1.PlatformID {
	have := map[v1alpha1.PlatformID]bool{}
	for i := range candidates {
		if candidates[i].matched {
			have[candidates[i].completion.Spec.Course.ID] = true
		}
	}
	if existing != nil {
		for i := range existing.Spec.Causes {
			have[lifecycle.CourseOf(&existing.Spec.Causes[i])] = true
		}
	}
	return slices.DeleteFunc(policy.Required(), func(id v1alpha1.PlatformID) bool { return have[id] })
}

// entitles reports whether the causes that a condition holds for entitle at a moment: one of each required course, or,
// where none is required, any.
func entitles(spec *v1alpha1.GrantSpec, now time.Time, counts func(*v1alpha1.GrantCause) bool) bool {
	have := map[v1alpha1.PlatformID]bool{}
	for i := range spec.Causes {
		if cause := &spec.Causes[i]; live(cause, now) && counts(cause) {
			have[lifecycle.CourseOf(cause)] = true
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
			return lifecycle.CourseOf(&cause) == id && !ordered(&cause)
		})
	})
}

// requires works out which courses a Grant requires. What a policy asks for anew holds once it is met, or where the
// policy takes back what it no longer gives; until then the Grant keeps what it was granted for.
func (p *planning) requires(policy *policies.Policy, spec *v1alpha1.GrantSpec, existing *v1alpha1.Grant,
	candidates []candidate) {
	if policy == nil || !policy.Ready() {
		return
	}
	asked := *spec
	asked.RequiredCourseIDs = policy.Required()
	matched := func(cause *v1alpha1.GrantCause) bool {
		return slices.ContainsFunc(candidates, func(c candidate) bool {
			return c.matched && c.completion.Name == string(cause.Completion)
		}) || cause.ArchivedAt != nil && policy.Names(lifecycle.CourseOf(cause))
	}
	withdraws := spec.OnPolicyRemoval == v1alpha1.RemovalDelete && completed(policy, existing, candidates)
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
		last := lastOf(spec.Causes, func(cause *v1alpha1.GrantCause) bool { return lifecycle.CourseOf(cause) == id })
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
		last, found := best[lifecycle.CourseOf(cause)]
		if !found || last.EndsAt != nil && (cause.EndsAt == nil || last.EndsAt.Before(cause.EndsAt)) {
			best[lifecycle.CourseOf(cause)] = cause
		}
	}
	lasts := map[v1alpha1.LocalName]bool{}
	for _, cause := range best {
		lasts[cause.Completion] = len(best) <= 2*v1alpha1.MaxRequiredCourses
	}
	return lasts
}
