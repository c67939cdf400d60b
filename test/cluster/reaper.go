// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// reaping reads which process groups start and go, until its stdin ends, which it does with this process. Then it ends
// those that are left and removes the state folder, its argument. A dying part may still write into the folder, so that
// is tried for a while. A pid above 1 is never everybody's group.
const reaping = `
groups=' '
while read -r verb pid; do
  case "$verb" in
    started) groups="$groups$pid " ;;
    gone) groups="${groups%% $pid *} ${groups#* $pid }" ;;
  esac
done
for pid in $groups; do
  [ "$pid" -gt 1 ] && kill -s KILL -- "-$pid" 2>/dev/null
done
for attempt in 1 2 3 4 5 6 7 8 9 10; do
  rm -rf -- "$1" && exit 0
  sleep 0.5
done
exit 1
`

// reaper is a process that outlives this one, and cleans up also when this one was killed by SIGKILL. It shares the
// lock of the state folder, so that nobody takes the folder over before it is done.
type reaper struct {
	cmd  *exec.Cmd
	pipe io.WriteCloser
}

func startReaper(s *state) (*reaper, error) {
	cmd := exec.Command("/bin/sh", "-c", reaping, "reaper", s.dir)
	cmd.ExtraFiles = []*os.File{s.lock}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	pipe, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting the reaper: %w", err)
	}
	return &reaper{cmd: cmd, pipe: pipe}, nil
}

func (r *reaper) started(pid int) error { return r.tell("started", pid) }
func (r *reaper) gone(pid int) error    { return r.tell("gone", pid) }

func (r *reaper) tell(verb string, pid int) error {
	if _, err := fmt.Fprintln(r.pipe, verb, pid); err != nil {
		return fmt.Errorf("telling the reaper: %w", err)
	}
	return nil
}

// close has the reaper remove what is left and waits for it.
func (r *reaper) close() error {
	if err := errors.Join(r.pipe.Close(), r.cmd.Wait()); err != nil {
		return fmt.Errorf("ending the reaper: %w", err)
	}
	return nil
}

// removeState removes a state folder that has no reaper yet.
func removeState(dir string) error {
	// Not the context of a start, which has ended when this is called.
	err := poll(context.Background(), 5*time.Second, 100*time.Millisecond, func(context.Context) error {
		return os.RemoveAll(dir)
	})
	if err != nil {
		return fmt.Errorf("removing the state folder: %w", err)
	}
	return nil
}
