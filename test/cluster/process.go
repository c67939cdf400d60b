// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// process is one running program. Its methods are safe for use by several goroutines.
type process struct {
	cmd *exec.Cmd
	// done is closed once the program has ended and been waited for; err is readable from then on.
	done chan struct{}
	err  error
}

// launch starts a program with stdout and stderr appended to the log.
func launch(executable string, args []string, logPath string) (*process, error) {
	log, err := os.OpenFile(logPath, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening log: %w", err)
	}
	defer log.Close()
	p := &process{cmd: exec.Command(executable, args...), done: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = log, log
	if err := Spawn(p.cmd); err != nil {
		return nil, fmt.Errorf("starting %s: %w", executable, err)
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.done)
	}()
	return p, nil
}

func (p *process) pid() int { return p.cmd.Process.Pid }

func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// kill ends the program with SIGKILL, which also ends a paused one, and waits until it is gone.
func (p *process) kill() error {
	if err := p.signal(syscall.SIGKILL); err != nil {
		return err
	}
	<-p.done
	return nil
}

// terminate asks the program to end, wakes it in case it is paused, and kills it when it is still there after grace.
func (p *process) terminate(grace time.Duration) error {
	if err := errors.Join(p.signal(syscall.SIGTERM), p.signal(syscall.SIGCONT)); err != nil {
		return err
	}
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-p.done:
		return nil
	case <-timer.C:
		return p.kill()
	}
}

// signal treats a program that has ended already as success.
func (p *process) signal(sig syscall.Signal) error {
	if err := p.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("sending %s to process %d: %w", sig, p.pid(), err)
	}
	return nil
}

// pause stops the program and returns once no thread of it runs any more.
func (p *process) pause(ctx context.Context) error {
	if err := p.signal(syscall.SIGSTOP); err != nil {
		return err
	}
	return poll(ctx, 5*time.Second, 5*time.Millisecond, func(context.Context) error {
		if p.ended() {
			return errEnded
		}
		return stopped(p.pid())
	})
}

// errEnded is final: what has ended will not become ready.
var errEnded = errors.New("it has ended")

// poll calls check until it returns nil, ctx ends, the time is over or check says that the program has ended.
func poll(ctx context.Context, timeout, interval time.Duration, check func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		err := check(ctx)
		if err == nil || errors.Is(err, errEnded) {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w; last error: %w", context.Cause(ctx), err)
		case <-tick.C:
		}
	}
}
