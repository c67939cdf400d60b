// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"time"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// Standing is how far the end of a Grant has come.
type Standing int

const (
	// Unapproved means that the holder is to have nothing until a person approves it.
	Unapproved Standing = -1
	// Entitled means that the holder is to have everything.
	Entitled Standing = iota
	// AccessOver means that access and seats are to go, and data is to stay.
	AccessOver
	// DataOver means that data is to go too.
	DataOver
)

// End is where a Grant stands at a moment, and when that changes.
type End struct {
	Standing Standing
	// Revoked reports that a person's override has ended it.
	Revoked bool
	// Held reports that access is over but for the brake, which has to let it through first: the holder keeps what there
	// is and gets nothing new.
	Held bool
	// Next is when the standing changes by itself; zero if it does not.
	Next time.Time
}

// EndOf works out where a Grant stands from what it records alone: it works when the policy is broken or gone. The
// grace days count from when access was really taken away if that came late.
func EndOf(grant *v1alpha1.Grant, now time.Time) End {
	accessEnds, known := accessEnd(grant, now)
	if !known {
		return End{Standing: entitledOr(grant)}
	}
	if now.Before(accessEnds) {
		return End{Standing: entitledOr(grant), Next: accessEnds}
	}
	if held(grant) {
		return End{Standing: Entitled, Held: true}
	}
	end := End{Standing: AccessOver, Revoked: revoked(grant)}
	taken := now
	if grant.Status.AccessEndedAt != nil {
		taken = grant.Status.AccessEndedAt.Time
	}
	dataEnds := after(taken, days(grant.Spec.Lifetime.Grace()))
	planned := grant.Spec.DataEndsAt
	if grant.Spec.Override.Until == nil && !end.Revoked && planned != nil && dataEnds.Before(planned.Time) {
		dataEnds = planned.Time
	}
	if now.Before(dataEnds) {
		end.Next = dataEnds
		return end
	}
	end.Standing = DataOver
	return end
}

func entitledOr(grant *v1alpha1.Grant) Standing {
	override := grant.Spec.Override
	if grant.Spec.Approval == v1alpha1.ApprovalManual && override.Approved == nil && override.Until == nil {
		return Unapproved
	}
	return Entitled
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
