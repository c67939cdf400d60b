// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/condition"
	"github.com/lxp-dev/course-completion-operator/internal/policies"
)

// maxRows is the greatest number of policies and of grants in the status of a completion; the schema has the same
// bound.
const maxRows = 256

// How long the status of a completion waits for its Grants, so that a completion that goes well costs one status write,
// and a Grant that is rendered anew costs none.
const (
	// patience is for Grants that are being put in place: they are as the completion was told before, or say nothing yet.
	// It is also for those whose namespaces are being deleted, which takes a cluster its time where many end at once.
	patience = time.Minute
	// longPatience is for Grants that have been put in place and are rendered anew: their users have what they had. An
	// edit of a policy concerns thousands, which are changed one after the other.
	longPatience = 30 * time.Minute
	// shortPatience is for Grants that wait for what mostly comes within moments, such as a seat that is free.
	shortPatience = 10 * time.Second
)

// CompletionPlan is what one completion is told.
type CompletionPlan struct {
	// Name of the CourseCompletion.
	Name string
	// Policies has a row for each policy that matches, or that would have if it worked; ordered by name.
	Policies []v1alpha1.PolicyResult
	// Grants are the names of the Grants that the completion is a cause of, ordered.
	Grants []v1alpha1.LocalName
	// Verdict sums it up.
	Verdict condition.Verdict
	// Patience is for how long there is nothing to tell yet, because the Grants are not as they will be for now: writing
	// the status before would mean writing it again. It is zero once they are, or say what people should know.
	Patience time.Duration
}

// Refuse tells a completion that the API server refuses what is planned of Grants of its, by name.
func (c *CompletionPlan) Refuse(refused map[string]string) {
	for i := range c.Policies {
		row := &c.Policies[i]
		if why, found := refused[string(row.Grant)]; found && row.Grant != "" {
			row.Outcome, row.Reason = v1alpha1.OutcomeFailed, v1alpha1.ReasonPolicyFailed
			row.Message = cut("the API server rejected the grant: " + why)
		}
	}
	for _, name := range c.Grants {
		if why, found := refused[string(name)]; found {
			c.Patience = 0
			c.Verdict = condition.Verdict{Stalled: true, Reason: v1alpha1.ReasonPolicyFailed,
				Message: cut(fmt.Sprintf("could not write grant %s: %s", name, why))}
		}
	}
}

// PolicyFault is what failed of a policy on a completion that is not told so: its courseIDs do not select it, or it has
// a Grant, which that takes nothing of.
type PolicyFault struct {
	Policy, Completion string
	Err                error
}

// report adds a row for a policy to each completion that it concerns.
func (p *planning) report(policy *policies.Policy, candidates []candidate, planned *Planned) {
	for _, c := range candidates {
		if !c.named {
			continue
		}
		var cause *v1alpha1.GrantCause
		if planned != nil {
			cause = causeNamed(&planned.Spec, c.completion.Name)
		}
		if c.err != nil && !c.matched && (cause != nil || !c.concerned) {
			p.faults = append(p.faults, PolicyFault{policy.Name, c.completion.Name, c.err})
		}
		switch {
		case cause != nil:
			p.row(policy.Name, c, p.granted(c, planned, cause))
		case c.concerned && !unaffected(policy, c.completion):
			p.row(policy.Name, c, p.notGranted(policy, c, candidates))
		}
	}
}

// unaffected reports whether a completion that has been planned is no concern of a policy that does not work and has
// said nothing about it before: the mistake is told at the policy and to who comes now, not to everybody who ever
// completed the course.
func unaffected(policy *policies.Policy, completion *v1alpha1.CourseCompletion) bool {
	status := &completion.Status
	if len(policy.Faults) == 0 || status.ObservedGeneration == 0 || status.ObservedGeneration != completion.Generation {
		return false
	}
	told := func(row v1alpha1.PolicyResult) bool { return string(row.Policy) == policy.Name }
	return !slices.ContainsFunc(status.Policies, told)
}

// reportRetained adds the rows of a Grant whose policy has gone: a policy that goes and takes nothing away is no
// concern of those who have what it granted.
func (p *planning) reportRetained(candidates []candidate, planned *Planned) {
	for _, c := range candidates {
		if cause := causeNamed(&planned.Spec, c.completion.Name); cause != nil {
			p.row(string(planned.Spec.Policy), c, p.granted(c, planned, cause))
		}
	}
}

// row adds a row to a completion, which has one for each policy.
func (p *planning) row(policy string, c candidate, row v1alpha1.PolicyResult) {
	row.Policy = v1alpha1.LocalName(policy)
	rows := p.results[c.completion.Name]
	if !slices.ContainsFunc(rows, func(r v1alpha1.PolicyResult) bool { return r.Policy == row.Policy }) {
		p.results[c.completion.Name] = append(rows, row)
	}
}

// notGranted returns the row of a completion that has no Grant of a policy. What would have ended already is no
// concern of what keeps the policy from granting.
func (p *planning) notGranted(policy *policies.Policy, c candidate, beside []candidate) v1alpha1.PolicyResult {
	would := causeOf(c.completion, policy.Spec.Lifetime, p.Zone, nil)
	// What fails on one completion of a Grant keeps it from all of them.
	fails := func(other candidate) bool { return other.matched && other.err != nil }
	if i := slices.IndexFunc(beside, fails); i >= 0 && c.matched && c.err == nil {
		c.err = beside[i].err
	}
	switch {
	case c.err == nil && !live(&would, p.Now):
		return v1alpha1.PolicyResult{Outcome: v1alpha1.OutcomeNotGranted, Reason: string(would.End),
			Message: "what it would grant has already ended"}
	case policy.Suspended():
		return v1alpha1.PolicyResult{Outcome: v1alpha1.OutcomeNotGranted, Reason: v1alpha1.ReasonSuspended,
			Message: "the policy is suspended"}
	case c.err != nil:
		return failed(c.err)
	case !policy.Ready():
		return v1alpha1.PolicyResult{Outcome: v1alpha1.OutcomeFailed, Reason: v1alpha1.ReasonInvalidPolicy,
			Message: "the policy is not Ready: see its conditions"}
	}
	if len(policy.Required()) > 0 {
		return coursesMissing()
	}
	return v1alpha1.PolicyResult{Outcome: v1alpha1.OutcomeNotGranted, Reason: v1alpha1.ReasonProgressing,
		Message: "waiting for the previous grant with this name to be deleted"}
}

// granted returns the row of a completion that is a cause of a Grant. A policy that does not work, or whose expression
// fails on the completion by now, takes nothing of it away, and so is no concern of it.
func (p *planning) granted(c candidate, planned *Planned, cause *v1alpha1.GrantCause) v1alpha1.PolicyResult {
	row := v1alpha1.PolicyResult{Outcome: v1alpha1.OutcomeGranted}
	switch {
	case c.err != nil && c.matched:
		row = failed(c.err)
	case !live(cause, p.Now):
		row.Outcome, row.Reason = v1alpha1.OutcomeNotGranted, string(cause.End)
		row.Message = "what it granted has ended"
		if string(planned.Spec.Revokes.Completion) == c.completion.Name {
			row.Message += "; what it revoked stays revoked"
		}
	case !entitles(&planned.Spec, p.Now, every):
		row = coursesMissing()
	default:
		row.Reason, row.Message = standingOf(planned)
	}
	row.Grant = v1alpha1.LocalName(planned.Name)
	return row
}

func coursesMissing() v1alpha1.PolicyResult {
	return v1alpha1.PolicyResult{Outcome: v1alpha1.OutcomeNotGranted, Reason: v1alpha1.ReasonCoursesMissing,
		Message: "the policy requires all of its courses, and at least one has no valid completion"}
}

func failed(err error) v1alpha1.PolicyResult {
	return v1alpha1.PolicyResult{Outcome: v1alpha1.OutcomeFailed, Reason: v1alpha1.ReasonPolicyFailed,
		Message: cut(err.Error())}
}

// cut keeps a message within what the schema allows.
func cut(message string) string {
	const most = 1000
	if len(message) <= most {
		return message
	}
	return strings.ToValidUTF8(message[:most], "") + "..."
}

// standingOf returns the reason and, where it is not Ready, the message of a planned Grant.
func standingOf(planned *Planned) (reason, message string) {
	ready := readyOf(planned)
	if ready == nil {
		return v1alpha1.ReasonProgressing, ""
	}
	if ready.Status == metav1.ConditionTrue {
		return ready.Reason, ""
	}
	return ready.Reason, cut(ready.Message)
}

// readyOf returns the Ready condition of a planned Grant, nil where it does not speak of the planned spec yet.
func readyOf(planned *Planned) *metav1.Condition {
	if planned.Changed() || planned.Existing.Status.ObservedGeneration != planned.Existing.Generation {
		return nil
	}
	conditions := planned.Existing.Status.Conditions
	i := slices.IndexFunc(conditions, func(c metav1.Condition) bool { return c.Type == v1alpha1.ConditionReady })
	if i < 0 {
		return nil
	}
	return &conditions[i]
}

// patienceWith returns for how long a Grant has nothing to say that a completion should be told.
func patienceWith(planned *Planned) time.Duration {
	ready := readyOf(planned)
	switch {
	case planned.Existing != nil && !planned.Existing.DeletionTimestamp.IsZero():
		return patience
	case ready == nil && planned.Existing != nil && planned.Existing.Status.Phase == v1alpha1.GrantActive:
		return longPatience
	case ready == nil:
		return patience
	}
	if ready.Status == metav1.ConditionTrue {
		return 0
	}
	phase := planned.Existing.Status.Phase
	ended := phase == v1alpha1.GrantEnded || phase == v1alpha1.GrantRevoked
	switch reason := ready.Reason; {
	case reason == v1alpha1.ReasonProgressing, reason == v1alpha1.ReasonTerminating && ended:
		return patience
	case reason == v1alpha1.ReasonProgressingWithRetry, reason == v1alpha1.ReasonTerminating,
		reason == v1alpha1.ReasonWaitingForSeat:
		return shortPatience
	}
	return 0
}

func (p *planning) completionPlans() []CompletionPlan {
	plans := make([]CompletionPlan, 0, len(p.Completions))
	for i := range p.Completions {
		name := p.Completions[i].Name
		plan := CompletionPlan{Name: name, Policies: p.results[name]}
		slices.SortFunc(plan.Policies, func(a, b v1alpha1.PolicyResult) int { return cmp.Compare(a.Policy, b.Policy) })
		if len(plan.Policies) > maxRows {
			plan.Policies = plan.Policies[:maxRows]
		}
		var causing []*Planned
		for j := range p.planned {
			if planned := &p.planned[j]; causeNamed(&planned.Spec, name) != nil {
				causing = append(causing, planned)
				plan.Patience = max(plan.Patience, patienceWith(planned))
				if len(plan.Grants) < maxRows {
					plan.Grants = append(plan.Grants, v1alpha1.LocalName(planned.Name))
				}
			}
		}
		if meta.FindStatusCondition(p.Completions[i].Status.Conditions, v1alpha1.ConditionReady) == nil {
			// It says nothing yet, which is less than that its Grant is rendered anew.
			plan.Patience = min(plan.Patience, patience)
		}
		plan.Verdict = verdict(plan.Policies, causing)
		if p.ahead(&p.Completions[i]) {
			plan.Verdict = tooFarAhead(&p.Completions[i].Spec)
		}
		if plan.Verdict.Stalled {
			plan.Patience = 0
		}
		plans = append(plans, plan)
	}
	return plans
}

// verdict sums up a completion: what failed for good first, then what is still on its way.
func verdict(rows []v1alpha1.PolicyResult, causing []*Planned) condition.Verdict {
	for _, row := range rows {
		if row.Outcome == v1alpha1.OutcomeFailed {
			return condition.Verdict{Stalled: true, Reason: v1alpha1.ReasonPolicyFailed,
				Message: cut(fmt.Sprintf("policy %s: %s", row.Policy, row.Message))}
		}
	}
	active, ended := 0, 0
	for _, planned := range causing {
		ready := readyOf(planned)
		switch {
		case ready == nil:
			return condition.Verdict{Reconciling: true, Reason: v1alpha1.ReasonProgressing,
				Message: fmt.Sprintf("grant %s is being provisioned", planned.Name)}
		case ready.Status != metav1.ConditionTrue:
			return condition.Verdict{Reconciling: true, Reason: v1alpha1.ReasonGrantNotReady,
				Message: cut(fmt.Sprintf("grant %s: %s: %s", planned.Name, ready.Reason, ready.Message))}
		case planned.Existing.Status.Phase == v1alpha1.GrantActive:
			active++
		default:
			ended++
		}
	}
	switch {
	case active > 0 && ended == 0:
		return condition.Verdict{Ready: true, Reason: v1alpha1.ReasonGranted,
			Message: fmt.Sprintf("grants in place: %d", active)}
	case active > 0:
		return condition.Verdict{Ready: true, Reason: v1alpha1.ReasonGranted,
			Message: fmt.Sprintf("grants in place: %d; ended: %d", active, ended)}
	case ended > 0:
		return condition.Verdict{Ready: true, Reason: v1alpha1.ReasonEnded, Message: "everything that was granted has ended"}
	case slices.ContainsFunc(rows, func(r v1alpha1.PolicyResult) bool { return r.Outcome == v1alpha1.OutcomeNotGranted }):
		return condition.Verdict{Ready: true, Reason: v1alpha1.ReasonNothingGranted,
			Message: "nothing was granted: see status.policies"}
	default:
		return condition.Verdict{Ready: true, Reason: v1alpha1.ReasonNothingMatched,
			Message: "no policy matches"}
	}
}
