// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package inbox

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.etcd.io/bbolt"
)

// fill makes a file with many pages of every sort: branches, leaves, pages with overflow, buckets inside of others.
func fill(t *testing.T) string {
	t.Helper()
	path := newPath(t)
	i := open(t, path)
	for n := range 150 {
		record := newRecord(n)
		record.Data = bytes.Repeat([]byte{byte(n)}, 400)
		if n%40 == 0 {
			record.Data = bytes.Repeat([]byte{byte(n)}, 9000)
		}
		if err := i.Put(t.Context(), record); err != nil {
			t.Fatal(err)
		}
	}
	buried := all(t, i, Waiting)[3]
	if err := i.Bury(t.Context(), buried); err != nil {
		t.Fatal(err)
	}
	snapshot := Snapshot{Taken: received, Entries: map[string][]byte{"a/b": []byte("institution")}}
	if err := i.SaveSnapshot(t.Context(), snapshot); err != nil {
		t.Fatal(err)
	}
	// Once more without a change: damage to one of the two meta pages leads back by one commit.
	if err := i.Remove(t.Context()); err != nil {
		t.Fatal(err)
	}
	closeInbox(t, i)
	return path
}

// content is everything that is in an inbox.
type content struct {
	Waiting, Dead []*Record
	Snapshot      *Snapshot
}

func contentOf(t *testing.T, i *Inbox) content {
	t.Helper()
	snapshot, err := i.LoadSnapshot()
	if err != nil {
		t.Fatal(err)
	}
	return content{Waiting: all(t, i, Waiting), Dead: all(t, i, Dead), Snapshot: snapshot}
}

// Whatever byte of a file changes, it is refused as damaged and left as it is, or nothing is lost.
func TestADamagedFileIsRefusedAndLeftAsItIs(t *testing.T) {
	path := fill(t)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	i := open(t, path)
	want := contentOf(t, i)
	closeInbox(t, i)
	whole = whole[:inUse(t, path)]

	damaged := filepath.Join(t.TempDir(), "damaged.db")
	refused, opened := 0, 0
	// A prime stride hits every sort of place; the first pages are looked at byte by byte.
	for at := 0; at < len(whole); at += stride(at) {
		text := bytes.Clone(whole)
		text[at] ^= 0xff
		if err := os.WriteFile(damaged, text, 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := Open(damaged, Options{MaxBytes: maxBytes})
		if err != nil {
			refused++
			if !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrForeign) && !errors.Is(err, ErrNewer) {
				t.Errorf("byte %d: %v", at, err)
			}
			if after, err := os.ReadFile(damaged); err != nil || !bytes.Equal(after, text) {
				t.Fatalf("byte %d: the refused file was changed (%v)", at, err)
			}
			continue
		}
		opened++
		// Comparing byte by byte what is long is for computers, not for cmp.
		if after := contentOf(t, got); !reflect.DeepEqual(want, after) {
			t.Errorf("byte %d: what was opened is not what was there (-want +got):\n%s", at, cmp.Diff(want, after))
		}
		closeInbox(t, got)
	}
	if refused < 100 || opened == 0 {
		t.Errorf("%d changed files were refused and %d opened", refused, opened)
	}
}

// The checksum of a record does not cover its number, and a dead letter is often alone in its bucket, where no order
// shows that its number is wrong.
func TestANumberThatWasNeverGivenIsRefused(t *testing.T) {
	path := fill(t)
	i := open(t, path)
	key := all(t, i, Dead)[0].ID().key()
	closeInbox(t, i)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	wrong := bytes.Clone(key)
	wrong[len(wrong)-1] ^= 0xff
	if err := os.WriteFile(path, bytes.ReplaceAll(whole, key, wrong), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := Open(path, Options{MaxBytes: maxBytes}); !errors.Is(err, ErrCorrupt) {
		if err == nil {
			closeInbox(t, got)
		}
		t.Errorf("got %v, want ErrCorrupt", err)
	}
}

func stride(at int) int {
	if at < 128 || at >= 4096 && at < 4096+128 {
		return 1
	}
	return 997
}

// inUse returns how many bytes at the beginning of a file are in use.
func inUse(t *testing.T, path string) (size int64) {
	t.Helper()
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	err = db.View(func(tx *bbolt.Tx) error {
		size = tx.Size()
		return nil
	})
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	return size
}

func TestAFileThatWasCutOffIsRefused(t *testing.T) {
	path := fill(t)
	for _, size := range []int64{16, 4096, 8192, 40000} {
		if err := os.Truncate(path, size); err != nil {
			t.Fatal(err)
		}
		_, err := Open(path, Options{MaxBytes: maxBytes})
		if !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrForeign) {
			t.Errorf("cut off at %d: %v", size, err)
		}
		path = fill(t)
	}
}

func TestWhatIsNoInboxIsRefused(t *testing.T) {
	other := func(change func(*bbolt.Tx) error) func(string) error {
		return func(path string) error {
			db, err := bbolt.Open(path, 0o600, nil)
			if err != nil {
				return err
			}
			return errors.Join(db.Update(change), db.Close())
		}
	}
	for _, tc := range []struct {
		name string
		make func(path string) error
		want error
	}{
		{"text", func(path string) error {
			return os.WriteFile(path, bytes.Repeat([]byte("notes\n"), 5000), 0o600)
		}, ErrForeign},
		{"nothing", func(path string) error { return os.WriteFile(path, nil, 0o600) }, ErrForeign},
		{"a folder", func(path string) error { return os.Mkdir(path, 0o700) }, nil},
		{"a file of bbolt", other(func(tx *bbolt.Tx) error {
			bucket, err := tx.CreateBucket([]byte("queue"))
			return errors.Join(err, bucket.Put([]byte("some"), []byte("thing")))
		}), ErrForeign},
		{"a later version", other(func(tx *bbolt.Tx) error {
			err := layOut(tx)
			later := binary.BigEndian.AppendUint32(nil, format+1)
			return errors.Join(err, tx.Bucket(bucketMeta).Put(keyFormat, later),
				tx.Bucket(bucketQueue).Put([]byte("another form"), nil))
		}), ErrNewer},
	} {
		t.Run(tc.name, func(t *testing.T) {
			path := newPath(t)
			if err := tc.make(path); err != nil {
				t.Fatal(err)
			}
			before, _ := os.ReadFile(path)
			_, err := Open(path, Options{MaxBytes: maxBytes})
			if err == nil || tc.want != nil && !errors.Is(err, tc.want) {
				t.Errorf("got %v, want %v", err, tc.want)
			}
			if after, _ := os.ReadFile(path); !bytes.Equal(before, after) {
				t.Error("the file was changed")
			}
		})
	}
}

func TestAFileInUseIsRefused(t *testing.T) {
	path := newPath(t)
	first := open(t, path)
	_, err := Open(path, Options{MaxBytes: maxBytes, LockTimeout: 100 * time.Millisecond})
	if !errors.Is(err, ErrLocked) {
		t.Errorf("got %v, want %v", err, ErrLocked)
	}
	// Whoever waits gets it once the other one has ended.
	opened := make(chan error, 1)
	go func() {
		second, err := Open(path, Options{MaxBytes: maxBytes, LockTimeout: time.Minute})
		if err == nil {
			err = second.Close()
		}
		opened <- err
	}()
	closeInbox(t, first)
	if err := <-opened; err != nil {
		t.Error(err)
	}
}

func TestAFileThatMustExistIsNotMade(t *testing.T) {
	path := newPath(t)
	if _, err := Open(path, Options{MaxBytes: maxBytes, MustExist: true}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the file was made: %v", err)
	}
}
