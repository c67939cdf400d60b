// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package throttle

import "testing"

func TestDeliveriesOfOneInstitutionAtATime(t *testing.T) {
	c := NewConcurrency(2)
	first, ok := c.Acquire("a")
	second, secondOK := c.Acquire("a")
	_, third := c.Acquire("a")
	other, otherOK := c.Acquire("b")
	if !ok || !secondOK || third || !otherOK {
		t.Fatalf("permitted: %t, %t, %t, other %t", ok, secondOK, third, otherOK)
	}
	if first.OverLimit || second.OverLimit || other.OverLimit {
		t.Error("an institution that is at its limit is said to be over it")
	}
	first.BodyRead()
	again, ok := c.Acquire("a")
	if !ok || !again.OverLimit {
		t.Errorf("permitted %t: what has been read still counts as being read, or not as being handled", ok)
	}
	if _, ok := c.Acquire("a"); ok {
		t.Error("more are read than may be")
	}
	first.Release()
	second.Release()
	if fresh, ok := c.Acquire("a"); !ok || fresh.OverLimit {
		t.Errorf("permitted %t: what was handled still counts", ok)
	} else {
		fresh.Release()
	}
	again.Release()
	other.Release()
	if len(c.inUse) > 0 {
		t.Errorf("still remembered: %v", c.inUse)
	}
}
