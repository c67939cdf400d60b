// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// reapCommand is the hidden command that the starter runs itself with.
const reapCommand = "reap"

// reaper is a process that outlives the starter, ends the parts that are left and removes the state folder, also when
// the starter was killed by SIGKILL. It learns what there is through a pipe, whose end is the starter's end. It shares
// the lock of the folder, so that nobody takes the folder over before it is done.
type reaper struct {
	cmd  *exec.Cmd
	pipe io.WriteCloser
}

func startReaper(s *state) (*reaper, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("finding the own executable: %w", err)
	}
	cmd := exec.Command(self, reapCommand)
	cmd.ExtraFiles = []*os.File{s.lock}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	pipe, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting the reaper: %w", err)
	}
	r := &reaper{cmd: cmd, pipe: pipe}
	return r, r.tell("dir " + s.dir)
}

func (r *reaper) tell(line string) error {
	if _, err := fmt.Fprintln(r.pipe, line); err != nil {
		return fmt.Errorf("telling the reaper: %w", err)
	}
	return nil
}

func (r *reaper) started(pid int) error { return r.tell("started " + strconv.Itoa(pid)) }
func (r *reaper) gone(pid int) error    { return r.tell("gone " + strconv.Itoa(pid)) }

// close has the reaper remove what is left and waits for it.
func (r *reaper) close() error {
	if err := errors.Join(r.pipe.Close(), r.cmd.Wait()); err != nil {
		return fmt.Errorf("ending the reaper: %w", err)
	}
	return nil
}

// reap is the reaper's own side.
func reap(stdin io.Reader) error {
	dir, groups := "", map[int]bool{}
	for lines := bufio.NewScanner(stdin); lines.Scan(); {
		verb, object, _ := strings.Cut(lines.Text(), " ")
		pid, err := strconv.Atoi(object)
		switch {
		case verb == "dir":
			dir = object
		case err != nil || pid <= 1:
			return fmt.Errorf("reaper: line %q is not understood", lines.Text())
		case verb == "started":
			groups[pid] = true
		case verb == "gone":
			delete(groups, pid)
		}
	}
	for pid := range groups {
		if err := syscall.Kill(-pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("reaper: killing process group %d: %w", pid, err)
		}
	}
	return removeState(dir)
}

// removeState removes a state folder; a dying part may still write into it, so it is tried for a while.
func removeState(dir string) error {
	// Not the context of the starter, which has ended when this is called.
	err := poll(context.Background(), 5*time.Second, 100*time.Millisecond, func(context.Context) error {
		return os.RemoveAll(dir)
	})
	if err != nil {
		return fmt.Errorf("removing the state folder: %w", err)
	}
	return nil
}
