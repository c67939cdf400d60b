// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// What a clock that was ahead has dated neither opens the brake nor keeps shut what a person released.
func TestBrakeAfterAClockThatWasAhead(t *testing.T) {
	t.Parallel()
	end := func(of string, known time.Time) Revocation {
		return Revocation{Type: v1alpha1.RevocationAccessEnd, Of: of, Known: known}
	}
	t.Run("a release that is yet to come", func(t *testing.T) {
		t.Parallel()
		b := &Brake{BrakeState: BrakeState{Released: "trip-1", ReleasedAt: brakeNoon.Add(time.Hour)}}
		b.Note("a", []v1alpha1.RevocationAdmission{{Type: v1alpha1.RevocationAccessEnd, Of: "x",
			At: metav1.NewMicroTime(brakeNoon.Add(-time.Minute))}}, brakeNoon)
		if got := b.Ask("b", end("x", brakeNoon), 1, brakeNoon); got != Exhausted {
			t.Errorf("got %v, want that it opens nothing", got)
		}
	})
	t.Run("an end that is known from tomorrow on", func(t *testing.T) {
		t.Parallel()
		b := &Brake{}
		tomorrow := end("x", brakeNoon.Add(day))
		for _, grant := range []string{"a", "b", "c"} {
			got := b.Ask(grant, tomorrow, 0, brakeNoon)
			if got == Exhausted {
				b.Trips("trip-1", brakeNoon)
			} else if got != Paused {
				t.Fatalf("grant %s: got %v, want that it waits", grant, got)
			}
		}
		b.Passes("c", v1alpha1.RevocationAccessEnd)
		b.BrakeState, _ = b.Next(3, "trip-1", brakeNoon.Add(time.Minute))
		later := brakeNoon.Add(2 * time.Minute)
		if got := b.Ask("a", tomorrow, 0, later); got != Free {
			t.Errorf("what waited at the release: got %v, want that it goes", got)
		}
		if got := b.Ask("b", end("y", later), 0, later); got != Exhausted {
			t.Errorf("another end of what waited: got %v, want that it counts", got)
		}
		if got := b.Ask("c", tomorrow, 0, later); got != Exhausted {
			t.Errorf("what did not wait any more: got %v, want that it counts", got)
		}
		if got := b.Ask("d", tomorrow, 0, later); got != Exhausted {
			t.Errorf("what never waited: got %v, want that it counts", got)
		}
	})
}

// An edit that is taken back and made again is made anew: who was let through for the first one is asked for again.
func TestRepeatedEndIsAdmittedAnew(t *testing.T) {
	t.Parallel()
	w := newWorld(t, namespacePolicy())
	w.now = time.Date(2024, 3, 1, 12, 0, 0, 0, time.UTC)
	w.deliver(delivered("2024-01-10 10:00:00"))
	w.plan()
	policy := w.policies["graduates"]
	policy.Spec.Lifetime.MaxDays = 30
	w.plan()
	grant := &w.grants[0]
	ends := grant.Spec.AccessEndsAt.DeepCopy()
	Admit(grant, EndRevocation(grant), w.now, "")
	w.plan()
	if end := EndOf(&w.grants[0], w.now); end.Held {
		t.Fatal("what was let through is held")
	}
	for _, days := range []int32{0, 30} {
		w.now = w.now.Add(time.Minute)
		policy.Spec.Lifetime.MaxDays = days
		w.plan()
	}
	grant = &w.grants[0]
	if !grant.Spec.AccessEndsAt.Equal(ends) {
		t.Fatalf("access ends at %v, want %v as before", grant.Spec.AccessEndsAt, ends)
	}
	if len(grant.Status.Admissions) != 1 {
		t.Fatal("the admission is lost, and the test shows nothing")
	}
	if end := EndOf(grant, w.now); !end.Held {
		t.Error("the repeated edit takes without asking")
	}
}

// An end that a version before the brake recorded is as old as the Grant, and not found out now.
func TestEndRecordedBeforeTheBrake(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		made time.Duration
		want time.Duration
	}{
		"made long ago":                  {-100 * day, -100 * day},
		"made by a clock that is ahead":  {time.Hour, 0},
		"nobody knows when it was made":  {0, 0},
		"made an hour before the update": {-time.Hour, -time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, namespacePolicy())
			w.deliver(delivered("2024-01-10 10:00:00", expires("2024-06-30")))
			w.plan()
			w.now = w.now.Add(time.Hour)
			w.grants[0].Spec.EndKnownAt = nil
			w.grants[0].CreationTimestamp = metav1.Time{}
			if tc.made != 0 {
				w.grants[0].CreationTimestamp = metav1.NewTime(w.now.Add(tc.made))
			}
			w.plan()
			known := w.grants[0].Spec.EndKnownAt
			if known == nil || !known.Time.Equal(w.now.Add(tc.want)) {
				t.Errorf("known since %v, want %v", known, w.now.Add(tc.want))
			}
		})
	}
}
