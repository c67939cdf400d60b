// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package preview

import (
	"slices"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/lifecycle"
)

// Demand is what a change asks of the places that there are. Who gets them is not decided here.
type Demand struct {
	// Seats are the pools that a seat is asked of, and was not before; Frees are those that a seat comes back to.
	Seats, Frees []v1alpha1.LocalName
	// Namespaces is how many more there are to be.
	Namespaces int
}

// demand compares what a Grant asks for with what it did before.
func (p *Planner) demand(was, now *v1alpha1.Grant, after *state) Demand {
	var d Demand
	gave, gives := was != nil && p.gives(was), p.gives(now)
	revoked := lifecycle.RevokedFrom(now, after.begun, p.Now).Seats
	wants := func(seat v1alpha1.GrantedSeat) bool {
		_, lost := revoked[seat.Pool]
		return gives && !lost && slices.Contains(now.Spec.Seats, seat)
	}
	if gives {
		for _, seat := range now.Spec.Seats {
			if wants(seat) && (!gave || !slices.Contains(was.Spec.Seats, seat)) {
				d.Seats = append(d.Seats, seat.Pool)
			}
		}
		for i := range now.Spec.Namespaces {
			name := now.Spec.Namespaces[i].Name
			if was == nil || namespaceOf(was, name) == nil && !hasNamespace(was, name) {
				d.Namespaces++
			}
		}
	}
	if was != nil {
		for _, held := range was.Status.Seats {
			if seat := (v1alpha1.GrantedSeat{Pool: held.Pool}); !wants(seat) {
				d.Frees = append(d.Frees, held.Pool)
			}
		}
	}
	return d
}

// Room is what a change asks of a pool in all.
type Room struct{ Asks, Frees int }

// room adds what a change asks for.
func (s *Summary) room(d Demand) {
	at := func(pool v1alpha1.LocalName) *Room {
		if s.Rooms[pool] == nil {
			s.Rooms[pool] = &Room{}
		}
		return s.Rooms[pool]
	}
	for _, pool := range d.Seats {
		at(pool).Asks++
	}
	for _, pool := range d.Frees {
		at(pool).Frees++
	}
}

// Waits is how many of those who ask anew would wait for a seat of a pool: who waits already goes first.
func (r Room) Waits(pool *v1alpha1.SeatPool) int {
	if pool == nil {
		return r.Asks
	}
	number := func(n *int32) int {
		if n == nil {
			return 0
		}
		return int(*n)
	}
	free := number(pool.Spec.Capacity) - number(pool.Status.Taken) + r.Frees - number(pool.Status.Waiting)
	return r.Asks - min(max(free, 0), r.Asks)
}
