// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/lifecycle"
	"github.com/lxp-dev/course-completion-operator/internal/moment"
)

// The moment from which an end is known stays for as long as the end does, and no longer.
func TestSinceWhenAnEndIsKnown(t *testing.T) {
	t.Parallel()
	w := newWorld(t, namespacePolicy())
	known := func() time.Time {
		t.Helper()
		w.plan()
		if w.grants[0].Spec.EndKnownAt == nil {
			return time.Time{}
		}
		return w.grants[0].Spec.EndKnownAt.Time
	}
	expect := func(want time.Time) {
		t.Helper()
		if got := known(); !got.Equal(want) {
			t.Errorf("known since %v, want %v", got, want)
		}
	}
	w.deliver(delivered("2024-01-10 10:00:00"))
	expect(time.Time{})
	w.now = w.now.Add(time.Hour)
	first := w.now
	w.deliver(delivered("2024-01-10 11:00:00", expires("2024-06-30")))
	expect(first)
	w.now = w.now.Add(100 * moment.Day)
	expect(first)
	w.deliver(delivered("2024-01-10 12:00:00", expires("2024-07-31")))
	expect(w.now)
	w.now = w.now.Add(time.Minute)
	w.policies["graduates"].Spec.Lifetime.MaxDays = 30
	expect(w.now)
	w.policies["graduates"].Spec.Lifetime.MaxDays = 0
	w.now = w.now.Add(time.Minute)
	expect(w.now)
	w.deliver(delivered("2024-01-10 13:00:00"))
	expect(time.Time{})
}

func TestDeliveryThatBringsTheEndForwardIsNoted(t *testing.T) {
	until := func(text string) func(*v1alpha1.CourseCompletionSpec) { return expires(text) }
	for _, tc := range []struct {
		name string
		// dates are the last days of one delivery after the other; empty for never.
		dates []string
		edit  func(*v1alpha1.CompletionPolicySpec)
		// want is from when it was brought forward; "no" if it was not, "never" if there was no end before.
		want string
	}{
		{"the first end", []string{"2025-06-30"}, nil, "no"},
		{"a later end", []string{"2025-06-30", "2025-07-30"}, nil, "no"},
		{"a sooner end", []string{"2025-06-30", "2025-05-30"}, nil, "2025-07-01"},
		{"an end where there was none", []string{"", "2025-05-30"}, nil, "never"},
		{"sooner, and then a little later", []string{"2025-06-30", "2025-05-29", "2025-05-30"}, nil, "2025-07-01"},
		{"sooner and sooner", []string{"2025-06-30", "2025-05-30", "2025-04-30"}, nil, "2025-07-01"},
		{"sooner, and back again", []string{"2025-06-30", "2025-05-30", "2025-06-30"}, nil, "no"},
		{"an end where there was none, and none again", []string{"", "2025-05-30", ""}, nil, "no"},
		{"by an edit of the policy", []string{"2025-06-30", "2025-06-30"},
			func(s *v1alpha1.CompletionPolicySpec) { s.Lifetime.Until = "2025-01-31" }, "no"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t, namespacePolicy())
			for i, date := range tc.dates {
				sendAt := time.Date(2024, 1, 10, 10, 0, i, 0, time.UTC).Format(time.DateTime)
				w.deliver(delivered(sendAt, until(date)))
				if tc.edit != nil && i == len(tc.dates)-1 {
					tc.edit(&w.policies["graduates"].Spec)
				}
				w.plan()
			}
			got := "no"
			if forward := w.grants[0].Spec.EndBroughtForward; forward != nil {
				got = "never"
				if forward.From != nil {
					got = forward.From.UTC().Format(time.DateOnly)
				}
			}
			if got != tc.want {
				t.Errorf("brought forward from %s, want %s", got, tc.want)
			}
		})
	}
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
	lifecycle.Admit(grant, lifecycle.EndRevocation(grant), w.now, "")
	w.plan()
	if end := lifecycle.StateOf(&w.grants[0], w.now); end.Paused {
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
	if end := lifecycle.StateOf(grant, w.now); !end.Paused {
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
		"made long ago":                  {-100 * moment.Day, -100 * moment.Day},
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
