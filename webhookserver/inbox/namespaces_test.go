// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package inbox

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// read counts what each namespace has by looking at every record.
func read(t *testing.T, i *Inbox) map[string]Count {
	t.Helper()
	found := map[string]Count{}
	for _, record := range all(t, i, Waiting) {
		count := found[record.Namespace]
		if count.Records++; count.Records == 1 {
			count.Oldest = record.Received
		}
		found[record.Namespace] = count
	}
	for _, record := range all(t, i, Dead) {
		count := found[record.Namespace]
		count.DeadLetters++
		found[record.Namespace] = count
	}
	return found
}

// Whatever is done to records, each namespace is said to have what is in the file, also once it is opened again.
func TestWhatEachNamespaceHasIsCounted(t *testing.T) {
	path := newPath(t)
	i := open(t, path)
	records := put(t, i, 0, 1, 2, 3, 4, 5, 6)
	held := newRecord(7)
	for _, step := range []struct {
		name string
		do   func() error
	}{
		{"put", func() error { return nil }},
		{"hold", func() error { return i.Hold(t.Context(), held) }},
		{"bury the oldest of a namespace", func() error { return i.Bury(t.Context(), records[0]) }},
		{"remove", func() error { return i.Remove(t.Context(), records[1].ID(), records[1].ID()) }},
		{"retry, twice at once", func() error { return i.Retry(t.Context(), records[0].Seq, records[0].Seq) }},
		{"bury again", func() error { return i.Bury(t.Context(), records[0]) }},
		{"drop a dead letter and a waiting one", func() error { return i.Drop(t.Context(), records[0].Seq, records[3].Seq) }},
		{"drop all that a namespace has", func() error { return i.Drop(t.Context(), records[2].Seq, records[5].Seq) }},
	} {
		if err := step.do(); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		if diff := cmp.Diff(read(t, i), i.Namespaces()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", step.name, diff)
		}
	}
	if _, some := i.Namespaces()["institution-2"]; some {
		t.Error("a namespace that has nothing is counted")
	}
	closeInbox(t, i)
	again := open(t, path)
	if diff := cmp.Diff(read(t, again), again.Namespaces()); diff != "" {
		t.Errorf("opened again (-want +got):\n%s", diff)
	}
}
