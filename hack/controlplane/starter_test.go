// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// asStarter has the test binary act as the program, so that tests meet it as its users do: as a process.
const asStarter = "CONTROLPLANE_TEST_AS_STARTER"

func TestMain(m *testing.M) {
	// The reaper is started by the starter without flags of ours.
	if os.Getenv(asStarter) != "" {
		main()
	}
	os.Exit(m.Run())
}

// starter is a running `controlplane start`.
type starter struct {
	t     *testing.T
	cmd   *exec.Cmd
	stdin io.WriteCloser
	lines *bufio.Scanner
	ready readyMessage
	state string
}

// launch starts the program and does not wait until it is ready. What it needs is built first, which takes minutes
// with empty caches.
func launch(t *testing.T, args ...string) *starter {
	t.Helper()
	s := &starter{t: t, state: filepath.Join(t.TempDir(), "state")}
	s.cmd = exec.Command(os.Args[0], append([]string{"start", "--build", "--dir", s.state}, args...)...)
	s.cmd.Env = append(os.Environ(), asStarter+"=1")
	s.cmd.Stderr = t.Output()
	s.cmd.WaitDelay = 10 * time.Second
	stdout, err := s.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if s.stdin, err = s.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	// Ends the starter and with it everything else, also when the test fails half-way.
	t.Cleanup(func() {
		_ = s.stdin.Close()
		_ = s.cmd.Wait()
	})
	s.lines = bufio.NewScanner(stdout)
	return s
}

func (s *starter) waitReady() {
	s.t.Helper()
	s.read(&s.ready)
	if !s.ready.Ready {
		s.t.Fatal("the first line does not say ready")
	}
}

func (s *starter) read(into any) {
	s.t.Helper()
	if !s.lines.Scan() {
		s.t.Fatalf("stdout of the starter ended: %v", s.lines.Err())
	}
	if err := json.Unmarshal(s.lines.Bytes(), into); err != nil {
		s.t.Fatalf("line %q: %v", s.lines.Text(), err)
	}
}

// do sends a command and wants it carried out.
func (s *starter) do(op, part string) map[string]partInfo {
	s.t.Helper()
	got := s.ask(command{ID: 7, Op: op, Part: part})
	if !got.OK || got.ID != 7 {
		s.t.Fatalf("%s %s: got answer %+v, want ok and id 7", op, part, got)
	}
	return got.Parts
}

func (s *starter) ask(c command) (got answer) {
	s.t.Helper()
	line, err := json.Marshal(c)
	if err != nil {
		s.t.Fatal(err)
	}
	if _, err := s.stdin.Write(append(line, '\n')); err != nil {
		s.t.Fatal(err)
	}
	s.read(&got)
	return got
}

func (s *starter) kubectl(args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, s.ready.Kubectl, args...)
	cmd.Env = append(os.Environ(),
		"KUBECONFIG="+s.ready.Kubeconfig, "KUBECACHEDIR="+filepath.Join(s.state, "kubectl"), "KUBERC=off")
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("kubectl %v: %w: %s", args, err, out)
	}
	return string(out), nil
}

func (s *starter) mustKubectl(args ...string) string {
	s.t.Helper()
	out, err := s.kubectl(args...)
	if err != nil {
		s.t.Fatal(err)
	}
	return out
}

// wantGone wants every part dead, no process that mentions the state folder, and the folder removed.
func (s *starter) wantGone(parts map[string]partInfo) {
	s.t.Helper()
	for name, part := range parts {
		eventually(s.t, patience, func() error {
			if alive(part.PID) {
				return fmt.Errorf("%s (pid %d) is still there", name, part.PID)
			}
			return nil
		})
	}
	eventually(s.t, patience, func() error {
		if _, err := os.Stat(s.state); err == nil {
			return errors.New("the state folder is still there")
		} else if !errors.Is(err, os.ErrNotExist) {
			return err
		}
		return mentioned(s.state)
	})
}

// mentioned looks through the processes (on Linux) for one that was started with a path.
func mentioned(path string) error {
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		return err
	}
	for _, file := range files {
		// A process that has ended meanwhile has no file any more.
		if line, err := os.ReadFile(file); err == nil && strings.Contains(string(line), path) {
			return fmt.Errorf("%s: %q is still there", file, line)
		}
	}
	return nil
}

// alive says false for a process that ended and that nobody has waited for yet.
func alive(pid int) bool {
	if syscall.Kill(pid, 0) != nil {
		return false
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return !errors.Is(err, os.ErrNotExist)
	}
	return !strings.Contains(string(stat), ") Z ")
}

// patience is how long something may take on a slow and busy machine before the test gives up.
const patience = 2 * time.Minute

func eventually(t *testing.T, timeout time.Duration, check func() error) {
	t.Helper()
	if err := poll(t.Context(), timeout, 50*time.Millisecond, func(context.Context) error { return check() }); err != nil {
		t.Fatal(err)
	}
}
