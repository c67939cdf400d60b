// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package planner

import (
	"testing"
	"time"

	clocktesting "k8s.io/utils/clock/testing"

	"github.com/lxp-dev/course-completion-operator/internal/memory"
	"github.com/lxp-dev/course-completion-operator/internal/plan"
)

// A completion is looked at again once its patience is over, and mostly not before.
func TestWaitEndsAlthoughNobodyLookedMeanwhile(t *testing.T) {
	t.Parallel()
	clock := clocktesting.NewFakePassiveClock(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
	r := &Reconciler{Clock: clock}
	person := memory.Person{Namespace: "school", InstitutionID: 1, UserID: 5}
	for _, patience := range []time.Duration{10 * time.Second, time.Minute} {
		completions := []plan.CompletionPlan{{Name: patience.String(), Patience: patience}}
		if left := r.waits(person, completions)[patience.String()]; left != patience {
			t.Errorf("at first %s are left of %s", left, patience)
		}
		clock.SetTime(clock.Now().Add(patience + 50*time.Millisecond))
		if left := r.waits(person, completions)[patience.String()]; left > 0 {
			t.Errorf("after %s, %s are left", patience, left)
		}
	}
}
