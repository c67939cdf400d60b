// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package inbox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// refusedExit is how a child says that it refused the file.
const refusedExit = 3

// useFile opens a file, reads everything that is in it and adds a record, as the server does.
func useFile() int {
	i, err := Open(os.Getenv(pathEnv), Options{MaxBytes: maxBytes, MustExist: true})
	switch {
	case errors.Is(err, ErrCorrupt), errors.Is(err, ErrForeign), errors.Is(err, ErrNewer):
		return refusedExit
	case err != nil:
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	for _, state := range []State{Waiting, Dead} {
		for page := (Page{More: true}); page.More; {
			if page, err = i.Read(state, page.Last, 100); err != nil {
				fmt.Fprintln(os.Stderr, "reading what was opened:", err)
				return 1
			}
		}
	}
	_, err = i.LoadSnapshot()
	if err = errors.Join(err, i.Put(context.Background(), newRecord(1)), i.Close()); err != nil {
		fmt.Fprintln(os.Stderr, "using what was opened:", err)
		return 1
	}
	return 0
}

// wholeFile is a small inbox, made once for all inputs of a process.
var wholeFile = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "inbox-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "inbox.db")
	i, err := Open(path, Options{MaxBytes: maxBytes})
	if err != nil {
		return nil, err
	}
	for n := range 30 {
		record := newRecord(n)
		record.Data = bytes.Repeat([]byte{byte(n)}, 300)
		put, buried := i.Put(context.Background(), record), error(nil)
		if n%7 == 0 {
			buried = i.Bury(context.Background(), record)
		}
		if err := errors.Join(put, buried); err != nil {
			return nil, err
		}
	}
	snapshot := Snapshot{Taken: received, Entries: map[string][]byte{"a/b": []byte("institution")}}
	if err := errors.Join(i.SaveSnapshot(context.Background(), snapshot), i.Close()); err != nil {
		return nil, err
	}
	return os.ReadFile(path)
})

// A file in which anything was written over is refused and left as it is, or can be used; never does it end the
// process, which therefore is a child.
func FuzzDamagedFile(f *testing.F) {
	f.Add(uint16(0), uint16(0), []byte{0xff})
	f.Add(uint16(1), uint16(16), []byte{0, 0, 0, 0})
	f.Add(uint16(3), uint16(8), []byte{2, 0, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, page, offset uint16, over []byte) {
		whole, err := wholeFile()
		if err != nil {
			t.Fatal(err)
		}
		damaged := bytes.Clone(whole)
		copy(damaged[(int(page)*4096+int(offset))%len(damaged):], over)
		path := newPath(t)
		if err := os.WriteFile(path, damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		cmd := child(t, "use", path)
		said := &bytes.Buffer{}
		cmd.Stderr = said
		err = cmd.Run()
		exit, failed := errors.AsType[*exec.ExitError](err)
		switch {
		case err == nil:
		case failed && exit.ExitCode() == refusedExit:
			if after, err := os.ReadFile(path); err != nil || !bytes.Equal(after, damaged) {
				t.Fatalf("the refused file was changed (%v)", err)
			}
		default:
			t.Fatalf("%v: %s", err, said)
		}
	})
}
