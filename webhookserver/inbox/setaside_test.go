// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package inbox

import (
	"bytes"
	"encoding/binary"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.etcd.io/bbolt"
)

var asideAt = time.Date(2026, 11, 24, 1, 2, 3, 0, time.UTC)

func TestADamagedInboxIsSetAside(t *testing.T) {
	for _, tc := range []struct {
		name string
		make func(t *testing.T, path string)
	}{
		{"damaged", damage},
		{"something else", func(t *testing.T, path string) {
			if err := os.WriteFile(path, []byte("notes"), 0o600); err != nil {
				t.Fatal(err)
			}
		}},
		{"empty", func(t *testing.T, path string) {
			if err := os.WriteFile(path, nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			path := newPath(t)
			tc.make(t, path)
			before, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			aside, err := SetAside(path, asideAt)
			if err != nil {
				t.Fatal(err)
			}
			if want := path + ".set-aside-20261124T010203Z"; aside != want {
				t.Errorf("it went to %s, want %s", aside, want)
			}
			if after, err := os.ReadFile(aside); err != nil || !bytes.Equal(before, after) {
				t.Errorf("the file was changed (%v)", err)
			}
			// A server starts with a new one.
			put(t, open(t, path), 4)
		})
	}
}

func TestWhatIsNotSetAside(t *testing.T) {
	for _, tc := range []struct {
		name string
		make func(t *testing.T, path string)
		want error
	}{
		{"a whole one", func(t *testing.T, path string) {
			i := open(t, path)
			put(t, i, 1)
			closeInbox(t, i)
		}, ErrUsable},
		{"one in use", func(t *testing.T, path string) { open(t, path) }, ErrLocked},
		{"one of a later version", func(t *testing.T, path string) {
			i := open(t, path)
			later := func(tx *bbolt.Tx) error {
				return tx.Bucket(bucketMeta).Put(keyFormat, binary.BigEndian.AppendUint32(nil, format+1))
			}
			if err := i.db.Update(later); err != nil {
				t.Fatal(err)
			}
			closeInbox(t, i)
		}, ErrNewer},
		{"none", func(*testing.T, string) {}, os.ErrNotExist},
		{"one whose place is taken", func(t *testing.T, path string) {
			damage(t, path)
			if err := os.WriteFile(path+".set-aside-20261124T010203Z", []byte("before"), 0o600); err != nil {
				t.Fatal(err)
			}
		}, os.ErrExist},
	} {
		t.Run(tc.name, func(t *testing.T) {
			path := newPath(t)
			tc.make(t, path)
			before := filesIn(t, filepath.Dir(path))
			aside, err := SetAside(path, asideAt)
			if !errors.Is(err, tc.want) {
				t.Errorf("got %q, %v, want %v", aside, err, tc.want)
			}
			if after := filesIn(t, filepath.Dir(path)); !maps.EqualFunc(before, after, bytes.Equal) {
				t.Error("a file was changed, made or removed")
			}
		})
	}
}

// filesIn returns what the files of a folder have.
func filesIn(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	files := make(map[string][]byte)
	for _, entry := range entries {
		if files[entry.Name()], err = os.ReadFile(filepath.Join(dir, entry.Name())); err != nil {
			t.Fatal(err)
		}
	}
	return files
}
