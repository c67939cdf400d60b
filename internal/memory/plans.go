// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package memory

import (
	"sync"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// Plans notes what this process planned each Grant with. Data is only deleted under a plan that is not outdated: after
// a start, or while many wait to be planned, a Grant may record an end that no longer holds. A restart loses it, and
// then no data is deleted before its Grant has been planned again.
type Plans struct {
	mu    sync.Mutex
	basis map[client.ObjectKey]Basis
}

// Basis is what a Grant was planned with, beside the completions, which tell by themselves whether they were planned.
type Basis struct {
	policy                types.UID
	policyGeneration      int64
	institution           types.UID
	institutionGeneration int64
}

// BasisOf returns the basis for an institution and a policy, which is nil where it has gone.
func BasisOf(institution *v1alpha1.Institution, policy *v1alpha1.CompletionPolicy) Basis {
	b := Basis{institution: institution.UID, institutionGeneration: institution.Generation}
	if policy != nil {
		b.policy, b.policyGeneration = policy.UID, policy.Generation
	}
	return b
}

// Note notes what a Grant was planned with.
func (p *Plans) Note(grant client.ObjectKey, b Basis) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.basis == nil {
		p.basis = map[client.ObjectKey]Basis{}
	}
	p.basis[grant] = b
}

// Current reports whether a Grant was planned with this basis.
func (p *Plans) Current(grant client.ObjectKey, b Basis) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	noted, found := p.basis[grant]
	return found && noted == b
}

// Forget forgets a Grant that has gone, or that could not be planned.
func (p *Plans) Forget(grant client.ObjectKey) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.basis, grant)
}
