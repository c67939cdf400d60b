/*
Copyright 2026 The Course Completion Operator Authors.

Licensed under the Apache License, Version 2.0 (the "License");
you may not use this file except in compliance with the License.
You may obtain a copy of the License at

    http://www.apache.org/licenses/LICENSE-2.0

Unless required by applicable law or agreed to in writing, software
distributed under the License is distributed on an "AS IS" BASIS,
WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
See the License for the specific language governing permissions and
limitations under the License.
*/

package plan

import (
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// maxRows is the greatest number of policies and of grants in the status of a completion; the schema has the same
// bound.
const maxRows = 256

// CompletionPlan is what one completion is told.
type CompletionPlan struct {
	// Name of the CourseCompletion.
	Name string
	// Policies has a row for each policy, ordered by name.
	Policies []v1alpha1.PolicyResult
	// Grants are the names of the Grants that the completion is a cause of, ordered.
	Grants []v1alpha1.LocalName
	// Verdict sums it up.
	Verdict Verdict
	// Settled reports that the Grants are as they will be for now: writing the status before would mean writing it again.
	Settled bool
}

// Verdict is the trio of conditions that kstatus reads.
type Verdict struct {
	Ready       bool
	Reconciling bool
	Stalled     bool
	// Reason and Message are those of Ready.
	Reason  string
	Message string
}

// report adds a row for a policy to each completion that it considered.
func (p *planning) report(policy *Policy, candidates []candidate, planned *Planned) {
	for _, c := range candidates {
		if !c.named {
			continue
		}
		row := p.row(policy, c, planned)
		row.Policy = v1alpha1.LocalName(policy.Name)
		p.results[c.completion.Name] = append(p.results[c.completion.Name], row)
	}
}

func (p *planning) row(policy *Policy, c candidate, planned *Planned) v1alpha1.PolicyResult {
	var cause *v1alpha1.GrantCause
	row := v1alpha1.PolicyResult{}
	if planned != nil {
		if cause = causeNamed(&planned.Spec, c.completion.Name); cause != nil {
			row.Grant = v1alpha1.LocalName(planned.Name)
		}
	}
	switch {
	case policy.Suspended() && cause == nil:
		row.Outcome, row.Reason, row.Message = v1alpha1.OutcomeNotGranted, v1alpha1.ReasonSuspended, "the policy is suspended"
	case c.err != nil:
		row.Outcome, row.Reason, row.Message = v1alpha1.OutcomeFailed, v1alpha1.ReasonPolicyFailed, cut(c.err.Error())
	case !policy.Ready() && cause == nil:
		row.Outcome, row.Reason = v1alpha1.OutcomeFailed, v1alpha1.ReasonInvalidPolicy
		row.Message = "the policy is not Ready: see its conditions"
	case cause == nil && !c.matched:
		row.Outcome = v1alpha1.OutcomeNotMatched
	case cause == nil:
		ended := causeOf(c.completion, policy.Spec.Lifetime, p.Zone, nil)
		row.Outcome, row.Reason = v1alpha1.OutcomeNotGranted, string(ended.End)
		row.Message = "it matches, but what it would entitle to has ended already"
	case !live(cause, p.Now):
		row.Outcome, row.Reason = v1alpha1.OutcomeNotGranted, string(cause.End)
		row.Message = "what it entitled to has ended"
		if string(planned.Spec.Revokes.Completion) == c.completion.Name {
			row.Message += "; what it took away stays taken away"
		}
	default:
		row.Outcome = v1alpha1.OutcomeGranted
		row.Reason, row.Message = standingOf(planned)
	}
	return row
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

// settled reports whether a Grant has come to rest for now.
func settled(planned *Planned) bool {
	return readyOf(planned) != nil && planned.Existing.Status.Phase != v1alpha1.GrantPending &&
		planned.Existing.DeletionTimestamp.IsZero()
}

func (p *planning) completionPlans() []CompletionPlan {
	plans := make([]CompletionPlan, 0, len(p.Completions))
	for i := range p.Completions {
		name := p.Completions[i].Name
		plan := CompletionPlan{Name: name, Policies: p.results[name], Settled: true}
		if len(plan.Policies) > maxRows {
			plan.Policies = plan.Policies[:maxRows]
		}
		var causing []*Planned
		for j := range p.planned {
			if planned := &p.planned[j]; causeNamed(&planned.Spec, name) != nil {
				causing = append(causing, planned)
				plan.Settled = plan.Settled && settled(planned)
				if len(plan.Grants) < maxRows {
					plan.Grants = append(plan.Grants, v1alpha1.LocalName(planned.Name))
				}
			}
		}
		plan.Verdict = verdict(plan.Policies, causing)
		plans = append(plans, plan)
	}
	return plans
}

// verdict sums up a completion: what failed for good first, then what is still on its way.
func verdict(rows []v1alpha1.PolicyResult, causing []*Planned) Verdict {
	for _, row := range rows {
		if row.Outcome == v1alpha1.OutcomeFailed {
			return Verdict{Stalled: true, Reason: v1alpha1.ReasonPolicyFailed,
				Message: cut(fmt.Sprintf("policy %s: %s", row.Policy, row.Message))}
		}
	}
	active, ended := 0, 0
	for _, planned := range causing {
		ready := readyOf(planned)
		switch {
		case ready == nil:
			return Verdict{Reconciling: true, Reason: v1alpha1.ReasonProgressing,
				Message: fmt.Sprintf("grant %s is being put in place", planned.Name)}
		case ready.Status != metav1.ConditionTrue:
			return Verdict{Reconciling: true, Reason: v1alpha1.ReasonGrantNotReady,
				Message: cut(fmt.Sprintf("grant %s: %s: %s", planned.Name, ready.Reason, ready.Message))}
		case planned.Existing.Status.Phase == v1alpha1.GrantActive:
			active++
		default:
			ended++
		}
	}
	switch {
	case active > 0 && ended == 0:
		return Verdict{Ready: true, Reason: v1alpha1.ReasonGranted, Message: fmt.Sprintf("grants in place: %d", active)}
	case active > 0:
		return Verdict{Ready: true, Reason: v1alpha1.ReasonGranted,
			Message: fmt.Sprintf("grants in place: %d; ended: %d", active, ended)}
	case ended > 0:
		return Verdict{Ready: true, Reason: v1alpha1.ReasonEnded, Message: "everything that was granted has ended"}
	case slices.ContainsFunc(rows, func(r v1alpha1.PolicyResult) bool { return r.Outcome == v1alpha1.OutcomeNotGranted }):
		return Verdict{Ready: true, Reason: v1alpha1.ReasonNothingGranted,
			Message: "policies match, but there is nothing to grant: see status.policies"}
	default:
		return Verdict{Ready: true, Reason: v1alpha1.ReasonNothingMatched,
			Message: fmt.Sprintf("policies looked at: %d; none matches", len(rows))}
	}
}
