// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package policies

import (
	"slices"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// maxSeats is the greatest number of seats that a Grant asks for; the schema has the same bound.
const maxSeats = 16

// Seats returns the seats of a Grant: those that the policy says, and, unless it is to take back what it no longer
// says, those that it said before and that the Grant really has. A claim that has yet to be met goes with what the
// policy said, so that nobody waits for a pool that was named by mistake.
func (p *Policy) Seats(existing *v1alpha1.Grant) []v1alpha1.GrantedSeat {
	var seats []v1alpha1.GrantedSeat
	for _, seat := range p.Spec.Seats {
		seats = append(seats, v1alpha1.GrantedSeat(seat))
	}
	if existing == nil || p.Spec.OnPolicyRemoval == v1alpha1.RemovalDelete {
		return seats
	}
	for _, seat := range existing.Spec.Seats {
		has := slices.ContainsFunc(existing.Status.Seats, func(held v1alpha1.HeldSeat) bool { return held.Pool == seat.Pool })
		if has && !slices.Contains(seats, seat) && len(seats) < maxSeats {
			seats = append(seats, seat)
		}
	}
	return seats
}
