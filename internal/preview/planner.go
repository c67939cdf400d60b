// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package preview works out what a change of policies would do: it plans everybody twice, with the policies as they are
// and as they would be, and compares. It decides nothing of its own: package plan plans, and what becomes of a Grant is
// what package lifecycle tells the loop to do with it.
package preview

import (
	"fmt"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/lifecycle"
	"github.com/lxp-dev/course-completion-operator/internal/plan"
	"github.com/lxp-dev/course-completion-operator/internal/policies"
)

// Policies are those of a namespace before and after a change.
type Policies struct{ Before, After []v1alpha1.CompletionPolicy }

// Planner compares what the persons of one institution have before and after a change of policies.
type Planner struct {
	Institution *v1alpha1.Institution
	// Now is the time of both plans.
	Now time.Time

	zone          *time.Location
	before, after []*policies.Policy
	// edited are the policies that differ, as they are and as they would be.
	edited map[string][]*policies.Policy
	// known are the policies that there are before, so that those which go are told from those that have gone long ago.
	known map[string]bool
}

// NewPlanner compiles the policies with the privacy of the institution and the limits of the installation.
func NewPlanner(
	institution *v1alpha1.Institution, edit Policies, limits policies.Limits, now time.Time,
) (*Planner, error) {
	zone, err := time.LoadLocation(institution.Spec.TimeZone)
	if err != nil {
		return nil, fmt.Errorf("institution %s: spec.timeZone: %w", institution.Name, err)
	}
	p := &Planner{Institution: institution, Now: now, zone: zone,
		edited: map[string][]*policies.Policy{}, known: map[string]bool{}}
	compile := func(policy *v1alpha1.CompletionPolicy) *policies.Policy {
		return policies.Compile(policy, institution.Spec.Privacy, limits)
	}
	for i := range edit.Before {
		p.before = append(p.before, compile(&edit.Before[i]))
		p.known[edit.Before[i].Name] = true
	}
	for i := range edit.After {
		policy := &edit.After[i]
		// What stays as it is has been compiled already.
		same := slices.IndexFunc(edit.Before, func(other v1alpha1.CompletionPolicy) bool {
			return other.Name == policy.Name && SameSpec(&other, policy)
		})
		if same >= 0 {
			p.after = append(p.after, p.before[same])
			continue
		}
		compiled := compile(policy)
		p.after = append(p.after, compiled)
		p.edited[policy.Name] = append(p.edited[policy.Name], compiled)
	}
	for i, policy := range p.before {
		if !slices.Contains(p.after, policy) {
			p.edited[policy.Name] = append(p.edited[policy.Name], p.before[i])
		}
	}
	return p, nil
}

// Edited returns a policy as it would be, compiled; nil where it goes or stays as it is.
func (p *Planner) Edited(name string) *policies.Policy {
	for _, policy := range p.after {
		if policy.Name == name && slices.Contains(p.edited[name], policy) {
			return policy
		}
	}
	return nil
}

// ConcernsCompletion reports whether the change may concern whoever has a completion. A plan depends on nothing else of
// a policy.
func (p *Planner) ConcernsCompletion(spec *v1alpha1.CourseCompletionSpec) bool {
	for _, edited := range p.edited {
		for _, policy := range edited {
			courses := policy.Spec.Match.CourseIDs
			if len(courses) == 0 || slices.Contains(courses, spec.Course.ID) {
				return true
			}
		}
	}
	return false
}

// ConcernsGrant reports whether the change may concern whoever has a Grant.
func (p *Planner) ConcernsGrant(grant *v1alpha1.Grant) bool {
	return p.edited[string(grant.Spec.Policy)] != nil
}

// Person is everything that there is of one person.
type Person struct {
	Holder      v1alpha1.GrantHolder
	Completions []v1alpha1.CourseCompletion
	// Grants are the planned ones and those made by hand.
	Grants []v1alpha1.Grant
	// Delivery is one that has come only after the change; nil for none.
	Delivery *v1alpha1.CourseCompletion
}

// Failure is what keeps a policy from granting something because of a completion, and did not before.
type Failure struct{ Policy, Completion, Message string }

// Outcome is what a change does to one person.
type Outcome struct {
	// Changes are those of the person's Grants, by name.
	Changes []Change
	// Failures are what would keep edited policies from granting.
	Failures []Failure
	// Unplanned reports that the operator has yet to plan the person as things are: what that brings is no part of this.
	Unplanned bool
	// Verdicts are what the policies make of the delivery, by name; nil where there is none.
	Verdicts []Verdict
}

// Verdict is what a policy makes of a delivery.
type Verdict struct {
	Policy *policies.Policy
	// Result is what the completion is told; nil where the policy does not match it, or plans nothing.
	Result *v1alpha1.PolicyResult
}

// Preview compares what a person has before and after the change.
func (p *Planner) Preview(person Person) Outcome {
	before := p.plan(person, false)
	after := p.plan(person, true)
	outcome := Outcome{Failures: newFailures(before.plan, after.plan)}
	outcome.Unplanned = slices.ContainsFunc(before.plan.Grants, func(g plan.Planned) bool { return g.Changed() })
	outcome.Changes = p.compare(before, after)
	if person.Delivery != nil {
		outcome.Verdicts = p.verdicts(person.Delivery.Name, &after.plan)
	}
	return outcome
}

func (p *Planner) verdicts(completion string, planned *plan.Plan) []Verdict {
	var verdicts []Verdict
	for _, policy := range p.after {
		verdicts = append(verdicts, Verdict{Policy: policy})
	}
	slices.SortFunc(verdicts, func(a, b Verdict) int { return strings.Compare(a.Policy.Name, b.Policy.Name) })
	for i := range planned.Completions {
		if planned.Completions[i].Name != completion {
			continue
		}
		for j := range planned.Completions[i].Policies {
			row := &planned.Completions[i].Policies[j]
			for k := range verdicts {
				if verdicts[k].Policy.Name == string(row.Policy) {
					verdicts[k].Result = row
				}
			}
		}
	}
	return verdicts
}

// state is what a person has under one set of policies.
type state struct {
	plan plan.Plan
	// grants are those that would be there, planned and made by hand.
	grants []v1alpha1.Grant
	// begun are the same, as if everything that is to be revoked were being taken.
	begun []v1alpha1.Grant
}

func (s *state) find(name string) (*v1alpha1.Grant, bool) {
	for i := range s.grants {
		if s.grants[i].Name == name {
			return &s.grants[i], true
		}
	}
	return nil, false
}

func (p *Planner) plan(person Person, after bool) *state {
	all := p.before
	completions := slices.Clone(person.Completions)
	if after {
		all = p.after
		if person.Delivery != nil {
			completions = slices.DeleteFunc(completions, func(c v1alpha1.CourseCompletion) bool {
				return c.Name == person.Delivery.Name
			})
			completions = append(completions, *person.Delivery)
		}
	}
	of := plan.Person{Holder: person.Holder, Prefix: p.Institution.Spec.NamespacePrefix, Zone: p.zone,
		Completions: completions, Policies: all, Now: p.Now,
		Retention: time.Duration(p.Institution.Spec.RetentionDays) * 24 * time.Hour,
		Awaited:   map[string]bool{}}
	present := map[string]bool{}
	for _, policy := range all {
		present[policy.Name] = true
	}
	for i := range person.Grants {
		grant := person.Grants[i]
		if !grant.Planned() {
			of.Handmade = append(of.Handmade, grant)
			continue
		}
		of.Grants = append(of.Grants, grant)
		// Whether a policy that has gone before still counts is between it and the operator, who saw it go or did not.
		name := string(grant.Spec.Policy)
		of.Awaited[name] = !present[name] && !p.known[name] && !slices.ContainsFunc(grant.Spec.Causes,
			func(cause v1alpha1.GrantCause) bool { return cause.End == v1alpha1.CausePolicyRemoved })
	}
	s := p.settle(of)
	// A seat that is revoked is one that the Grant no longer has, of which the plan keeps no claim then.
	for range maxRounds {
		if !releaseSeats(&of, s, p.Now) {
			break
		}
		s = p.settle(of)
	}
	return s
}

// maxRounds bounds how often a person is planned until nothing follows from what the last plan took away.
const maxRounds = 4

func (p *Planner) settle(of plan.Person) *state {
	s := &state{plan: plan.For(of)}
	for i := range s.plan.Grants {
		s.grants = append(s.grants, *p.written(&s.plan.Grants[i]))
	}
	s.grants = append(s.grants, of.Handmade...)
	s.begun = p.begin(s.grants)
	return s
}

// releaseSeats takes out of the statuses of Grants the seats that are revoked, and reports whether there are any.
func releaseSeats(of *plan.Person, s *state, now time.Time) bool {
	released := false
	grants := slices.Clone(of.Grants)
	for i := range grants {
		planned, _ := s.find(grants[i].Name)
		revoked := lifecycle.RevokedFrom(planned, s.begun, now)
		away := func(held v1alpha1.HeldSeat) bool { _, found := revoked.Seats[held.Pool]; return found }
		if slices.ContainsFunc(grants[i].Status.Seats, away) {
			grants[i] = *grants[i].DeepCopy()
			grants[i].Status.Seats = slices.DeleteFunc(grants[i].Status.Seats, away)
			released = true
		}
	}
	of.Grants = grants
	return released
}

// written returns a planned Grant as it would be once the planner has written it.
func (p *Planner) written(planned *plan.Planned) *v1alpha1.Grant {
	grant := &v1alpha1.Grant{ObjectMeta: metav1.ObjectMeta{
		Namespace: p.Institution.Namespace, Name: planned.Name, CreationTimestamp: metav1.NewTime(p.Now),
	}}
	if planned.Existing != nil {
		grant = planned.Existing.DeepCopy()
	}
	override := grant.Spec.Override
	grant.Spec = *planned.Spec.DeepCopy()
	grant.Spec.Override = override
	return grant
}

// begin returns Grants as if the revocation of every namespace that nothing keeps had begun.
func (p *Planner) begin(grants []v1alpha1.Grant) []v1alpha1.Grant {
	begun := slices.Clone(grants)
	for i := range grants {
		revoker := &grants[i]
		if !lifecycle.RevokesNow(revoker) || len(revoker.Spec.Revokes.Namespaces) == 0 {
			continue
		}
		var kept []string
		for _, ns := range revoker.Spec.Revokes.Namespaces {
			if loss, _ := lifecycle.ImpactOf(revoker, grants, ns.Name, p.Now); loss == lifecycle.Retained {
				kept = append(kept, ns.Name)
			}
		}
		begun[i] = *revoker.DeepCopy()
		begun[i].Status.Revocations = lifecycle.Started(revoker, p.Now, kept...)
	}
	return begun
}

// newFailures returns what fails after the change and did not before.
func newFailures(before, after plan.Plan) []Failure {
	known := map[Failure]bool{}
	for _, failure := range failuresOf(before) {
		known[failure] = true
	}
	return slices.DeleteFunc(failuresOf(after), func(f Failure) bool { return known[f] })
}

func failuresOf(planned plan.Plan) []Failure {
	var found []Failure
	for _, completion := range planned.Completions {
		for _, row := range completion.Policies {
			if row.Outcome == v1alpha1.OutcomeFailed {
				found = append(found, Failure{string(row.Policy), completion.Name, row.Message})
			}
		}
	}
	for _, fault := range planned.Faults {
		found = append(found, Failure{fault.Policy, fault.Completion, fault.Err.Error()})
	}
	slices.SortFunc(found, func(a, b Failure) int {
		return strings.Compare(a.Policy+"/"+a.Completion, b.Policy+"/"+b.Completion)
	})
	return found
}
