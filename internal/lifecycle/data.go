// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package lifecycle

import (
	"fmt"
	"slices"
	"time"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/condition"
)

// DataFacts is what DecideData looks at.
type DataFacts struct {
	// Grant is one whose access has been revoked; its status says what is left.
	Grant *v1alpha1.Grant
	// Seats is how many of its seats are still to be freed by their pools.
	Seats int
	// Beside are the Grants of the same holder, which may include the Grant itself.
	Beside []v1alpha1.Grant
	// AccessFirst tells that the access of others is being taken right now: data waits for that.
	AccessFirst bool
	// Confirmation is what was read live, nil where nothing was.
	Confirmation *Confirmation
	Now          time.Time
}

// DataDecision is what is to become of what is left of a Grant.
type DataDecision struct {
	// Action is Wait, Confirm or EndData.
	Action  Action
	Phase   v1alpha1.GrantPhase
	Verdict condition.Verdict
	// At is when to look again; zero where a watch tells, or where nothing is left to be done.
	At time.Time
	// Poll tells that nothing will say when what is waited for has come.
	Poll bool
}

// DecideData works out what is to become of the data of a Grant whose access has ended: it goes once the grace days
// have passed, unless it is to be retained, and under a plan that is current.
func DecideData(f DataFacts) DataDecision {
	state := StateOf(f.Grant, f.Now)
	phase := endedPhase(state)
	wait := func(verdict condition.Verdict) DataDecision {
		return DataDecision{Action: Wait, Phase: phase, Verdict: verdict}
	}
	left := len(f.Grant.Status.Inventory)
	switch {
	case f.Seats > 0:
		waits := wait(condition.Verdict{Reconciling: true, Reason: v1alpha1.ReasonTerminating,
			Message: fmt.Sprintf("freeing %d seats", f.Seats)})
		waits.Poll = true
		return waits
	case left > 0 && state.Stage != DataExpired:
		waits := wait(condition.Verdict{Ready: true, Reason: endedReason(state, v1alpha1.ReasonAccessEnded),
			Message: "access has ended; data is kept until " + state.Next.UTC().Format(time.RFC3339)})
		waits.At = state.Next
		return waits
	case f.Grant.Spec.OnRevoke == v1alpha1.RemovalRetain:
		return wait(condition.Verdict{Ready: true, Reason: endedReason(state, v1alpha1.ReasonEnded),
			Message: "access has ended; namespaces and objects are kept (onRevoke: Retain)"})
	case left == 0:
		return wait(condition.Verdict{Ready: true, Reason: endedReason(state, v1alpha1.ReasonEnded), Message: f.gone()})
	case f.AccessFirst:
		waits := wait(DeletingVerdict(f.Grant.Status.Inventory))
		waits.At = f.Now.Add(AccessFirstInterval)
		return waits
	case state.Revoked || !f.Grant.Planned():
		return DataDecision{Action: EndData, Phase: phase}
	case f.Confirmation == nil:
		return DataDecision{Action: Confirm, Phase: phase}
	}
	if doubt := f.Confirmation.Doubt(f.Grant); doubt != "" {
		waits := wait(condition.Verdict{Reconciling: true, Reason: v1alpha1.ReasonAccessEnded,
			Message: "access has ended; data is kept for now: " + doubt})
		waits.Poll = true
		return waits
	}
	return DataDecision{Action: EndData, Phase: phase}
}

// AccessFirstInterval is how soon after the access of one Grant that of the next is taken, where many end at once.
const AccessFirstInterval = time.Second

// DeletingVerdict tells of what is left of a Grant while it goes, from the moment that it is about to: the same all the
// time, so that it is written once.
func DeletingVerdict(left []v1alpha1.InventoryEntry) condition.Verdict {
	return condition.Verdict{Reconciling: true, Reason: v1alpha1.ReasonTerminating, Message: fmt.Sprintf(
		"%d objects are being deleted, %s %s among them", len(left), left[0].Kind, left[0].Name)}
}

func endedReason(state State, reason string) string {
	if state.Revoked {
		return v1alpha1.ReasonRevoked
	}
	return reason
}

func (f *DataFacts) gone() string {
	active := func(s Sharer) bool { return s.Active }
	if slices.ContainsFunc(SharersOf(f.Grant, f.Beside, f.Now), active) {
		return "everything that was provisioned is gone, except for what is shared with other grants of the user"
	}
	return "everything that was provisioned is gone"
}
