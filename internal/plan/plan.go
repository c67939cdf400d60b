// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package plan decides. From what a person completed, what the policies say and what the clock shows it works out
// which Grants the person has, and what each completion is told. It is pure: it imports no client and reads no clock,
// and the same input always yields the same plan.
package plan

import (
	"maps"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/lifecycle"
	"github.com/lxp-dev/course-completion-operator/internal/moment"
	"github.com/lxp-dev/course-completion-operator/internal/order"
	"github.com/lxp-dev/course-completion-operator/internal/policies"
)

// maxCauses is the greatest number of causes that a Grant records; the schema has the same bound.
const maxCauses = 512

// Person is everything that decides what one person has.
type Person struct {
	// Holder is who it is.
	Holder v1alpha1.GrantHolder
	// Prefix is what granted namespaces start with (Institution.spec.namespacePrefix).
	Prefix string
	// Zone is the institution's time zone.
	Zone *time.Location
	// Completions are all the completions of the person.
	Completions []v1alpha1.CourseCompletion
	// Grants are the planned Grants that the person has.
	Grants []v1alpha1.Grant
	// Handmade are the Grants that people made for the person. They are none of the planner's, and it takes from them.
	Handmade []v1alpha1.Grant
	// Policies are all the policies of the institution's namespace.
	Policies []*policies.Policy
	// Retention is how long a completion stays after its creation; zero for ever.
	Retention time.Duration
	// Gone holds the names of completions that a Grant names as a cause, and that a live read did not find. What is
	// missing in Completions only is not gone: a cache may lag.
	Gone map[string]bool
	// Awaited holds the names of policies that are not there and are still waited for: their absence ends nothing yet.
	Awaited map[string]bool
	// Now is the time.
	Now time.Time
}

// Planned is a Grant as it should be.
type Planned struct {
	// Name of the Grant.
	Name string
	// Spec it should have. Override is never set: it belongs to people.
	Spec v1alpha1.GrantSpec
	// Existing is the Grant as it is, nil where there is none.
	Existing *v1alpha1.Grant
}

// Changed reports whether the Grant has to be written.
func (p *Planned) Changed() bool {
	if p.Existing == nil {
		return true
	}
	have := p.Existing.Spec.DeepCopy()
	have.Override = v1alpha1.GrantOverride{}
	have.Objects = policies.Canonical(have.Objects)
	want := p.Spec
	want.Objects = policies.Canonical(want.Objects)
	return !equality.Semantic.DeepEqual(have, &want)
}

// Ends returns the Grant as it should be but for what it gives, which stays as it is: where the API server refuses what
// was rendered, its end still moves. It is nil where there is nothing to write, or nothing to keep.
func (p *Planned) Ends() *Planned {
	if p.Existing == nil {
		return nil
	}
	left := &Planned{Name: p.Name, Spec: *p.Spec.DeepCopy(), Existing: p.Existing}
	have := p.Existing.Spec.DeepCopy()
	left.Spec.Namespaces, left.Spec.Seats = have.Namespaces, have.Seats
	left.Spec.Objects, left.Spec.ServiceAccountName = have.Objects, have.ServiceAccountName
	if !left.Changed() {
		return nil
	}
	return left
}

// Plan is what a person should have.
type Plan struct {
	// Grants by name, in order; those that need no write too.
	Grants []Planned
	// Completions has what each completion of the person is told, in the order of Person.Completions.
	Completions []CompletionPlan
	// Faults are what failed of policies that work otherwise, and that no completion is told.
	Faults []PolicyFault
	// Expired are the completions that retention deletes: those that no Grant still needs to note.
	Expired []*v1alpha1.CourseCompletion
	// Over are the Grants to delete: they have ended, and their history has been kept for as long as it has to be.
	Over []*v1alpha1.Grant
	// Next is when to plan again although nothing happens, for retention or for a completion that was sent far ahead; zero
	// if never.
	Next time.Time
}

// For plans what one person has. Planning again with the Grants that the plan made changes nothing.
func For(person Person) Plan {
	p := planning{Person: person, results: map[string][]v1alpha1.PolicyResult{}}
	byName := func(a, b *policies.Policy) int { return strings.Compare(a.Name, b.Name) }
	p.Policies = slices.SortedFunc(slices.Values(p.Policies), byName)
	known := map[string]bool{}
	for _, policy := range p.Policies {
		known[policy.Name] = true
		p.policy(policy)
	}
	for i := range p.Grants {
		if grant := &p.Grants[i]; !known[string(grant.Spec.Policy)] {
			candidates := p.candidates(nil, grant.Name, grant)
			planned := p.grant(nil, grant.Name, grant, candidates)
			p.add(planned)
			p.reportRetained(candidates, planned)
		}
	}
	slices.SortFunc(p.planned, func(a, b Planned) int { return strings.Compare(a.Name, b.Name) })
	plan := Plan{Grants: p.planned, Completions: p.completionPlans(), Faults: p.faults}
	p.retain(&plan)
	p.lookAhead(&plan)
	return plan
}

type planning struct {
	Person
	planned []Planned
	results map[string][]v1alpha1.PolicyResult
	faults  []PolicyFault
}

func (p *planning) add(planned *Planned) {
	if planned != nil {
		p.planned = append(p.planned, *planned)
	}
}

// candidate is a completion that a Grant may be caused by.
type candidate struct {
	completion *v1alpha1.CourseCompletion
	// named reports that the policy names the Grant after the completion, and so speaks of it in this Grant.
	named   bool
	matched bool
	// concerned reports that the completion is told what came of the policy, also where it has no Grant of it.
	concerned bool
	err       error
}

func (p *planning) policy(policy *policies.Policy) {
	names := map[string]bool{}
	for i := range p.Completions {
		names[grantName(policy, &p.Completions[i])] = true
	}
	existing := map[string]*v1alpha1.Grant{}
	for i := range p.Grants {
		if grant := &p.Grants[i]; string(grant.Spec.Policy) == policy.Name {
			existing[grant.Name] = grant
			names[grant.Name] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		candidates := p.candidates(policy, name, existing[name])
		planned := p.grant(policy, name, existing[name], candidates)
		p.add(planned)
		p.report(policy, candidates, planned)
	}
}

// candidates returns the completions that a Grant may be caused by: those that a policy would name it after, and those
// that it records, also where the policy has gone or names its Grants in another way by now.
func (p *planning) candidates(policy *policies.Policy, name string, existing *v1alpha1.Grant) []candidate {
	var found []candidate
	for i := range p.Completions {
		c := candidate{completion: &p.Completions[i]}
		c.named = policy != nil && grantName(policy, c.completion) == name
		if !c.named && recordedCause(existing, c.completion.Name) == nil {
			continue
		}
		if c.named && !p.ahead(c.completion) {
			c.consider(policy)
		}
		found = append(found, c)
	}
	if policy != nil && policy.Ready() && !completed(policy, existing, found) {
		// A policy that requires all of its courses matches nothing before they are completed.
		for i := range found {
			found[i].matched = false
		}
	}
	return found
}

// consider holds a completion against a policy. One that does not work, or whose expression fails on the completion,
// cannot be said to match: it concerns those that its courseIDs select.
func (c *candidate) consider(policy *policies.Policy) {
	c.matched, c.err = policy.Matches(&c.completion.Spec)
	selected := policy.ByCourse() && (c.matched || c.err != nil)
	if !policy.Ready() {
		c.matched, c.err = false, nil
	}
	c.concerned = c.matched || selected
}

func recordedCause(grant *v1alpha1.Grant, completion string) *v1alpha1.GrantCause {
	if grant == nil {
		return nil
	}
	for i := range grant.Spec.Causes {
		if string(grant.Spec.Causes[i].Completion) == completion {
			return &grant.Spec.Causes[i]
		}
	}
	return nil
}

// grant plans one Grant: of a policy, or, where policy is nil, one whose policy has gone. It returns nil where there
// is nothing to have.
func (p *planning) grant(
	policy *policies.Policy, name string, existing *v1alpha1.Grant, candidates []candidate,
) *Planned {
	if existing != nil && (!existing.DeletionTimestamp.IsZero() || policy != nil && policy.Suspended()) {
		return &Planned{Name: name, Spec: withoutOverride(existing), Existing: existing}
	}
	if existing == nil && (policy.Suspended() || !policy.Ready()) {
		return nil
	}
	spec := v1alpha1.GrantSpec{Holder: p.Holder}
	if existing != nil {
		spec = withoutOverride(existing)
	}
	if policy != nil && policy.Ready() {
		spec.Policy = v1alpha1.LocalName(policy.Name)
		spec.Lifetime = *policy.Spec.Lifetime.DeepCopy()
		spec.OnRevoke, spec.OnPolicyRemoval = policy.Spec.OnRevoke, policy.Spec.OnPolicyRemoval
		// What has taken effect is not held up by a policy that asks for approval later.
		if existing == nil || policy.Spec.Approval == v1alpha1.ApprovalAutomatic {
			spec.Approval = policy.Spec.Approval
		}
	}
	spec.Causes = p.causes(policy, &spec, existing, candidates)
	p.requires(policy, &spec, existing, candidates)
	started, entitles := p.revokes(policy, &spec, candidates), entitles(&spec, p.Now, every)
	// What entitles to nothing may still take something away.
	if existing == nil && (!started || !entitles && spec.Revokes.Completion == "") {
		return nil
	}
	if rendered := p.render(policy, &spec, existing, candidates); existing == nil && entitles && !rendered {
		return nil
	}
	p.ends(&spec, existing)
	p.minimize(&spec, existing)
	p.noteRevocationKnown(&spec.Revokes, existing)
	return &Planned{Name: name, Spec: spec, Existing: existing}
}

func withoutOverride(grant *v1alpha1.Grant) v1alpha1.GrantSpec {
	spec := *grant.Spec.DeepCopy()
	spec.Override = v1alpha1.GrantOverride{}
	return spec
}

func (p *planning) live(cause v1alpha1.GrantCause) bool { return live(&cause, p.Now) }

// causes works out the causes of a Grant from those that it records and the completions there are.
func (p *planning) causes(
	policy *policies.Policy, spec *v1alpha1.GrantSpec, existing *v1alpha1.Grant, candidates []candidate,
) []v1alpha1.GrantCause {
	causes := map[string]v1alpha1.GrantCause{}
	if existing != nil {
		for _, recorded := range existing.Spec.Causes {
			switch {
			case recorded.ArchivedAt == nil && p.Gone[string(recorded.Completion)]:
				endNow(&recorded, new(recorded), v1alpha1.CauseWithdrawn, p.Now)
			case recorded.ArchivedAt != nil && p.policyRemoved(policy, spec) && spec.OnPolicyRemoval == v1alpha1.RemovalDelete:
				endNow(&recorded, new(recorded), v1alpha1.CausePolicyRemoved, p.Now)
			}
			causes[string(recorded.Completion)] = recorded
		}
	}
	for _, c := range p.inRange(candidates) {
		recorded := recordedCause(existing, c.completion.Name)
		if recorded == nil && !c.matched {
			continue
		}
		cause := causeOf(c.completion, spec.Lifetime, p.Zone, recorded)
		removed, why := p.removed(policy, spec, c)
		switch {
		case buried(recorded, cause):
			continue
		case removed && spec.OnPolicyRemoval == v1alpha1.RemovalDelete:
			endNow(&cause, recorded, why, p.Now)
		case !c.matched && ordered(recorded):
			// Nothing but a policy that works and matches brings back what was revoked on order.
			cause = *recorded
		}
		if p.expired(c.completion) {
			cause.ArchivedAt = new(metav1.NewTime(p.Now.UTC().Truncate(time.Second)))
		}
		causes[c.completion.Name] = cause
	}
	all := slices.Collect(maps.Values(causes))
	if policy != nil && len(policy.Required()) > 0 || len(spec.RequiredCourseIDs) > 0 {
		return p.bounded(all, lastOfCourses(all))
	}
	return p.bounded(all, nil)
}

// removed reports whether the policy no longer gives what it gave because of a completion, and why. A policy that is
// faulty, or that fails on this completion, takes nothing away.
func (p *planning) removed(
	policy *policies.Policy, spec *v1alpha1.GrantSpec, c candidate,
) (bool, v1alpha1.CauseEnd) {
	if policy == nil {
		return p.policyRemoved(policy, spec), v1alpha1.CausePolicyRemoved
	}
	return policy.Ready() && c.err == nil && !c.matched, v1alpha1.CauseNotMatched
}

// policyRemoved reports whether the policy of a Grant has gone for good.
func (p *planning) policyRemoved(policy *policies.Policy, spec *v1alpha1.GrantSpec) bool {
	return policy == nil && !p.Awaited[string(spec.Policy)]
}

// bounded orders causes by name. Where there are more than a Grant can record it keeps those that are needed, then
// those that entitle, and of the others the newest.
func (p *planning) bounded(causes []v1alpha1.GrantCause, needed map[v1alpha1.LocalName]bool) []v1alpha1.GrantCause {
	byName := func(a, b v1alpha1.GrantCause) int { return strings.Compare(string(a.Completion), string(b.Completion)) }
	slices.SortFunc(causes, byName)
	if len(causes) <= maxCauses {
		return causes
	}
	slices.SortStableFunc(causes, func(a, b v1alpha1.GrantCause) int {
		if neededA, neededB := needed[a.Completion], needed[b.Completion]; neededA != neededB {
			if neededA {
				return -1
			}
			return 1
		}
		if liveA, liveB := p.live(a), p.live(b); liveA != liveB {
			if liveA {
				return -1
			}
			return 1
		}
		return order.Compare(lifecycle.CauseKey(b), lifecycle.CauseKey(a))
	})
	causes = causes[:maxCauses]
	slices.SortFunc(causes, byName)
	return causes
}

// render fills the resources of a Grant from the newest completion that matches and entitles. Where there is none, or
// it cannot be rendered, the Grant keeps what it has. It reports whether it rendered.
func (p *planning) render(
	policy *policies.Policy, spec *v1alpha1.GrantSpec, existing *v1alpha1.Grant, candidates []candidate,
) bool {
	if policy == nil || !policy.Ready() {
		return false
	}
	var entitling []*candidate
	for i := range candidates {
		cause := causeNamed(spec, candidates[i].completion.Name)
		if candidates[i].matched && cause != nil && live(cause, p.Now) {
			entitling = append(entitling, &candidates[i])
		}
	}
	if !entitles(spec, p.Now, every) {
		entitling = nil
	}
	if entitling == nil && p.prolonged(existing) {
		entitling = recordedMatches(spec, candidates)
	}
	if len(entitling) == 0 {
		return false
	}
	newest := slices.MaxFunc(entitling, func(a, b *candidate) int {
		return order.Compare(order.Of(&a.completion.Spec), order.Of(&b.completion.Spec))
	})
	rendered, err := policy.Render(&newest.completion.Spec)
	if err == nil {
		err = policy.Allowed(rendered, p.Holder, p.Prefix)
	}
	if err != nil {
		for _, c := range entitling {
			c.err = err
		}
		return false
	}
	spec.Namespaces, spec.Seats = rendered.Namespaces, policy.Seats(existing)
	spec.Objects, spec.ServiceAccountName = rendered.Objects, policy.Spec.ServiceAccountName
	return true
}

func causeNamed(spec *v1alpha1.GrantSpec, completion string) *v1alpha1.GrantCause {
	i := slices.IndexFunc(spec.Causes, func(c v1alpha1.GrantCause) bool { return string(c.Completion) == completion })
	if i < 0 {
		return nil
	}
	return &spec.Causes[i]
}

// ends works out when access ends, which is when the causes no longer entitle, and when the data goes. The grace days
// count from when an end is first known if it lies in the past by then, so that nobody loses data without them.
func (p *planning) ends(spec *v1alpha1.GrantSpec, existing *v1alpha1.Grant) {
	spec.AccessEndsAt, spec.EndKnownAt, spec.EndBroughtForward, spec.DataEndsAt = nil, nil, nil, nil
	last := lastEnd(spec)
	spec.EndBroughtForward = p.broughtForward(spec, last, existing)
	if last == nil {
		return
	}
	spec.AccessEndsAt = last.DeepCopy()
	spec.EndKnownAt = p.knownSince(last, existing)
	if existing != nil && existing.Spec.DataEndsAt != nil &&
		existing.Spec.AccessEndsAt.Equal(last) && existing.Spec.Lifetime.Grace() == spec.Lifetime.Grace() {
		spec.DataEndsAt = existing.Spec.DataEndsAt.DeepCopy()
		return
	}
	known := p.Now.UTC().Truncate(time.Second)
	if last.After(known) {
		known = last.Time
	}
	spec.DataEndsAt = new(metav1.NewTime(moment.After(known, moment.Days(spec.Lifetime.Grace()))))
}
