// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package lifecycle decides what is to become of a Grant: what its holder has now, when that ends, what completions
// revoke, and what the brake of an institution holds back. It is pure: what has to be known is passed in.
package lifecycle

import (
	"cmp"
	"fmt"
	"time"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/condition"
)

// Action is what a loop does with a Grant.
type Action string

const (
	// Wait does nothing: what is there stays.
	Wait Action = "Wait"
	// WaitUntold does nothing, and leaves the status as it is: nothing is known yet.
	WaitUntold Action = "WaitUntold"
	// AskBrake asks the brake to let a revocation through, and then decides again.
	AskBrake Action = "AskBrake"
	// Provide puts everything in place that the Grant says.
	Provide Action = "Provide"
	// EndAccess takes access and seats away; what becomes of the data is for DecideData.
	EndAccess Action = "EndAccess"
	// Confirm looks live at everything that may bring the Grant back, and then decides again.
	Confirm Action = "Confirm"
	// EndData deletes what is left in the inventory.
	EndData Action = "EndData"
)

// PausedMessage says that the brake holds something back, and how people let it go.
const PausedMessage = "more revocations are due than the institution's budget allows; its condition " +
	v1alpha1.ConditionRevocationsPaused + " says how to release them"

// Institution is what is known of the institution of a Grant.
type Institution struct {
	// Unknown tells that it is so new that nothing is known of it.
	Unknown bool
	// Reason and Message say why it cannot be worked with; empty where it can.
	Reason, Message string
	Suspended       bool
}

// Usable reports whether anything can be given, or taken by what a completion revokes.
func (i Institution) Usable() bool { return i.Reason == "" && !i.Suspended }

// Facts is what Decide looks at.
type Facts struct {
	Grant       *v1alpha1.Grant
	Institution Institution
	// Admitted is what the brake answered, to the revocations that it was asked about.
	Admitted map[v1alpha1.RevocationType]bool
	Now      time.Time
}

// Decision is what is to become of a Grant.
type Decision struct {
	Action Action
	// Revocation is what the brake is asked about.
	Revocation Revocation
	// Passed are the types of revocations of which nothing waits for the brake any more.
	Passed []v1alpha1.RevocationType
	// Phase and Verdict are what is told. Where the Action is Provide they are empty, because what comes of it is told,
	// unless something waits that matters more.
	Phase   v1alpha1.GrantPhase
	Verdict condition.Verdict
	// Note is added to what is told of a Grant that is in place.
	Note string
	// ResetEnd tells that the holder is to have access: an end that comes later has grace days of its own.
	ResetEnd bool
	// Next is when the Grant's state changes by itself; zero if it does not.
	Next time.Time
}

// Decide works out what is to become of a Grant that nobody deletes. It works from the Grant alone where its policy or
// its institution is missing.
func Decide(f Facts) Decision {
	state := StateOf(f.Grant, f.Now)
	decision := f.decide(state)
	decision.Next = state.Next
	return decision
}

func (f *Facts) decide(state State) Decision {
	if waits, stop := f.institution(state); stop {
		return waits
	}
	if state.Paused {
		return f.paused()
	}
	passed := []v1alpha1.RevocationType{v1alpha1.RevocationAccessEnd}
	switch state.Stage {
	case Active:
		return f.active(passed)
	case AwaitingApproval:
		return Decision{Action: EndAccess, Passed: passed, Phase: v1alpha1.GrantAwaitingApproval,
			Verdict: condition.Verdict{Reconciling: true, Reason: v1alpha1.ReasonAwaitingApproval,
				Message: "waiting for approval: set spec.override: {approved: true, reason: ...}"}}
	}
	return Decision{Action: EndAccess, Passed: append(passed, v1alpha1.RevocationEndForward), Phase: endedPhase(state)}
}

// institution decides what only depends on the institution, and reports whether it did. What a person revoked goes
// whatever has become of the institution, unless that is suspended.
func (f *Facts) institution(state State) (Decision, bool) {
	switch {
	case f.Institution.Unknown && !state.Revoked:
		return Decision{Action: WaitUntold}, true
	case f.Institution.Reason != "" && !state.Revoked:
		return f.wait(condition.Verdict{Reconciling: true, Reason: f.Institution.Reason,
			Message: f.Institution.Message}), true
	case f.Institution.Suspended:
		return Decision{Action: Wait, Phase: v1alpha1.GrantSuspended, Verdict: condition.Verdict{Reconciling: true,
			Reason:  v1alpha1.ReasonSuspended,
			Message: "the institution is suspended: nothing is granted or revoked"}}, true
	}
	return Decision{}, false
}

// paused decides what becomes of a Grant whose end waits for the brake: what the holder has is kept, and corrected
// where it drifts. What is recorded to have nothing gets nothing.
func (f *Facts) paused() Decision {
	if _, asked := f.Admitted[v1alpha1.RevocationAccessEnd]; !asked {
		return Decision{Action: AskBrake, Revocation: EndRevocation(f.Grant)}
	}
	ends := f.Grant.Spec.AccessEndsAt.UTC().Format(time.RFC3339)
	waits := f.wait(PausedVerdict("the end of access at " + ends + " is paused"))
	if len(f.Grant.Status.Inventory) > 0 || len(f.Grant.Spec.Namespaces)+len(f.Grant.Spec.Objects) == 0 {
		waits.Action, waits.Phase = Provide, ""
	}
	return waits
}

// active decides for a Grant whose holder is to have everything. A planned Grant that says nothing yet has to be filled
// in first.
func (f *Facts) active(passed []v1alpha1.RevocationType) Decision {
	provide := Decision{Action: Provide, Passed: passed, ResetEnd: true}
	admitted, asked := f.Admitted[v1alpha1.RevocationEndForward]
	switch {
	case f.Institution.Reason != "" || !ForwardWaits(f.Grant):
		provide.Passed = append(passed, v1alpha1.RevocationEndForward)
	case !asked:
		return Decision{Action: AskBrake, Passed: passed, Revocation: ForwardRevocation(f.Grant)}
	case !admitted:
		provide.Note = fmt.Sprintf("; a delivery moved its end forward to %s, which is paused: %s",
			f.Grant.Spec.AccessEndsAt.UTC().Format(time.RFC3339), PausedMessage)
	}
	if f.unfilled() {
		waits := f.wait(condition.Verdict{Reconciling: true, Reason: v1alpha1.ReasonProgressing,
			Message: fmt.Sprintf("waiting for policy %s to fill in what the grant gives: the policy must exist, be Ready, not "+
				"be suspended, and match a completion of spec.causes", f.Grant.Spec.Policy)})
		waits.Passed, waits.Phase, waits.ResetEnd = provide.Passed, v1alpha1.GrantPending, true
		return waits
	}
	return provide
}

func (f *Facts) unfilled() bool {
	grant := f.Grant
	return len(grant.Spec.Namespaces)+len(grant.Spec.Seats)+len(grant.Spec.Objects) == 0 &&
		grant.Planned() && !grant.Revokes() && len(grant.Status.Inventory) == 0
}

func (f *Facts) wait(verdict condition.Verdict) Decision {
	return Decision{Action: Wait, Phase: PhaseOrPending(f.Grant), Verdict: verdict}
}

// PhaseOrPending returns the phase that a Grant is in: Pending where it has none yet.
func PhaseOrPending(grant *v1alpha1.Grant) v1alpha1.GrantPhase {
	return cmp.Or(grant.Status.Phase, v1alpha1.GrantPending)
}

// PausedVerdict tells what the brake holds back.
func PausedVerdict(what string) condition.Verdict {
	return condition.Verdict{Reconciling: true, Reason: v1alpha1.ReasonRevocationPaused,
		Message: what + ": " + PausedMessage}
}

func endedPhase(state State) v1alpha1.GrantPhase {
	if state.Revoked {
		return v1alpha1.GrantRevoked
	}
	return v1alpha1.GrantEnded
}

// Foresee returns what the loop does with a Grant at a moment, as long as its institution can be worked with, and
// before the brake is asked. It is for those who say what will happen, or why something is so.
func Foresee(grant *v1alpha1.Grant, at time.Time) Decision {
	return Decide(Facts{Grant: grant, Now: at})
}

// Provides reports whether the holder is to have what the Grant says, also where that has yet to be filled in, at least
// until the brake has been asked.
func (d Decision) Provides() bool { return d.ResetEnd || d.Action == Provide || d.Action == AskBrake }

// Asks reports whether the brake is asked about a revocation of a type.
func (d Decision) Asks(kind v1alpha1.RevocationType) bool {
	return d.Action == AskBrake && d.Revocation.Type == kind
}

// DataGoes reports whether the data of a Grant goes at a moment: its access has ended, its grace days have passed, and
// nothing but a live look may still keep it.
func DataGoes(grant *v1alpha1.Grant, beside []v1alpha1.Grant, at time.Time) bool {
	switch DecideData(DataFacts{Grant: grant, Beside: beside, Now: at}).Action {
	case Confirm, EndData:
		return true
	}
	return false
}
