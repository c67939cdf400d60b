// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package lifecycle

import (
	"time"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

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
