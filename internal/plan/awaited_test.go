// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"testing"

	"github.com/lxp-dev/course-completion-operator/internal/lifecycle"
)

// A policy that is being replaced is not there for a moment. Nothing ends because of that.
func TestPolicyThatIsAwaitedEndsNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, namespacePolicy(removeWithPolicy))
	w.deliver(delivered("2024-01-10 10:00:00"))
	w.plan()
	delete(w.policies, "graduates")
	for _, step := range []struct {
		awaited bool
		want    lifecycle.Stage
	}{{true, lifecycle.Active}, {false, lifecycle.AccessExpired}} {
		person := w.person()
		person.Awaited = map[string]bool{"graduates": step.awaited}
		w.grants = adopt(For(person))
		if got := stateLettingGo(&w.grants[0], w.now).Stage; got != step.want {
			t.Errorf("awaited %t: got %v, want %v", step.awaited, got, step.want)
		}
	}
}
