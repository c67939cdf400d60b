// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package inbox

import (
	"encoding/binary"
	"errors"
	"os"
	"strings"
	"testing"

	"go.etcd.io/bbolt"
)

// damage makes an inbox with records and cuts it off.
func damage(t *testing.T, path string) {
	t.Helper()
	i := open(t, path)
	put(t, i, 1, 2, 3)
	closeInbox(t, i)
	if err := os.Truncate(path, 4096); err != nil {
		t.Fatal(err)
	}
}

// Whoever follows the advice must lose nothing: only a file that no program can use is to be put away.
func TestAdviceAboutARefusedFile(t *testing.T) {
	for _, tc := range []struct {
		name string
		// make makes the file.
		make func(t *testing.T, path string)
		// want and wantNot are said and not said.
		want    []string
		wantNot string
	}{
		{"in use", func(t *testing.T, path string) {
			open(t, path)
		}, []string{"another process has the inbox open", "do not move the file", "without --file"}, "aside"},
		{"of a later version", func(t *testing.T, path string) {
			db, err := bbolt.Open(path, 0o600, nil)
			if err != nil {
				t.Fatal(err)
			}
			later := func(tx *bbolt.Tx) error {
				return errors.Join(layOut(tx),
					tx.Bucket(bucketMeta).Put(keyFormat, binary.BigEndian.AppendUint32(nil, format+1)))
			}
			if err := errors.Join(db.Update(later), db.Close()); err != nil {
				t.Fatal(err)
			}
		}, []string{"start the newer version again"}, "aside"},
		{"a folder", func(t *testing.T, path string) {
			if err := os.Mkdir(path, 0o700); err != nil {
				t.Fatal(err)
			}
		}, []string{"is a directory"}, "aside"},
		{"something else", func(t *testing.T, path string) {
			if err := os.WriteFile(path, []byte("notes"), 0o600); err != nil {
				t.Fatal(err)
			}
		}, []string{"acknowledged deliveries", "inbox set-aside", "A damaged inbox"}, "move it away"},
		{"damaged", func(t *testing.T, path string) {
			damage(t, path)
		}, []string{"acknowledged deliveries", "inbox set-aside", "A damaged inbox"}, "move it away"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			path := newPath(t)
			tc.make(t, path)
			_, err := Open(path, Options{MaxBytes: maxBytes})
			if err == nil {
				t.Fatal("it was opened")
			}
			for _, want := range tc.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q has no %q", err, want)
				}
			}
			if strings.Contains(err.Error(), tc.wantNot) || strings.Contains(err.Error(), "move it away") {
				t.Errorf("%q is wrong advice", err)
			}
		})
	}
}
