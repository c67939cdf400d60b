// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package flow

import (
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/lifecycle"
)

// What becomes of Grants, as the label change says it.
const (
	changeMade    = "made"
	changeActive  = "active"
	changeEnded   = "ended"
	changeRevoked = "revoked"
)

// grantRecord is what is kept of a Grant.
type grantRecord struct {
	tenant tenantKey
	policy string
	phase  v1alpha1.GrantPhase
	// ends is when access ends by itself; zero where it does not, or has ended.
	ends time.Time
	// had tells that everything has been in place since the Grant was made, or was last given back.
	had bool
	// delivered is when the delivery came that the Grant was made for, until it is in place or has to wait for something
	// else. Zero where that is not measured.
	delivered time.Time
}

func (f *Flow) grantSeen(grant *v1alpha1.Grant, came how) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now, key := f.clock.Now(), client.ObjectKeyFromObject(grant)
	phase := grant.Status.Phase
	if phase == "" {
		phase = v1alpha1.GrantPending
	}
	record := f.grants[key]
	if record == nil {
		record = f.begin(grant, came)
		f.grants[key] = record
		record.had = phase == v1alpha1.GrantActive && came == found
	} else {
		f.leave(record)
	}
	known := f.of(record.tenant)
	for _, change := range changesOf(record, phase) {
		known.changes[changeKey{known.policyLabel(record.policy), change}]++
	}
	f.measure(record, phase, now)
	record.phase, record.ends = phase, endOf(grant, now)
	known.phases[phase]++
}

// begin returns the record of a Grant that was not known.
func (f *Flow) begin(grant *v1alpha1.Grant, came how) *grantRecord {
	record := &grantRecord{
		tenant: tenantKey{grant.Namespace, grant.Spec.Holder.InstitutionID},
		policy: string(grant.Spec.Policy),
	}
	if came == found {
		record.phase = grant.Status.Phase
		return record
	}
	known := f.of(record.tenant)
	known.changes[changeKey{known.policyLabel(record.policy), changeMade}]++
	if grant.Planned() && grant.Spec.Approval != v1alpha1.ApprovalManual {
		record.delivered = f.deliveredFor(grant)
	}
	return record
}

// deliveredFor returns when the delivery came that a Grant was made for: the latest that nobody had looked at before.
// Where there is none, the Grant was made for another reason, such as a policy that is new.
func (f *Flow) deliveredFor(grant *v1alpha1.Grant) time.Time {
	var latest time.Time
	for i := range grant.Spec.Causes {
		completion := types.NamespacedName{
			Namespace: grant.Namespace, Name: string(grant.Spec.Causes[i].Completion)}
		if at := f.unplanned[completion]; at.After(latest) {
			latest = at
		}
	}
	return latest
}

// changesOf returns what happened to a Grant, going by the phase that it has now.
func changesOf(before *grantRecord, phase v1alpha1.GrantPhase) []string {
	switch {
	case phase == before.phase:
		return nil
	case phase == v1alpha1.GrantActive && !before.had:
		before.had = true
		return []string{changeActive}
	case phase == v1alpha1.GrantRevoked:
		before.had = false
		return []string{changeRevoked}
	case phase == v1alpha1.GrantEnded && before.phase != v1alpha1.GrantRevoked:
		before.had = false
		return []string{changeEnded}
	}
	return nil
}

// measure notes how long it took until a Grant is in place. Where it waits for others, nothing is measured.
func (f *Flow) measure(record *grantRecord, phase v1alpha1.GrantPhase, now time.Time) {
	if record.delivered.IsZero() || phase == v1alpha1.GrantPending {
		return
	}
	if phase == v1alpha1.GrantActive {
		f.granted.Observe(max(0, now.Sub(record.delivered).Seconds()))
	}
	record.delivered = time.Time{}
}

// endOf returns when the access of a Grant ends by itself.
func endOf(grant *v1alpha1.Grant, now time.Time) time.Time {
	if phase := grant.Status.Phase; phase != v1alpha1.GrantActive && phase != v1alpha1.GrantSuspended {
		return time.Time{}
	}
	state := lifecycle.StateOf(grant, now)
	if state.Stage != lifecycle.Active {
		return time.Time{}
	}
	return state.Next
}

// leave takes a Grant out of the counts by phase.
func (f *Flow) leave(record *grantRecord) {
	known := f.of(record.tenant)
	if known.phases[record.phase]--; known.phases[record.phase] <= 0 {
		delete(known.phases, record.phase)
	}
}

func (f *Flow) grantGone(grant *v1alpha1.Grant) {
	f.mu.Lock()
	defer f.mu.Unlock()
	key := client.ObjectKeyFromObject(grant)
	record := f.grants[key]
	if record == nil {
		return
	}
	f.leave(record)
	if record.phase == v1alpha1.GrantActive || record.phase == v1alpha1.GrantSuspended {
		known := f.of(record.tenant)
		known.changes[changeKey{known.policyLabel(record.policy), changeEnded}]++
	}
	delete(f.grants, key)
	f.release(record.tenant)
}
