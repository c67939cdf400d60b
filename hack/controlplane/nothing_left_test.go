// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestNothingIsLeft(t *testing.T) {
	for _, tc := range []struct {
		name string
		args []string
		end  func(*starter) error
		// paused has a part that cannot react.
		paused bool
		want   int
	}{
		{name: "after the end of stdin", end: func(s *starter) error { return s.stdin.Close() }, paused: true},
		{name: "after ctrl-C", end: func(s *starter) error { return s.cmd.Process.Signal(syscall.SIGINT) }},
		{name: "after ctrl-C in the foreground", args: []string{"--foreground"},
			end: func(s *starter) error {
				return errors.Join(s.stdin.Close(), s.cmd.Process.Signal(syscall.SIGINT))
			}},
		{name: "after the starter was killed", paused: true, want: -1,
			end: func(s *starter) error { return s.cmd.Process.Kill() }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := launch(t, tc.args...)
			s.waitReady()
			if tc.paused {
				s.do("pause", partAPIServer)
			}
			if err := tc.end(s); err != nil {
				t.Fatal(err)
			}
			if err := s.cmd.Wait(); s.cmd.ProcessState.ExitCode() != tc.want {
				t.Errorf("the starter ended with %v, want exit code %d", err, tc.want)
			}
			s.wantGone(s.ready.Parts)
		})
	}
}

func TestNothingIsLeftAfterCtrlCWhileStarting(t *testing.T) {
	s := launch(t)
	eventually(t, 15*time.Minute, func() error {
		_, err := os.Stat(filepath.Join(s.state, "logs", partAPIServer+".log"))
		return err
	})
	if err := s.cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Wait(); err != nil {
		t.Errorf("the starter ended with %v, want exit code 0", err)
	}
	s.wantGone(nil)
}

func TestFailedStartShowsTheLogAndLeavesNothing(t *testing.T) {
	cache := t.TempDir()
	release, err := newRelease(cache)
	if err != nil {
		t.Fatal(err)
	}
	// A real program that is no etcd: it ends at once, complaining about the flags.
	if err := os.Mkdir(release.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, p := range release.programs {
		if err := os.Symlink(lookPath(t, "go"), release.path(p.name)); err != nil {
			t.Fatal(err)
		}
	}
	state := filepath.Join(t.TempDir(), "state")
	cmd := exec.Command(os.Args[0], "start", "--cache", cache, "--dir", state, "--foreground")
	cmd.Env = append(os.Environ(), asStarter+"=1")
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState.ExitCode() != 1 {
		t.Errorf("got %v, want exit code 1", err)
	}
	for _, want := range []string{"etcd did not become ready", "exit status 2", "go help", "end of " + state} {
		wantContains(t, string(out), want)
	}
	if strings.Contains(string(out), "unexpectedly") {
		t.Errorf("got %q, want the end of etcd reported once", out)
	}
	if _, err := os.Stat(state); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the state folder is still there (%v)", err)
	}
}

func lookPath(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatal(err)
	}
	return path
}
