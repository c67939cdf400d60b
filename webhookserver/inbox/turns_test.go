// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package inbox

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func everything(uint64, string) bool { return true }

// putFor puts n records of a namespace.
func putFor(t *testing.T, i *Inbox, namespace string, n int) {
	t.Helper()
	for k := range n {
		record := newRecord(k)
		record.Namespace, record.DeliveryID = namespace, fmt.Sprintf("%s-%d", namespace, k)
		if err := i.Put(t.Context(), record); err != nil {
			t.Fatal(err)
		}
	}
}

func next(t *testing.T, i *Inbox, at *Position, limit int, wanted func(uint64, string) bool) ([]string, bool) {
	t.Helper()
	records, more, err := i.Next(at, limit, wanted)
	if err != nil {
		t.Fatal(err)
	}
	return idsOf(records), more
}

func TestNamespacesTakeTurns(t *testing.T) {
	i := open(t, newPath(t))
	putFor(t, i, "a", 5)
	putFor(t, i, "b", 1)
	putFor(t, i, "c", 2)
	var at Position
	first, more := next(t, i, &at, 4, everything)
	if diff := cmp.Diff([]string{"a-0", "b-0", "c-0", "a-1"}, first); diff != "" || !more {
		t.Errorf("more %v (-want +got):\n%s", more, diff)
	}
	// What comes meanwhile has its turn, and the next page goes on where the last one ended.
	putFor(t, i, "d", 1)
	second, more := next(t, i, &at, 10, everything)
	if diff := cmp.Diff([]string{"c-1", "d-0", "a-2", "a-3", "a-4"}, second); diff != "" || more {
		t.Errorf("more %v (-want +got):\n%s", more, diff)
	}
	if again, more := next(t, i, &at, 10, everything); len(again) > 0 || more {
		t.Errorf("at the end: %v, more %v", again, more)
	}
}

// A namespace whose records are all passed over costs the others no time.
func TestANamespaceThatIsPassedOverHoldsUpNobody(t *testing.T) {
	i := open(t, newPath(t))
	putFor(t, i, "a", 10*maxTurn)
	putFor(t, i, "b", 5)
	var at Position
	visited := 0
	got, _ := next(t, i, &at, 5, func(_ uint64, namespace string) bool {
		visited++
		return namespace == "b"
	})
	if diff := cmp.Diff([]string{"b-0", "b-1", "b-2", "b-3", "b-4"}, got); diff != "" || visited > 5*maxTurn+5 {
		t.Errorf("%d visited (-want +got):\n%s", visited, diff)
	}
}

func TestReadingLooksAtABoundedNumberOfRecords(t *testing.T) {
	i := open(t, newPath(t))
	putFor(t, i, "a", maxVisited/16)
	var at Position
	rounds, visited := 0, 0
	for more := true; more; rounds++ {
		_, more = next(t, i, &at, 1, func(uint64, string) bool { visited++; return false })
	}
	if visited != maxVisited/16 || rounds != 1 {
		t.Errorf("%d visited in %d rounds", visited, rounds)
	}
}
