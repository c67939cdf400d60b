// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestStateFolder(t *testing.T) {
	for _, tc := range []struct {
		name  string
		given []string
		// gone are files that a start removes.
		gone []string
		want string
	}{
		{name: "that does not exist is made"},
		{name: "of a killed cluster is taken over", given: []string{markerName, "kubeconfig"}, gone: []string{"kubeconfig"}},
		{name: "of somebody else is refused", given: []string{"thesis.txt"}, want: "not made by this program"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "state")
			for _, name := range tc.given {
				if err := os.MkdirAll(dir, 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			s, err := newState(t.Context(), dir)
			if tc.want != "" {
				if err == nil || !strings.Contains(err.Error(), tc.want) {
					t.Fatalf("got %v, want an error with %q", err, tc.want)
				}
				if _, err := os.Stat(filepath.Join(dir, tc.given[0])); err != nil {
					t.Errorf("a file of somebody else was touched: %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer s.lock.Close()
			for _, name := range tc.gone {
				if _, err := os.Stat(s.path(name)); err == nil {
					t.Errorf("%s is still there", name)
				}
			}
			if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
				t.Errorf("got mode %v (%v), want 0700", info.Mode(), err)
			}
		})
	}
}

func TestLockOfARemovedFileProtectsNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	old, err := lockNow(path)
	if err != nil {
		t.Fatal(err)
	}
	defer old.Close()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if isStillAt(old, path) {
		t.Error("a removed lock file counts as there")
	}
	fresh, err := lockNow(path)
	if err != nil {
		t.Fatal(err)
	}
	defer fresh.Close()
	if isStillAt(old, path) {
		t.Error("a lock file that was replaced counts as there")
	}
}

func TestPortRangeIsBelowTheEphemeralOne(t *testing.T) {
	for _, tc := range []struct {
		ephemeral   string
		first, last int
	}{
		{"32768\t60999", 22768, 32767},
		{"20000\t60999", 10000, 19999},
		{"1024\t65535", 22768, 32767},
		{"", 22768, 32767},
	} {
		if first, last := portRange(tc.ephemeral); first != tc.first || last != tc.last {
			t.Errorf("%q: got %d-%d, want %d-%d", tc.ephemeral, first, last, tc.first, tc.last)
		}
	}
}

func TestFreePortsAreDifferent(t *testing.T) {
	ports, err := freePorts(20)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[int]bool{}
	for _, port := range ports {
		if seen[port] {
			t.Errorf("port %d was given twice", port)
		}
		seen[port] = true
	}
}

func TestTail(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	if err := os.WriteFile(path, []byte("one\ntwo\nthree\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, want := Tail(path, 2), "two\nthree"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := Tail(path+".absent", 2); !strings.Contains(got, "no log") {
		t.Errorf("got %q, want it to say that there is no log", got)
	}
}
