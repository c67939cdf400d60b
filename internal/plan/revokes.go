// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/lifecycle"
	"github.com/lxp-dev/course-completion-operator/internal/order"
	"github.com/lxp-dev/course-completion-operator/internal/policies"
)

// revokes fills in what a Grant revokes: what the policy says, because of the newest completion that matches and that
// people let stand. It need not entitle to anything. Where nothing can be rendered anew, the Grant keeps what it has,
// as far as the policy, if there is one that works, still says so. It reports whether rendering went well.
func (p *planning) revokes(policy *policies.Policy, spec *v1alpha1.GrantSpec, candidates []candidate) bool {
	recorded := spec.Revokes
	if cause := causeNamed(spec, string(recorded.Completion)); cause == nil || ordered(cause) || !standing(spec) {
		recorded = v1alpha1.GrantRevocation{}
	}
	spec.Revokes = recorded
	if policy == nil || !policy.Ready() {
		return true
	}
	newest := newestThatRevokes(policy, spec, candidates)
	if !standing(spec) {
		newest = nil
	}
	if newest == nil || string(recorded.Completion) != newest.completion.Name &&
		order.Compare(lifecycle.RevocationKey(&recorded), order.Of(&newest.completion.Spec)) > 0 {
		spec.Revokes = policy.StillRevokes(recorded)
		return true
	}
	revokes, err := policy.Revokes(newest.completion)
	if err != nil {
		newest.err = err
		return false
	}
	spec.Revokes = revokes
	return true
}

func newestThatRevokes(policy *policies.Policy, spec *v1alpha1.GrantSpec, candidates []candidate) *candidate {
	if len(policy.Spec.Revoke.Seats)+len(policy.Spec.Revoke.Namespaces) == 0 {
		return nil
	}
	var newest *candidate
	for i := range candidates {
		c := &candidates[i]
		cause := causeNamed(spec, c.completion.Name)
		if !c.matched || cause == nil || ordered(cause) {
			continue
		}
		if newest == nil || order.Compare(order.Of(&c.completion.Spec), order.Of(&newest.completion.Spec)) > 0 {
			newest = c
		}
	}
	return newest
}
