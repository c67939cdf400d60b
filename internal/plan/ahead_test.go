// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// What says that it comes from the future grants nothing, takes nothing, and changes nothing of what there is.
func TestCompletionFromTheFutureIsNotPlanned(t *testing.T) {
	for name, date := range map[string]string{
		"two years ahead": "2026-01-10 10:00:00", "for ever": "9999-12-31 00:00:00",
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, namespacePolicy())
			w.deliver(delivered(date))
			w.plan()
			if len(w.grants) != 0 {
				t.Fatalf("it grants %v", w.grants)
			}
			verdict := w.last.Completions[0].Verdict
			if verdict.Reason != v1alpha1.ReasonSentInFuture || !strings.Contains(verdict.Message, date) {
				t.Errorf("it is told %+v", verdict)
			}
		})
	}
	w := newWorld(t, namespacePolicy())
	w.deliver(delivered("2024-01-10 10:00:00"))
	w.plan()
	before := w.grants[0].DeepCopy()
	w.deliver(delivered("2030-01-10 10:00:00", inactive))
	w.plan()
	if diff := cmp.Diff(before, &w.grants[0]); diff != "" {
		t.Errorf("a delivery from the future changed a Grant:\n%s", diff)
	}
	other := delivered("2030-01-11 10:00:00")
	other.User.Email = "other@example.com"
	w.deliver(other)
	w.plan()
	if diff := cmp.Diff(before, &w.grants[0]); diff != "" {
		t.Errorf("another one changed a Grant:\n%s", diff)
	}
}

func TestCompletionFromTheFutureIsPlannedInTime(t *testing.T) {
	w := newWorld(t, namespacePolicy())
	w.deliver(delivered("2024-01-20 10:00:00"))
	w.plan()
	// The text may be of another zone, by up to fourteen hours.
	if want := time.Date(2024, 1, 18, 10, 0, 0, 0, time.UTC); !w.last.Next.Equal(want) {
		t.Fatalf("the next look is at %s, want %s", w.last.Next, want)
	}
	w.now = w.last.Next.Add(-time.Second)
	w.plan()
	if len(w.grants) != 0 {
		t.Fatal("it grants too soon")
	}
	w.now = w.last.Next
	w.plan()
	if len(w.grants) != 1 {
		t.Fatal("it does not grant once it is in range")
	}
}

// The order goes by the text, so a text that is far ahead counts although the moment is not.
func TestTextFromTheFutureIsNotPlannedEither(t *testing.T) {
	w := newWorld(t, namespacePolicy())
	forged := delivered("2024-01-10 10:00:00")
	forged.Event.SendAt = "9999-12-31 00:00:00"
	w.deliver(forged)
	w.plan()
	if len(w.grants) != 0 {
		t.Fatalf("it grants %v", w.grants)
	}
}
