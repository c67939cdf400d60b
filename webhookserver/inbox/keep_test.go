// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package inbox

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestKeptRecordsAreThereAfterOpeningAgain(t *testing.T) {
	path := newPath(t)
	first := open(t, path)
	want := put(t, first, 1, 2, 3)
	held := newRecord(4)
	if err := first.Hold(t.Context(), held); err != nil {
		t.Fatal(err)
	}
	before := first.Stats()
	closeInbox(t, first)

	again := open(t, path)
	if diff := cmp.Diff(want, all(t, again, Waiting)); diff != "" {
		t.Errorf("waiting (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]*Record{held}, all(t, again, Dead)); diff != "" {
		t.Errorf("dead letters (-want +got):\n%s", diff)
	}
	stats := again.Stats()
	if stats.Records != 3 || stats.DeadLetters != 1 || !stats.Oldest.Equal(want[0].Received) ||
		stats.Bytes <= 0 || stats.Failure != nil {
		t.Errorf("stats %+v", stats)
	}
	if diff := cmp.Diff(before, stats); diff != "" {
		t.Errorf("stats before and after (-want +got):\n%s", diff)
	}
}

func TestManyAtOnceAreAllKept(t *testing.T) {
	const senders, each = 32, 50
	i := open(t, newPath(t))
	var (
		group sync.WaitGroup
		mu    sync.Mutex
		want  = map[uint64]string{}
	)
	for s := range senders {
		group.Go(func() {
			for n := range each {
				record := newRecord(s*each + n)
				if err := i.Put(t.Context(), record); err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				want[record.Seq] = record.DeliveryID
				mu.Unlock()
			}
		})
	}
	group.Wait()
	got := map[uint64]string{}
	last := uint64(0)
	for _, record := range all(t, i, Waiting) {
		if record.Seq <= last {
			t.Errorf("record %d comes after %d", record.Seq, last)
		}
		last = record.Seq
		got[record.Seq] = record.DeliveryID
	}
	if len(want) != senders*each {
		t.Errorf("%d different numbers were given to %d records", len(want), senders*each)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("records by number (-want +got):\n%s", diff)
	}
}

// A number that was given once must never mean another record: an administrator's command may come late.
func TestNumbersAreNotGivenTwice(t *testing.T) {
	path := newPath(t)
	i := open(t, path)
	records := put(t, i, 1, 2)
	if err := i.Remove(t.Context(), records[0].ID(), records[1].ID()); err != nil {
		t.Fatal(err)
	}
	closeInbox(t, i)
	again := open(t, path)
	if got := put(t, again, 3)[0].Seq; got <= records[1].Seq {
		t.Errorf("number %d was given after %d", got, records[1].Seq)
	}
}

func TestRecordsMove(t *testing.T) {
	i := open(t, newPath(t))
	records := put(t, i, 1, 2, 3, 4)
	one, two, three, four := records[0], records[1], records[2], records[3]
	buried := *two
	buried.Reason, buried.Attempts = "api-invalid", 5
	for _, step := range []struct {
		name        string
		do          func() error
		wantErr     error
		wantWaiting []*Record
		wantDead    []*Record
	}{
		{"bury", func() error { return i.Bury(t.Context(), &buried) }, nil, []*Record{one, three, four}, []*Record{&buried}},
		{"bury what is buried", func() error { return i.Bury(t.Context(), &buried) }, ErrNoRecord,
			[]*Record{one, three, four}, []*Record{&buried}},
		{"remove, also what is not there", func() error {
			return i.Remove(t.Context(), one.ID(),
				ID{Namespace: one.Namespace, Seq: 99})
		}, nil,
			[]*Record{three, four}, []*Record{&buried}},
		{"retry what waits already", func() error { return i.Retry(t.Context(), two.Seq, three.Seq) }, ErrNoRecord,
			[]*Record{three, four}, []*Record{&buried}},
		{"retry takes its old place", func() error { return i.Retry(t.Context(), two.Seq, two.Seq) }, nil,
			[]*Record{&buried, three, four}, nil},
		{"drop with one that is not there", func() error { return i.Drop(t.Context(), three.Seq, 99) }, ErrNoRecord,
			[]*Record{&buried, three, four}, nil},
		{"drop", func() error { return i.Drop(t.Context(), three.Seq, two.Seq) }, nil, []*Record{four}, nil},
	} {
		t.Run(step.name, func(t *testing.T) {
			if err := step.do(); !errors.Is(err, step.wantErr) {
				t.Fatalf("got %v, want %v", err, step.wantErr)
			}
			if diff := cmp.Diff(step.wantWaiting, all(t, i, Waiting)); diff != "" {
				t.Errorf("waiting (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(step.wantDead, all(t, i, Dead)); diff != "" {
				t.Errorf("dead letters (-want +got):\n%s", diff)
			}
			if s := i.Stats(); s.Records != len(step.wantWaiting) || s.DeadLetters != len(step.wantDead) ||
				!s.Oldest.Equal(step.wantWaiting[0].Received) {
				t.Errorf("stats %+v", s)
			}
		})
	}
	if record, state, err := i.Get(four.Seq); err != nil || state != Waiting || record.DeliveryID != four.DeliveryID {
		t.Errorf("got %+v, %s, %v", record, state, err)
	}
	if _, _, err := i.Get(three.Seq); !errors.Is(err, ErrNoRecord) {
		t.Errorf("got %v, want %v", err, ErrNoRecord)
	}
}

func TestReadingGoesByNumberOverAllNamespaces(t *testing.T) {
	i := open(t, newPath(t))
	put(t, i, 0, 1, 2, 3, 4, 5, 6)
	page, err := i.Read(Waiting, 1, 4)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"delivery-1", "delivery-2", "delivery-3", "delivery-4"},
		idsOf(page.Records)); diff != "" {
		t.Errorf("read (-want +got):\n%s", diff)
	}
	if !page.More || page.Last != 5 {
		t.Errorf("more %v after %d", page.More, page.Last)
	}
}

func idsOf(records []*Record) []string {
	var ids []string
	for _, record := range records {
		ids = append(ids, record.DeliveryID)
	}
	return ids
}

func TestAFullInboxTakesNoMoreUntilThereIsRoom(t *testing.T) {
	path := newPath(t)
	i := open(t, path, func(o *Options) { o.MaxBytes = 128 << 10 })
	var records []*Record
	var err error
	for n := 0; err == nil; n++ {
		record := newRecord(n)
		record.Namespace, record.Data = fmt.Sprintf("institution-%d", n), make([]byte, 500)
		if err = i.Put(t.Context(), record); err == nil {
			records = append(records, record)
		}
	}
	if !errors.Is(err, ErrFull) || !i.Stats().Full() || i.Stats().Failure != nil {
		t.Fatalf("%v after %d records, %+v", err, len(records), i.Stats())
	}
	if len(records) < 100 || i.Stats().Bytes > 128<<10 {
		t.Errorf("full with %d records of 600 bytes, %d bytes", len(records), i.Stats().Bytes)
	}
	if err := i.Hold(t.Context(), newRecord(1)); !errors.Is(err, ErrFull) {
		t.Errorf("a dead letter: %v", err)
	}
	if err := i.Bury(t.Context(), records[0]); err != nil {
		t.Errorf("moving within a full inbox: %v", err)
	}
	for _, record := range records[1:100] {
		if err := i.Remove(t.Context(), record.ID()); err != nil {
			t.Fatal(err)
		}
	}
	if i.Stats().Full() {
		t.Errorf("still full: %+v", i.Stats())
	}
	put(t, i, 1)
}

func TestNobodyElseMayReadTheFile(t *testing.T) {
	path := newPath(t)
	closeInbox(t, open(t, path))
	mode := func() os.FileMode {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		return info.Mode()
	}
	if mode() != 0o600 {
		t.Errorf("new: mode %o", mode())
	}
	// As a volume does that belongs to a group.
	if err := os.Chmod(path, 0o660); err != nil {
		t.Fatal(err)
	}
	open(t, path)
	if mode() != 0o600 {
		t.Errorf("opened again: mode %o", mode())
	}
}

func TestAClosedInboxSaysSo(t *testing.T) {
	i := open(t, newPath(t))
	closeInbox(t, i)
	if err := i.Put(t.Context(), newRecord(1)); !errors.Is(err, ErrClosed) {
		t.Errorf("put: %v", err)
	}
	if _, err := i.Read(Waiting, 0, 1); !errors.Is(err, ErrClosed) {
		t.Errorf("read: %v", err)
	}
}

func TestASnapshotTakesThePlaceOfTheLastOne(t *testing.T) {
	path := newPath(t)
	i := open(t, path)
	if got, err := i.LoadSnapshot(); got != nil || err != nil || i.Stats().Snapshot {
		t.Fatalf("a new inbox has %v, %v", got, err)
	}
	for _, want := range []*Snapshot{
		{Taken: received, Entries: map[string][]byte{"a/b": []byte("one"), "c/d": []byte("two"), "e/f": {}}},
		{Taken: received.Add(1), Entries: map[string][]byte{"c/d": []byte("three")}},
		{Taken: received.Add(2), Entries: map[string][]byte{}},
	} {
		if err := i.SaveSnapshot(t.Context(), *want); err != nil {
			t.Fatal(err)
		}
		closeInbox(t, i)
		i = open(t, path)
		got, err := i.LoadSnapshot()
		if err != nil {
			t.Fatal(err)
		}
		for k, entry := range got.Entries {
			if entry == nil {
				got.Entries[k] = []byte{}
			}
		}
		if diff := cmp.Diff(want, got); diff != "" || !i.Stats().Snapshot {
			t.Errorf("snapshot (-want +got):\n%s", diff)
		}
	}
}
