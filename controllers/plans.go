// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"sync"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// plans notes what this process planned each Grant with. Data is only deleted under a plan that is not outdated: after
// a start, or while many wait to be planned, a Grant may record an end that no longer holds.
type plans struct {
	mu    sync.Mutex
	basis map[client.ObjectKey]basis
}

// basis is what a Grant was planned with, beside the completions, which tell by themselves whether they were planned.
type basis struct {
	policy                types.UID
	policyGeneration      int64
	institution           types.UID
	institutionGeneration int64
}

// basisOf returns the basis for an institution and a policy, which is nil where it has gone.
func basisOf(institution *v1alpha1.Institution, policy *v1alpha1.CompletionPolicy) basis {
	b := basis{institution: institution.UID, institutionGeneration: institution.Generation}
	if policy != nil {
		b.policy, b.policyGeneration = policy.UID, policy.Generation
	}
	return b
}

func (p *plans) note(grant client.ObjectKey, b basis) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.basis == nil {
		p.basis = map[client.ObjectKey]basis{}
	}
	p.basis[grant] = b
}

// current reports whether a Grant was planned with this basis.
func (p *plans) current(grant client.ObjectKey, b basis) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	noted, found := p.basis[grant]
	return found && noted == b
}

func (p *plans) forget(grant client.ObjectKey) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.basis, grant)
}
