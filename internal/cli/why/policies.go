// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package why

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/expression"
	"github.com/lxp-dev/course-completion-operator/internal/plan"
	"github.com/lxp-dev/course-completion-operator/internal/policies"
)

// policyStory holds the completions of a person against a policy, as the planner does.
func (r *reader) policyStory(f *facts, p *compiledPolicy) (policy, error) {
	told := policy{Name: p.object.Name, Courses: slices.Sorted(slices.Values(p.object.Spec.Match.CourseIDs))}
	for i := range f.completions {
		completion := &f.completions[i]
		if f.completion != "" && f.completion != completion.Name {
			continue
		}
		held, err := r.hold(p, completion)
		if err != nil {
			return told, fmt.Errorf("policy %s: %w", told.Name, err)
		}
		told.Completions = append(told.Completions, held)
	}
	var existing []*v1alpha1.Grant
	for i := range f.beside {
		if string(f.beside[i].Spec.Policy) == told.Name && f.shows(&f.beside[i]) {
			existing = append(existing, &f.beside[i])
		}
	}
	if len(existing) == 0 {
		told.Missing = plan.Missing(p.compiled, nil, f.completions, r.now)
	}
	told.Outcome, told.Message = r.outcomeOf(f, p, &told, existing)
	return told, nil
}

// NotMatched says why a policy does not match a completion; empty where it does.
func NotMatched(p *policies.Policy, completion *v1alpha1.CourseCompletion, personal bool) (string, error) {
	held, err := explain(p, completion, personal)
	if err != nil || held.Matched {
		return "", err
	}
	told := &policy{Courses: slices.Sorted(slices.Values(p.Spec.Match.CourseIDs)), Completions: []considered{held}}
	if held.OtherCourse {
		return otherCourses(told), nil
	}
	return falseParts(told), nil
}

// explain holds a completion against what a policy says.
func explain(p *policies.Policy, completion *v1alpha1.CourseCompletion, personal bool) (considered, error) {
	held := considered{Completion: completion.Name, Course: completion.Spec.Course.ID}
	reason, err := p.Explain(&completion.Spec, personal)
	if err != nil {
		return held, err
	}
	held.Matched, held.OtherCourse = reason.Matched, reason.OtherCourse
	if reason.Err != nil {
		held.Error = reason.Err.Error()
	}
	for _, part := range reason.Conditions {
		if part.Holds {
			continue
		}
		told := condition{Expression: part.Text}
		if fault, ok := errors.AsType[*expression.Error](part.Err); ok {
			told.Error = fault.Message
		}
		for _, field := range part.Saw {
			told.Saw = append(told.Saw, seen{Field: field.Field, Value: field.Value, Hidden: field.Hidden})
		}
		held.False = append(held.False, told)
	}
	return held, nil
}

// hold holds a completion against a policy, and adds what came of it.
func (r *reader) hold(p *compiledPolicy, completion *v1alpha1.CourseCompletion) (considered, error) {
	held, err := explain(p.compiled, completion, r.personal)
	if err != nil {
		return held, err
	}
	for _, row := range completion.Status.Policies {
		if string(row.Policy) == p.object.Name {
			held.Outcome, held.Reason, held.Message = row.Outcome, row.Reason, row.Message
			held.Grant = string(row.Grant)
		}
	}
	return held, nil
}

// outcomeOf sums up what a policy makes of the completions of a person.
func (r *reader) outcomeOf(
	f *facts, p *compiledPolicy, told *policy, existing []*v1alpha1.Grant,
) (outcome, string) {
	matched := slices.IndexFunc(told.Completions, func(c considered) bool { return c.Matched })
	concerned := slices.ContainsFunc(told.Completions, func(c considered) bool { return !c.OtherCourse })
	ready := p.ready()
	switch {
	case len(existing) > 0:
		return outcomeGranted, grantedBy(existing, matched >= 0 || len(told.Completions) == 0)
	case !concerned:
		return outcomeNotMatched, otherCourses(told)
	case ready == nil || p.object.Status.ObservedGeneration != p.object.Generation:
		return outcomePending, "the controller-manager has not processed the policy yet"
	case ready.Status != metav1.ConditionTrue:
		return outcomeNotReady, "the policy is not Ready: " + ready.Reason + ": " + ready.Message
	case matched < 0 && slices.ContainsFunc(told.Completions, func(c considered) bool { return c.Error != "" }):
		return outcomeFailed, falseParts(told)
	case matched < 0:
		return outcomeNotMatched, falseParts(told)
	case p.suspended():
		return outcomeSuspended, "the policy is suspended"
	case len(told.Missing) > 0:
		return outcomeMissing, "requires all of its courses, and " + list(told.Missing, "and") + " " +
			isOrAre(len(told.Missing)) + " not completed"
	}
	return r.outcomeOfMatch(f, &told.Completions[matched])
}

// outcomeOfMatch says what came of a completion that a policy matches, and that has no Grant of it.
func (r *reader) outcomeOfMatch(f *facts, held *considered) (outcome, string) {
	completion := f.stored(held.Completion)
	ready := meta.FindStatusCondition(completion.Status.Conditions, v1alpha1.ConditionReady)
	current := completion.Status.ObservedGeneration == completion.Generation
	switch {
	case r.now.Before(plan.InRange(&completion.Spec)):
		return outcomePending, fmt.Sprintf("completion %s is dated more than 48 hours in the future: it grants "+
			"nothing before %s", held.Completion, text(f.in(plan.InRange(&completion.Spec))))
	case f.problem != "":
		return outcomePending, f.problem
	case !current || ready == nil:
		return outcomePending, "matches completion " + held.Completion + ", which is being planned"
	case held.Outcome == v1alpha1.OutcomeFailed:
		return outcomeFailed, held.Reason + ": " + held.Message
	case held.Outcome == v1alpha1.OutcomeNotGranted:
		return outcomeNotGranted, held.Message + " (" + held.Reason + ")"
	}
	return outcomePending, "matches completion " + held.Completion + "; the grant is being created"
}

func grantedBy(existing []*v1alpha1.Grant, matches bool) string {
	var said []string
	for _, grant := range existing {
		said = append(said, fmt.Sprintf("grant %s is %s", grant.Name, phaseOf(grant)))
	}
	message := strings.Join(said, "; ")
	if !matches {
		message += "; the policy no longer matches any completion"
	}
	return message
}

func phaseOf(grant *v1alpha1.Grant) string {
	if grant.Status.Phase == "" {
		return "being put in place"
	}
	return string(grant.Status.Phase)
}

// otherCourses says which courses a policy requires, and which were completed.
func otherCourses(told *policy) string {
	requires := "requires other completions"
	if len(told.Courses) > 0 {
		requires = "requires course " + list(told.Courses, "or")
	}
	var completed []v1alpha1.PlatformID
	for _, c := range told.Completions {
		if !slices.Contains(completed, c.Course) {
			completed = append(completed, c.Course)
		}
	}
	if len(completed) == 0 {
		return requires + "; the user completed none"
	}
	return requires + "; the user completed " + list(completed, "and")
}

// falseParts says which parts of the expression are false, for the newest completion that the courses select.
func falseParts(told *policy) string {
	var newest *considered
	more := 0
	for i := range told.Completions {
		if c := &told.Completions[i]; !c.OtherCourse {
			if newest != nil {
				more++
			}
			newest = c
		}
	}
	var said []string
	for _, part := range newest.False {
		said = append(said, part.String())
	}
	if len(said) == 0 {
		said = append(said, newest.Error)
	}
	message := strings.Join(said, "; ") + ", in completion " + newest.Completion
	if more > 0 {
		message += fmt.Sprintf(" (%d older ones do not match either)", more)
	}
	return message
}

// String says what is false, and the values that it saw.
func (c condition) String() string {
	said := "requires " + c.Expression
	if c.Error != "" {
		return said + ", which cannot be evaluated: " + c.Error
	}
	var values []string
	for _, field := range c.Saw {
		if field.Hidden {
			values = append(values, field.Field+" is personal data, see --show-personal-data")
		} else {
			values = append(values, field.Field+" is "+field.Value)
		}
	}
	if len(values) == 0 {
		return said + ", which is false"
	}
	return said + ", but " + strings.Join(values, ", ")
}

// listed is how many numbers are named.
const listed = 6

// list names numbers, and how many more there are.
func list(ids []v1alpha1.PlatformID, last string) string {
	var words []string
	for _, id := range ids[:min(len(ids), listed)] {
		words = append(words, id.String())
	}
	if more := len(ids) - listed; more > 0 {
		words = append(words, fmt.Sprintf("%d more", more))
	}
	if len(words) == 1 {
		return words[0]
	}
	return strings.Join(words[:len(words)-1], ", ") + " " + last + " " + words[len(words)-1]
}

func isOrAre(count int) string {
	if count == 1 {
		return "is"
	}
	return "are"
}
