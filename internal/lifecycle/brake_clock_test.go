// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package lifecycle

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/moment"
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
		tomorrow := end("x", brakeNoon.Add(moment.Day))
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
