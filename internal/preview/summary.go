// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package preview

import (
	"cmp"
	"slices"
	"time"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/lifecycle"
)

// first is how many Grants of a kind of change are listed.
const first = 20

// Row is what happens to one Grant.
type Row struct {
	User  v1alpha1.PlatformID `json:"user"`
	Grant string              `json:"grant"`
	What  []string            `json:"what,omitempty"`
}

// Tally is what happens to the Grants of one kind of change.
type Tally struct {
	Grants int `json:"grants"`
	Users  int `json:"users"`
	// First are the first by user.
	First []Row `json:"first,omitempty"`

	last v1alpha1.GrantHolder
}

func (t *Tally) add(holder v1alpha1.GrantHolder, change *Change) {
	t.Grants++
	if t.last != holder {
		t.Users++
		t.last = holder
	}
	if len(t.First) < first {
		t.First = append(t.First, Row{holder.UserID, change.Grant, change.What})
	}
}

// Failing is what keeps a policy from granting, and because of how many completions.
type Failing struct {
	Policy      string `json:"policy"`
	Message     string `json:"message"`
	Completions int    `json:"completions"`
	// First is one of them.
	First string `json:"first"`
}

// maxFailing is how many different messages are kept.
const maxFailing = 20

// Brake is what the brake of an institution would make of a change.
type Brake struct {
	Institution v1alpha1.PlatformID `json:"institution"`
	Budget      int32               `json:"budget"`
	// CountedWithinHour is what counts already.
	CountedWithinHour int `json:"countedWithinHour"`
	// Tripped reports that it holds everything back already.
	Tripped bool `json:"tripped"`
	// Counts is what of the change counts at once, ForwardCounts what counts against the budget for ends that a delivery
	// brings forward, and CountsLater what counts when it falls due, within a day.
	Counts        int `json:"counts"`
	ForwardCounts int `json:"forwardCounts"`
	CountsLater   int `json:"countsLater"`
	// Goes is what it lets through at once, and Waits what waits for a person.
	Goes  int `json:"goes"`
	Waits int `json:"waits"`
	// Trips reports that the change makes it trip.
	Trips bool `json:"trips"`
}

// Summary is what a change does to everybody. Memory does not grow with how many these are.
type Summary struct {
	Gains   Tally
	Changes Tally
	Loses   Tally
	Failing []Failing
	// Unplanned is how many persons the operator has yet to plan as things are.
	Unplanned int
	// Example is the first Grant that is new, or else changes, or else ends, as it would be.
	Example     *v1alpha1.Grant
	ExampleKind Kind
	// Rooms is what is asked of each pool, and Namespaces how many more each institution is to have.
	Rooms      map[v1alpha1.LocalName]*Room
	Namespaces map[v1alpha1.PlatformID]int

	brakes map[v1alpha1.PlatformID]*braking
}

// braking is the brake of one institution while the persons go by. What counts is kept up to what trips it.
type braking struct {
	institution *v1alpha1.Institution
	brake       lifecycle.Brake
	asks        []ask
	result      Brake
}

type ask struct {
	grant      string
	revocation lifecycle.Revocation
}

// NewSummary returns an empty one.
func NewSummary() *Summary {
	return &Summary{Rooms: map[v1alpha1.LocalName]*Room{}, Namespaces: map[v1alpha1.PlatformID]int{},
		brakes: map[v1alpha1.PlatformID]*braking{}}
}

func (s *Summary) braking(institution *v1alpha1.Institution) *braking {
	b := s.brakes[institution.Spec.ID]
	if b == nil {
		status := &institution.Status.Brake
		b = &braking{institution: institution}
		b.brake.BrakeState = lifecycle.BrakeState{Trip: status.Trip, Released: status.ReleasedTrip}
		if status.ReleasedAt != nil {
			b.brake.ReleasedAt = status.ReleasedAt.Time
		}
		s.brakes[institution.Spec.ID] = b
	}
	return b
}

// Admitted notes what of a Grant's revocations counts already.
func (s *Summary) Admitted(institution *v1alpha1.Institution, grant *v1alpha1.Grant, now time.Time) {
	if len(grant.Status.Admissions) == 0 {
		return
	}
	b := s.braking(institution)
	b.brake.Note(grant.Name, grant.Status.Admissions, now)
	for _, admission := range grant.Status.Admissions {
		forward := admission.Type == v1alpha1.RevocationEndForward
		if !forward && admission.ReleasedTrip == "" && now.Sub(admission.At.Time) < time.Hour &&
			(b.brake.Released == "" || admission.At.After(b.brake.ReleasedAt)) {
			b.result.CountedWithinHour++
		}
	}
}

// Add adds what a change does to one person. Persons come by user.
func (s *Summary) Add(institution *v1alpha1.Institution, holder v1alpha1.GrantHolder, outcome Outcome) {
	if outcome.Unplanned {
		s.Unplanned++
	}
	for i := range outcome.Failures {
		s.fail(&outcome.Failures[i])
	}
	for i := range outcome.Changes {
		change := &outcome.Changes[i]
		s.tally(change.Kind).add(holder, change)
		s.example(change)
		s.count(institution, change)
		s.room(change.Demand)
		s.Namespaces[institution.Spec.ID] += change.Demand.Namespaces
	}
}

func (s *Summary) tally(kind Kind) *Tally {
	switch kind {
	case Gains:
		return &s.Gains
	case Loses:
		return &s.Loses
	}
	return &s.Changes
}

// Any reports whether anything would happen to anybody.
func (s *Summary) Any() bool { return s.Gains.Grants+s.Changes.Grants+s.Loses.Grants > 0 }

func (s *Summary) fail(failure *Failure) {
	i := slices.IndexFunc(s.Failing, func(f Failing) bool {
		return f.Policy == failure.Policy && f.Message == failure.Message
	})
	switch {
	case i >= 0:
		s.Failing[i].Completions++
	case len(s.Failing) < maxFailing:
		s.Failing = append(s.Failing, Failing{failure.Policy, failure.Message, 1, failure.Completion})
	}
}

func (s *Summary) example(change *Change) {
	rank := func(kind Kind) int { return slices.Index([]Kind{Loses, Changes, Gains}, kind) }
	if s.Example == nil || rank(change.Kind) > rank(s.ExampleKind) {
		s.Example, s.ExampleKind = change.After, change.Kind
	}
}

func (s *Summary) count(institution *v1alpha1.Institution, change *Change) {
	if len(change.Counts) == 0 && !change.CountsLater {
		return
	}
	b := s.braking(institution)
	if change.CountsLater {
		b.result.CountsLater++
	}
	for _, revocation := range change.Counts {
		counts := &b.result.Counts
		if revocation.Type == v1alpha1.RevocationEndForward {
			counts = &b.result.ForwardCounts
		}
		if *counts++; *counts <= int(institution.Spec.Budget())+1 {
			b.asks = append(b.asks, ask{change.Grant, revocation})
		}
	}
}

// Brakes returns what the brakes would make of what was added, by institution.
func (s *Summary) Brakes(now time.Time) []Brake {
	var brakes []Brake
	for _, b := range s.brakes {
		brakes = append(brakes, b.ask(now))
	}
	slices.SortFunc(brakes, func(a, b Brake) int { return cmp.Compare(a.Institution, b.Institution) })
	return brakes
}

// ask puts everything to the brake, in one moment.
func (b *braking) ask(now time.Time) Brake {
	result := b.result
	result.Institution, result.Budget = b.institution.Spec.ID, b.institution.Spec.Budget()
	result.Tripped = b.brake.Trip != ""
	for _, ask := range b.asks {
		switch b.brake.Ask(ask.grant, ask.revocation, result.Budget, now) {
		case lifecycle.Exhausted:
			result.Trips = true
			b.brake.Trips("preview", now)
		case lifecycle.Counted, lifecycle.Free:
			result.Goes++
		}
	}
	result.Waits = result.Counts + result.ForwardCounts - result.Goes
	return result
}
