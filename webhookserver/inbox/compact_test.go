// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package inbox

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"testing"
	"time"

	clocktesting "k8s.io/utils/clock/testing"
)

const personal = "Maria Firmina <maria@example.edu>"

func putPersonal(t *testing.T, i *Inbox, n int) *Record {
	t.Helper()
	record := newRecord(n)
	record.Data = []byte(personal)
	if err := i.Put(t.Context(), record); err != nil {
		t.Fatal(err)
	}
	return record
}

func has(t *testing.T, path, text string) bool {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Contains(content, []byte(text))
}

// awaitGone waits until the file has no personal data any more, with a clock that goes on.
func awaitGone(t *testing.T, path string, now *clocktesting.FakeClock) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); has(t, path, personal); {
		if time.Now().After(deadline) {
			t.Fatal("what was removed is still in the file")
		}
		now.Step(quietTime)
		<-time.After(time.Millisecond)
	}
}

func TestTheFileKeepsNothingThatWasRemoved(t *testing.T) {
	for name, tc := range map[string]struct {
		remove func(i *Inbox, record *Record) error
		left   bool
	}{
		"stored":               {func(i *Inbox, r *Record) error { return i.Remove(t.Context(), r.ID()) }, false},
		"dropped":              {func(i *Inbox, r *Record) error { return i.Drop(t.Context(), r.Seq) }, false},
		"stored, others there": {func(i *Inbox, r *Record) error { return i.Remove(t.Context(), r.ID()) }, true},
	} {
		t.Run(name, func(t *testing.T) {
			path, now := newPath(t), clocktesting.NewFakeClock(received)
			i := open(t, path, func(o *Options) { o.Clock = now })
			if tc.left {
				put(t, i, 7)
			}
			record := putPersonal(t, i, 1)
			if !has(t, path, personal) {
				t.Fatal("the record is not in the file")
			}
			if err := tc.remove(i, record); err != nil {
				t.Fatal(err)
			}
			awaitGone(t, path, now)

			// It goes on as it was, with new numbers.
			later := put(t, i, 2)[0]
			if later.Seq <= record.Seq {
				t.Errorf("number %d is given again after %d", later.Seq, record.Seq)
			}
			if _, err := Open(path, Options{MaxBytes: maxBytes}); !errors.Is(err, ErrLocked) {
				t.Errorf("another process gets the new file: %v", err)
			}
			want := 1
			if tc.left {
				want = 2
			}
			if got := len(all(t, i, Waiting)); got != want || i.Stats().Records != want {
				t.Errorf("%d records, and %d counted, want %d", got, i.Stats().Records, want)
			}
		})
	}
}

// A process that ended between removing and writing the file anew leaves the file, or two of them.
func TestWhatAnEarlierProcessRemovedGoesToo(t *testing.T) {
	path, now := newPath(t), clocktesting.NewFakeClock(received)
	// A clock that stands still keeps it from being written anew before the end.
	frozen := open(t, path, func(o *Options) { o.Clock = clocktesting.NewFakeClock(received) })
	record := putPersonal(t, frozen, 1)
	if err := frozen.Remove(t.Context(), record.ID()); err != nil {
		t.Fatal(err)
	}
	closeInbox(t, frozen)
	if !has(t, path, personal) {
		t.Fatal("the record is not in the file")
	}
	if err := os.WriteFile(compacting(path), []byte(personal), 0o600); err != nil {
		t.Fatal(err)
	}
	open(t, path, func(o *Options) { o.Clock = now })
	if _, err := os.Stat(compacting(path)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what was being written is still there: %v", err)
	}
	awaitGone(t, path, now)
}
