// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package lifecycle

import (
	"time"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/moment"
)

// Stage is how far the end of a Grant has come.
type Stage int

const (
	// AwaitingApproval means that the holder is to have nothing until a person approves it.
	AwaitingApproval Stage = -1
	// Active means that the holder is to have everything.
	Active Stage = iota
	// AccessExpired means that access and seats are to go, and data is to stay.
	AccessExpired
	// DataExpired means that data is to go too.
	DataExpired
)

// State is where a Grant stands at a moment, and when that changes.
type State struct {
	Stage Stage
	// Revoked reports that a person's override has ended it.
	Revoked bool
	// Paused reports that access is over but for the brake, which has to let it through first: the holder keeps what there
	// is and gets nothing new.
	Paused bool
	// Next is when the standing changes by itself; zero if it does not.
	Next time.Time
}

// StateOf works out where a Grant stands from what it records alone: it works when the policy is broken or gone. The
// grace days count from when access was really revoked if that came late.
func StateOf(grant *v1alpha1.Grant, now time.Time) State {
	accessEnds, known := accessEnd(grant, now)
	if !known {
		return State{Stage: activeOr(grant)}
	}
	if now.Before(accessEnds) {
		return State{Stage: activeOr(grant), Next: accessEnds}
	}
	if endWaitsForBrake(grant) {
		return State{Stage: Active, Paused: true}
	}
	end := State{Stage: AccessExpired, Revoked: revoked(grant)}
	endedAt := now
	if grant.Status.AccessEndedAt != nil {
		endedAt = grant.Status.AccessEndedAt.Time
	}
	dataEnds := moment.After(endedAt, moment.Days(grant.Spec.Lifetime.Grace()))
	planned := grant.Spec.DataEndsAt
	if grant.Spec.Override.Until == nil && !end.Revoked && planned != nil && dataEnds.Before(planned.Time) {
		dataEnds = planned.Time
	}
	if now.Before(dataEnds) {
		end.Next = dataEnds
		return end
	}
	end.Stage = DataExpired
	return end
}

func activeOr(grant *v1alpha1.Grant) Stage {
	override := grant.Spec.Override
	if grant.Spec.Approval == v1alpha1.ApprovalManual && override.Approved == nil && override.Until == nil {
		return AwaitingApproval
	}
	return Active
}

func revoked(grant *v1alpha1.Grant) bool {
	override := grant.Spec.Override.Revoked
	return override != nil && *override
}

// accessEnd returns when access ends, if it does. What a person said in the override goes before what the planner
// recorded.
func accessEnd(grant *v1alpha1.Grant, now time.Time) (time.Time, bool) {
	until := grant.Spec.Override.Until
	switch {
	case revoked(grant):
		return now, true
	case until != nil:
		return until.Time, true
	case grant.Spec.AccessEndsAt != nil:
		return grant.Spec.AccessEndsAt.Time, true
	}
	return time.Time{}, false
}
