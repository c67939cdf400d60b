// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"testing"

	. "github.com/onsi/gomega"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// What no Grant of a policy could have is said when the policy is written, and not by each Grant.
func TestPolicyIsToldBeforehandWhatCannotBeGranted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, tc := range map[string]struct {
		policy *PolicyWrapper
		reason string
		says   []string
	}{
		"a role that nobody may bind": {MakePolicy(w, "role").Namespace(w.name("a-${user.id}")).Role("edit"),
			v1alpha1.ReasonForbidden, []string{"spec.namespaces[0].access[0].clusterRole", "ClusterRole edit", "verb bind"}},
		"a pool that does not exist": {MakePolicy(w, "pool").Seat("nowhere"),
			v1alpha1.ReasonPoolMissing, []string{"spec.seats[0].pool", "SeatPool nowhere does not exist"}},
		"another prefix": {MakePolicy(w, "prefix").Namespace("zz-${user.id}"),
			v1alpha1.ReasonRefused, []string{"spec.namespaces[0].name", w.prefix}},
		"a negative quota": {MakePolicy(w, "negative").Namespace(w.name("b-${user.id}")).Quota("count/pods", "-1"),
			v1alpha1.ReasonRefused, []string{"spec.namespaces[0]", "count/pods", "must be greater than or equal to 0"}},
		"a part of a pod": {MakePolicy(w, "part").Namespace(w.name("c-${user.id}")).Quota("pods", "1.5"),
			v1alpha1.ReasonRefused, []string{"spec.namespaces[0]", "pods", "integer"}},
		"a least value over the greatest": {MakePolicy(w, "order").Namespace(w.name("d-${user.id}")).
			Limit(v1alpha1.LimitTemplate{Type: "Container", Min: memoryQuota("2Gi"), Max: memoryQuota("1Gi")}),
			v1alpha1.ReasonRefused, []string{"spec.namespaces[0]", "min", "memory"}},
		"nothing": {MakePolicy(w, "nothing").Namespace(w.name("e-${user.id}")).Quota("requests.memory", "8589934592"),
			v1alpha1.ReasonReady, []string{"everything that can be checked in advance is in place"}},
	} {
		t.Run(name, func(t *testing.T) {
			w, g := w.in(t), NewWithT(t)
			policy := tc.policy.Obj()
			w.create(policy)
			condition := w.awaitAccess(policy, tc.reason)
			for _, says := range tc.says {
				g.Expect(condition.Message).To(ContainSubstring(says))
			}
		})
	}
}

func memoryQuota(value v1alpha1.QuantityTemplate) map[string]v1alpha1.QuantityTemplate {
	return map[string]v1alpha1.QuantityTemplate{"memory": value}
}

func (w *world) name(rest string) v1alpha1.Template { return v1alpha1.Template(w.prefix + rest) }

func (p *PolicyWrapper) Role(name string) *PolicyWrapper {
	p.Spec.Namespaces[0].Access[0].ClusterRole = name
	return p
}

func (p *PolicyWrapper) Quota(name string, value v1alpha1.QuantityTemplate) *PolicyWrapper {
	p.Spec.Namespaces[0].ResourceQuota.Hard = map[string]v1alpha1.QuantityTemplate{name: value}
	return p
}

func (p *PolicyWrapper) Limit(limit v1alpha1.LimitTemplate) *PolicyWrapper {
	p.Spec.Namespaces[0].Limits = append(p.Spec.Namespaces[0].Limits, limit)
	return p
}
