// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package lifecycle

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/moment"
)

var brakeNoon = time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC)

// ending makes a planned Grant whose access ended at noon, which was known for so long.
func ending(known time.Duration, edit ...func(*v1alpha1.Grant)) *v1alpha1.Grant {
	grant := &v1alpha1.Grant{Spec: v1alpha1.GrantSpec{
		Policy: "lab", Approval: v1alpha1.ApprovalAutomatic, Seats: []v1alpha1.GrantedSeat{{Pool: "room"}},
		AccessEndsAt: new(metav1.NewTime(brakeNoon)), EndKnownAt: new(metav1.NewMicroTime(brakeNoon.Add(-known))),
	}}
	for _, e := range edit {
		e(grant)
	}
	return grant
}

func TestWhichEndsWaitForTheBrake(t *testing.T) {
	t.Parallel()
	override := func(o v1alpha1.GrantOverride) func(*v1alpha1.Grant) {
		return func(g *v1alpha1.Grant) { g.Spec.Override = o }
	}
	for name, tc := range map[string]struct {
		grant *v1alpha1.Grant
		at    time.Time
		want  State
	}{
		"an end that was known when it fell due": {grant: ending(0), want: State{Stage: Active, Paused: true}},
		"an end that was known later still": {
			grant: ending(-time.Hour), want: State{Stage: Active, Paused: true}},
		"an end that was known for a second less than a day": {
			grant: ending(moment.Day - time.Second), want: State{Stage: Active, Paused: true}},
		"an end that was known for a day": {
			grant: ending(moment.Day), want: State{Stage: AccessExpired, Next: brakeNoon.Add(30 * moment.Day)}},
		"an end of which nobody knows since when it was known": {
			grant: ending(0, func(g *v1alpha1.Grant) { g.Spec.EndKnownAt = nil }), want: State{Stage: Active, Paused: true}},
		"an end that is yet to come": {grant: ending(0), at: brakeNoon.Add(-time.Second),
			want: State{Stage: Active, Next: brakeNoon}},
		"an end long ago": {grant: ending(0), at: brakeNoon.Add(1000 * moment.Day), want: State{Stage: Active, Paused: true}},
		"an end that was let through": {
			grant: ending(0, func(g *v1alpha1.Grant) { Admit(g, EndRevocation(g), brakeNoon, "") }),
			want:  State{Stage: AccessExpired, Next: brakeNoon.Add(30 * moment.Day)}},
		"another end than the one that was let through": {
			grant: ending(0, func(g *v1alpha1.Grant) {
				Admit(g, EndRevocation(g), brakeNoon, "")
				g.Spec.AccessEndsAt = new(metav1.NewTime(brakeNoon.Add(-time.Second)))
			}),
			want: State{Stage: Active, Paused: true}},
		"something else that was let through": {
			grant: ending(0, func(g *v1alpha1.Grant) {
				r := EndRevocation(g)
				r.Type = v1alpha1.RevocationNamespaces
				Admit(g, r, brakeNoon, "")
			}),
			want: State{Stage: Active, Paused: true}},
		"a person revoked it": {grant: ending(0, override(v1alpha1.GrantOverride{Revoked: new(true)})),
			want: State{Stage: AccessExpired, Revoked: true, Next: brakeNoon.Add(30 * moment.Day)}},
		"a person said until when": {
			grant: ending(0, override(v1alpha1.GrantOverride{Until: new(metav1.NewTime(brakeNoon))})),
			want:  State{Stage: AccessExpired, Next: brakeNoon.Add(30 * moment.Day)}},
		"a person approved it, which is no order to end it": {
			grant: ending(0, override(v1alpha1.GrantOverride{Approved: new(true)})), want: State{Stage: Active, Paused: true}},
		"nobody has approved it": {
			grant: ending(0, func(g *v1alpha1.Grant) { g.Spec.Approval = v1alpha1.ApprovalManual }),
			want:  State{Stage: AccessExpired, Next: brakeNoon.Add(30 * moment.Day)}},
		"it gives nothing, and only takes away": {grant: ending(0, func(g *v1alpha1.Grant) { g.Spec.Seats = nil }),
			want: State{Stage: AccessExpired, Next: brakeNoon.Add(30 * moment.Day)}},
		"it says nothing any more, and still has something": {
			grant: ending(0, func(g *v1alpha1.Grant) {
				g.Spec.Seats, g.Status.Inventory = nil, []v1alpha1.InventoryEntry{{Kind: "Namespace", Name: "grad-5"}}
			}), want: State{Stage: Active, Paused: true}},
		"a person made it": {grant: ending(0, func(g *v1alpha1.Grant) { g.Spec.Policy = "" }),
			want: State{Stage: AccessExpired, Next: brakeNoon.Add(30 * moment.Day)}},
		"its access was taken before, for another end": {
			grant: ending(0, func(g *v1alpha1.Grant) {
				g.Status.AccessEndedAt = new(metav1.NewTime(brakeNoon.Add(-moment.Day)))
			}),
			want: State{Stage: AccessExpired, Next: brakeNoon.Add(29 * moment.Day)}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			at := tc.at
			if at.IsZero() {
				at = brakeNoon
			}
			if diff := cmp.Diff(tc.want, StateOf(tc.grant, at)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// asked is one revocation that is put to the brake, and what it answers.
type asked struct {
	after time.Duration
	grant string
	of    string
	// known is how long before it was asked the revocation was known.
	known time.Duration
	want  Answer
}

func TestBrake(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		budget int32
		before func(b *Brake)
		asks   []asked
	}{
		"as many as the budget, and no more": {budget: 2, asks: []asked{
			{grant: "a", want: Counted}, {grant: "b", want: Counted}, {grant: "c", want: Exhausted}}},
		"the same one again is not counted again": {budget: 1, asks: []asked{
			{grant: "a", of: "x", want: Counted}, {grant: "a", of: "x", want: Counted}, {grant: "b", want: Exhausted}}},
		"the same one again goes on while the brake holds": {budget: 1, asks: []asked{
			{grant: "a", of: "x", want: Counted}, {grant: "b", want: Exhausted}, {grant: "a", of: "x", want: Counted}}},
		"another end of the same grant is the same grant": {budget: 1, asks: []asked{
			{grant: "a", of: "x", want: Counted}, {grant: "a", of: "y", want: Counted}, {grant: "b", want: Exhausted}}},
		"another end of the same grant waits while the brake holds": {budget: 1, asks: []asked{
			{grant: "a", of: "x", want: Counted}, {grant: "b", want: Exhausted}, {grant: "a", of: "y", want: Paused}}},
		"a second less than an hour still counts": {budget: 1, asks: []asked{
			{grant: "a", want: Counted}, {after: time.Hour - time.Second, grant: "b", want: Exhausted}}},
		"an hour later it does not": {budget: 1, asks: []asked{
			{grant: "a", want: Counted}, {after: time.Hour, grant: "b", want: Counted},
			{after: time.Hour - time.Second, grant: "c", want: Exhausted}}},
		"an hour later what is paused stays paused": {budget: 1, asks: []asked{
			{grant: "a", want: Counted}, {grant: "b", want: Exhausted}, {after: 2 * time.Hour, grant: "b", want: Paused}}},
		"no budget lets nothing through": {budget: 0, asks: []asked{
			{grant: "a", want: Exhausted}, {grant: "a", want: Paused}}},
		"what the grants record counts": {
			budget: 2, before: func(b *Brake) {
				b.Note("a", []v1alpha1.RevocationAdmission{{Type: v1alpha1.RevocationAccessEnd, Of: "x",
					At: metav1.NewMicroTime(brakeNoon.Add(-time.Minute))}}, brakeNoon)
			},
			asks: []asked{{grant: "b", want: Counted}, {grant: "c", want: Exhausted}}},
		"what was recorded over an hour ago, or was released, does not": {
			budget: 1, before: func(b *Brake) {
				b.Note("a", []v1alpha1.RevocationAdmission{{Type: v1alpha1.RevocationAccessEnd, Of: "x",
					At: metav1.NewMicroTime(brakeNoon.Add(-time.Hour))}}, brakeNoon)
				b.Note("b", []v1alpha1.RevocationAdmission{{Type: v1alpha1.RevocationAccessEnd, Of: "x",
					At: metav1.NewMicroTime(brakeNoon), ReleasedTrip: "trip-0"}}, brakeNoon)
			},
			asks: []asked{{grant: "c", want: Counted}}},
		"what was known at the release is free, what came after it counts from nought": {
			budget: 1, before: func(b *Brake) {
				b.Note("a", []v1alpha1.RevocationAdmission{{Type: v1alpha1.RevocationAccessEnd, Of: "x",
					At: metav1.NewMicroTime(brakeNoon.Add(-time.Minute))}}, brakeNoon)
				b.BrakeState = BrakeState{Released: "trip-1", ReleasedAt: brakeNoon}
			},
			asks: []asked{{grant: "b", known: 0, want: Free},
				{after: time.Minute, grant: "c", known: time.Minute, want: Free},
				{grant: "d", known: time.Minute - time.Microsecond, want: Counted}, {grant: "e", want: Exhausted},
				{grant: "f", known: time.Hour, want: Free}, {grant: "g", want: Paused}}},
		"after a restart while it holds nothing goes": {
			budget: 5, before: func(b *Brake) { b.BrakeState = BrakeState{Trip: "trip-1"} },
			asks: []asked{{grant: "a", want: Paused}}},
		"what was counted and not written down is taken back": {
			budget: 1, before: func(b *Brake) {
				r := Revocation{Type: v1alpha1.RevocationAccessEnd, Of: "x"}
				b.Ask("a", r, 1, brakeNoon)
				b.TakeBack("a", r)
			},
			asks: []asked{{grant: "b", want: Counted}}},
		"what was counted and could not be written down keeps its place": {
			budget: 1, before: unrecorded,
			asks: []asked{{grant: "b", want: Exhausted}, {grant: "a", of: "x", want: Counted}, {grant: "b", want: Paused}}},
		"another end of the same grant does not keep it": {
			budget: 1, before: unrecorded,
			asks: []asked{{grant: "a", of: "y", want: Counted}, {grant: "b", want: Exhausted}}},
		"nor does one that is wanted no more": {
			budget: 1, before: func(b *Brake) { unrecorded(b); b.Passes("a", v1alpha1.RevocationAccessEnd) },
			asks: []asked{{grant: "b", want: Counted}}},
		"what was written down stays counted": {
			budget: 1, before: func(b *Brake) {
				unrecorded(b)
				b.Ask("a", Revocation{Type: v1alpha1.RevocationAccessEnd, Of: "x"}, 1, brakeNoon)
				b.Passes("a", v1alpha1.RevocationAccessEnd)
			},
			asks: []asked{{grant: "b", want: Exhausted}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, now := &Brake{}, brakeNoon
			if tc.before != nil {
				tc.before(b)
			}
			for i, ask := range tc.asks {
				now = now.Add(ask.after)
				r := Revocation{Type: v1alpha1.RevocationAccessEnd, Of: ask.of, Known: now.Add(-ask.known)}
				got := b.Ask(ask.grant, r, tc.budget, now)
				if got != ask.want {
					t.Errorf("%d, grant %s: got %v, want %v", i, ask.grant, got, ask.want)
				}
				if got == Exhausted {
					b.Trips("trip", now)
				}
			}
		})
	}
}

// unrecorded counts a revocation that could not be written down.
func unrecorded(b *Brake) {
	r := Revocation{Type: v1alpha1.RevocationAccessEnd, Of: "x"}
	b.Ask("a", r, 1, brakeNoon)
	b.Unrecorded("a", r)
}

func TestWhatBecomesOfATrip(t *testing.T) {
	t.Parallel()
	tripped := BrakeState{Trip: "two", TrippedAt: brakeNoon, Released: "one", ReleasedAt: brakeNoon.Add(-time.Hour)}
	for name, tc := range map[string]struct {
		state            BrakeState
		endWaitsForBrake int32
		release          string
		want             BrakeState
		change           BrakeChange
	}{
		"nothing":                  {state: tripped, endWaitsForBrake: 3, want: tripped},
		"another trip is released": {state: tripped, endWaitsForBrake: 3, release: "one", want: tripped},
		"half a name":              {state: tripped, endWaitsForBrake: 3, release: "tw", want: tripped},
		"nothing is held any more": {state: tripped, change: BrakeOver,
			want: BrakeState{Released: "one", ReleasedAt: tripped.ReleasedAt}},
		"it is released": {state: tripped, endWaitsForBrake: 3, release: "two", change: BrakeReleased,
			want: BrakeState{Released: "two", ReleasedAt: brakeNoon}},
		"nothing holds":                {release: "two"},
		"nothing holds and no release": {},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, change := tc.state.Next(tc.endWaitsForBrake, tc.release, brakeNoon)
			if got != tc.want || change != tc.change {
				t.Errorf("got %+v (%v), want %+v (%v)", got, change, tc.want, tc.change)
			}
		})
	}
}
