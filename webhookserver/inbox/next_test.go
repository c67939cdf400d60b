// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package inbox

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
)

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

// next returns the delivery of the record that is next, and its number; 0 where there is none.
func next(t *testing.T, i *Inbox, namespace string, after uint64, wanted func(uint64) bool) (string, uint64) {
	t.Helper()
	record, err := i.Next(namespace, after, wanted)
	if err != nil {
		t.Fatal(err)
	}
	if record == nil {
		return "", 0
	}
	return record.DeliveryID, record.Seq
}

func TestTheNextRecordIsTheOldestOfItsNamespace(t *testing.T) {
	i := open(t, newPath(t))
	putFor(t, i, "a", 3)
	putFor(t, i, "b", 1)
	// A prefix of it, and one that comes after it, are other namespaces.
	putFor(t, i, "a-b", 2)
	everything := func(uint64) bool { return true }
	for _, tc := range []struct {
		namespace string
		want      []string
	}{{"a", []string{"a-0", "a-1", "a-2"}}, {"b", []string{"b-0"}}, {"a-b", []string{"a-b-0", "a-b-1"}}, {"c", nil}} {
		var got []string
		for id, seq := next(t, i, tc.namespace, 0, everything); id != ""; {
			got = append(got, id)
			id, seq = next(t, i, tc.namespace, seq, everything)
		}
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tc.namespace, diff)
		}
	}
	if got, _ := next(t, i, "a", ^uint64(0), everything); got != "" {
		t.Errorf("after the last number there is %s", got)
	}
}

// Whatever is passed over, the transactions in which it is stay short.
func TestRecordsThatAreNotWantedArePassedOver(t *testing.T) {
	i := open(t, newPath(t))
	putFor(t, i, "a", 20)
	putFor(t, i, "b", 1)
	visited := 0
	got, _ := next(t, i, "a", 0, func(uint64) bool { visited++; return visited == 20 })
	if got != "a-19" || visited != 20 {
		t.Errorf("%q after %d visited, want the last of its namespace", got, visited)
	}
	if got, _ := next(t, i, "a", 0, func(uint64) bool { return false }); got != "" {
		t.Errorf("found %s, which nobody wanted", got)
	}
}
