// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package inbox

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"
)

// fillShare puts records of one namespace until no more are taken, and returns them.
func fillShare(t *testing.T, i *Inbox, namespace string) []*Record {
	t.Helper()
	var records []*Record
	for n := range 1000 {
		record := newRecord(n)
		record.Namespace, record.Data = namespace, make([]byte, 2<<10)
		add := i.Put
		if n%2 == 1 {
			add = i.Hold
		}
		if err := add(t.Context(), record); err != nil {
			if !errors.Is(err, ErrShare) {
				t.Fatalf("refused after %d: %v", n, err)
			}
			return records
		}
		records = append(records, record)
	}
	t.Fatal("never refused")
	return nil
}

func TestANamespaceAloneGetsHalfOfTheInboxAndNoMore(t *testing.T) {
	const bound = 512 << 10
	path := newPath(t)
	bounded := func(o *Options) { o.MaxBytes = bound }
	i := open(t, path, bounded)
	greedy := fillShare(t, i, "greedy")
	if stats := i.Stats(); stats.Full() || stats.Bytes < bound*4/10 {
		t.Errorf("with half of it taken: %+v", stats)
	}
	another := newRecord(1)
	another.Namespace = "another"
	if err := i.Put(t.Context(), another); err != nil {
		t.Errorf("a namespace with nothing in it is refused: %v", err)
	}
	closeInbox(t, i)

	// What is counted is what is there, also after opening it again.
	again := open(t, path, bounded)
	refused := newRecord(2)
	refused.Namespace, refused.Data = "greedy", make([]byte, 2<<10)
	if err := again.Put(t.Context(), refused); !errors.Is(err, ErrShare) {
		t.Errorf("after opening it again: %v", err)
	}
	for _, change := range []struct {
		name string
		do   func() error
	}{
		{"removed", func() error { return again.Remove(t.Context(), greedy[0].ID()) }},
		{"dropped", func() error { return again.Drop(t.Context(), greedy[1].Seq) }},
	} {
		if err := change.do(); err != nil {
			t.Fatal(err)
		}
		if err := again.Put(t.Context(), refused); err != nil {
			t.Errorf("where one was %s: %v", change.name, err)
		}
	}
	if err := again.Bury(t.Context(), greedy[2]); err != nil {
		t.Fatal(err)
	}
	// Pages are not exactly as full as before.
	if more := fillShare(t, again, "greedy"); len(more) > 3 {
		t.Errorf("a dead letter takes as much as one that waits: %d more were taken", len(more))
	}
	counted := again.counted.shares
	closeInbox(t, again)
	if diff := cmp.Diff(open(t, path, bounded).counted.shares, counted); diff != "" {
		t.Errorf("shares that are in the file, and that were counted (-want +got):\n%s", diff)
	}
}

// What is in use is counted in pages, and records of some lengths leave half of theirs empty.
func TestANamespaceLeavesRoomForOthersWhateverTheLengthOfItsRecords(t *testing.T) {
	const bound = 8 << 20
	for _, length := range []int{1, 100, 500, 1000, 1300, 1950, 2040, 3000, 4096, 10_000} {
		t.Run(fmt.Sprintf("%d bytes", length), func(t *testing.T) {
			i := open(t, newPath(t), func(o *Options) { o.MaxBytes = bound })
			greedy := func(length int) *Record {
				record := newRecord(1)
				record.Namespace, record.Data = "greedy", make([]byte, length)
				return record
			}
			fillWith(t, i, func() *Record { return greedy(length) })
			// Records that fill up what those leave.
			fillWith(t, i, func() *Record { return greedy(1) })
			if stats := i.Stats(); stats.Bytes < bound*4/10 || stats.Bytes > bound*6/10 {
				t.Errorf("half of the inbox: %.0f%% of it is in use", 100*float64(stats.Bytes)/bound)
			}
		})
	}
}

// Two namespaces with half of the bound each would leave nothing to all others.
func TestNamespacesThatWantEverythingLeaveRoomForOthers(t *testing.T) {
	i := open(t, newPath(t), func(o *Options) { o.MaxBytes = 4 << 20 })
	for _, namespace := range []string{"first", "second", "third"} {
		fillWith(t, i, func() *Record {
			record := newRecord(1)
			record.Namespace, record.Data = namespace, make([]byte, 1000)
			return record
		})
	}
	for n := range 100 {
		record := newRecord(n)
		record.Namespace = "small"
		if err := i.Put(t.Context(), record); err != nil {
			t.Fatalf("a namespace with %d records is refused: %v", n, err)
		}
	}
}

// fillWith puts records until no more are taken, many at a time.
func fillWith(t *testing.T, i *Inbox, next func() *Record) {
	t.Helper()
	var group errgroup.Group
	for range 64 {
		group.Go(func() error {
			for {
				if err := i.Put(t.Context(), next()); err != nil {
					return err
				}
			}
		})
	}
	if err := group.Wait(); !errors.Is(err, ErrShare) && !errors.Is(err, ErrFull) {
		t.Fatal(err)
	}
}
