// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package webhookserver

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func mustWrite(t *testing.T, l *AuditLog, text string) {
	t.Helper()
	if _, err := l.write(text); err != nil {
		t.Fatal(err)
	}
}

func content(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestAuditLogIsAppendedTo(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	for _, record := range []string{"one", "two"} {
		l, err := OpenAuditLog(path)
		if err != nil {
			t.Fatal(err)
		}
		mustWrite(t, l, record)
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := l.write("late"); err == nil {
			t.Error("a closed log takes a record")
		}
	}
	if diff := cmp.Diff("\"one\"\n\"two\"\n", content(t, path)); diff != "" {
		t.Errorf("the log (-want +got):\n%s", diff)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode() != 0o600 {
		t.Errorf("%v, mode %s", err, info.Mode())
	}
}

// Rotation: something moves the file away and asks to open it again.
func TestAuditLogIsRotated(t *testing.T) {
	dir := t.TempDir()
	path, moved := filepath.Join(dir, "audit.jsonl"), filepath.Join(dir, "audit.1.jsonl")
	l, err := OpenAuditLog(path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	mustWrite(t, l, "one")
	if err := os.Rename(path, moved); err != nil {
		t.Fatal(err)
	}
	mustWrite(t, l, "two")
	if err := l.Reopen(); err != nil {
		t.Fatal(err)
	}
	mustWrite(t, l, "three")
	if got, want := content(t, moved)+content(t, path), "\"one\"\n\"two\"\n\"three\"\n"; got != want {
		t.Errorf("the logs have %q, want %q", got, want)
	}

	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := l.Reopen(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("reopening in a folder that is gone: %v", err)
	}
	mustWrite(t, l, "into the file that was open")
}

func TestAuditLogThatCannotBeOpened(t *testing.T) {
	if _, err := OpenAuditLog(filepath.Join(t.TempDir(), "missing", "audit.jsonl")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

// fullDisk takes as much as fits.
type fullDisk struct {
	strings.Builder
	free int
}

func (d *fullDisk) Write(text []byte) (int, error) {
	n := min(len(text), d.free)
	d.free -= n
	_, _ = d.Builder.Write(text[:n])
	if n < len(text) {
		return n, errors.New("no space left on device")
	}
	return n, nil
}

// Every record that was taken stands in a line of its own, whatever became of the one before; failing and working again
// are told once each.
func TestAuditLogOnAFullDisk(t *testing.T) {
	disk := &fullDisk{free: 8}
	l := NewAuditLog(disk)
	for n, step := range []struct {
		freed    int
		turned   bool
		wantFail bool
	}{
		{0, false, false}, {0, true, true}, {0, false, true}, {100, true, false}, {0, false, false},
	} {
		disk.free += step.freed
		turned, err := l.write("rec")
		if turned != step.turned || (err != nil) != step.wantFail {
			t.Errorf("step %d: turned %t, %v", n, turned, err)
		}
	}
	if diff := cmp.Diff("\"rec\"\n\"r\n\"rec\"\n\"rec\"\n", disk.String()); diff != "" {
		t.Errorf("the log (-want +got):\n%s", diff)
	}
}
