// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package system

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/lxp-dev/course-completion-operator/internal/clockoffset"
	"github.com/lxp-dev/course-completion-operator/test/cluster"
)

const (
	// readyTimeout bounds how long a program may take to become ready, on a machine that is busy with other tests.
	readyTimeout = 5 * time.Minute
	// probeTimeout bounds a probe: what does not answer at all is not ready.
	probeTimeout = 15 * time.Second
	// stopGrace is how long a program may take to end after SIGTERM, as terminationGracePeriodSeconds in config.
	stopGrace = 60 * time.Second
	// tailLines is how much of a log an error shows.
	tailLines = 25
)

// ErrEnded says that a program ended that nobody had told to.
var ErrEnded = errors.New("ended by itself")

// Program is one of the operator's programs, run as a process that can be stopped, killed and started again. Its
// methods are for one goroutine at a time, except Ended and LogTail.
type Program struct {
	// Name is the name of the executable, for further replicas with a number.
	Name string
	// Log is the path of the file that everything it writes is appended to.
	Log string

	// account is the ServiceAccount that the program runs as.
	account string
	path    string
	args    []string
	// clock is the path of the file that sets the program's clock.
	clock             string
	readyURL, liveURL string
	// kubeconfig is all that the program knows of the cluster.
	kubeconfig string
	mu         sync.Mutex
	process    *process
	unplanned  chan error
}

// process is one run of a program.
type process struct {
	cmd *exec.Cmd
	// done is closed when the process has ended; err is readable from then on.
	done chan struct{}
	err  error
	// expected is closed before somebody ends the process on purpose.
	expected     chan struct{}
	expectedOnce sync.Once
}

// newProgram prepares a replica of an executable. The first one is 0.
func newProgram(o Options, executable string, replica int, healthAddress string, args ...string) *Program {
	name := executable
	if replica > 0 {
		name += fmt.Sprintf("-%d", replica)
	}
	return &Program{
		Name:       name,
		Log:        filepath.Join(o.Dir, name+".log"),
		account:    "completion-" + executable,
		path:       filepath.Join(o.Bin, executable),
		clock:      filepath.Join(o.ClockDir, name),
		args:       append(args, o.Args...),
		readyURL:   "http://" + healthAddress + "/readyz",
		liveURL:    "http://" + healthAddress + "/healthz",
		kubeconfig: filepath.Join(o.Dir, name+".kubeconfig"),
		unplanned:  make(chan error, 1),
	}
}

// Launch starts the program and does not wait for anything.
func (p *Program) Launch() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	log, err := os.OpenFile(p.Log, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("opening the log of %s: %w", p.Name, err)
	}
	defer log.Close()
	run := &process{
		cmd:      exec.Command(p.path, p.args...),
		done:     make(chan struct{}),
		expected: make(chan struct{}),
	}
	run.cmd.Env = append(os.Environ(), "KUBECONFIG="+p.kubeconfig, clockoffset.FileVariable+"="+p.clock)
	run.cmd.Stdout, run.cmd.Stderr = log, log
	if err := cluster.Spawn(run.cmd); err != nil {
		return fmt.Errorf("starting %s: %w", p.Name, err)
	}
	p.process = run
	go p.watch(run)
	return nil
}

// Command prepares the executable with other arguments, for one of its commands. It is not started, and has the
// credentials of the program.
func (p *Program) Command(ctx context.Context, args ...string) *exec.Cmd {
	command := exec.CommandContext(ctx, p.path, args...)
	command.Env = append(os.Environ(), "KUBECONFIG="+p.kubeconfig)
	return command
}

// watch waits for the end of a run and tells Ended when nobody asked for it.
func (p *Program) watch(run *process) {
	run.err = run.cmd.Wait()
	close(run.done)
	select {
	case <-run.expected:
	default:
		select {
		case p.unplanned <- p.endedError(run):
		default:
		}
	}
}

func (p *Program) endedError(run *process) error {
	state := "exit code 0"
	if run.err != nil {
		state = run.err.Error()
	}
	return fmt.Errorf("%s %w (%s); the end of %s:\n%s", p.Name, ErrEnded, state, p.Log, p.LogTail())
}

// Ended yields an error with the end of the log when the program ends and nobody told it to.
func (p *Program) Ended() <-chan error { return p.unplanned }

// Start launches the program and waits until it says that it is ready.
func (p *Program) Start(ctx context.Context) error {
	if err := p.Launch(); err != nil {
		return err
	}
	return p.WaitReady(ctx)
}

// WaitReady waits until the program says that it is ready, it ends, or readyTimeout is over.
func (p *Program) WaitReady(ctx context.Context) error {
	run := p.current()
	if run == nil {
		return fmt.Errorf("%s was not started", p.Name)
	}
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := p.Ready(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-run.done:
			return p.endedError(run)
		case <-ctx.Done():
			return fmt.Errorf("%s is not ready: %w; the end of %s:\n%s", p.Name, err, p.Log, p.LogTail())
		}
	}
}

// Ready returns nil when the program says that it is ready now.
func (p *Program) Ready(ctx context.Context) error { return probe(ctx, p.readyURL) }

// Live returns nil when the program says that it is alive now.
func (p *Program) Live(ctx context.Context) error { return probe(ctx, p.liveURL) }

func probe(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, io.LimitReader(response.Body, 1<<16)); err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", url, response.Status)
	}
	return nil
}

// Kill ends the program with SIGKILL, as a crash or a lost node would, and waits until it is gone.
func (p *Program) Kill() error { return p.end(syscall.SIGKILL) }

// Stop asks the program to end, and kills it when it has not after a minute; that is an error.
func (p *Program) Stop() error { return p.end(syscall.SIGTERM) }

func (p *Program) end(signal syscall.Signal) error {
	run := p.current()
	if run == nil {
		return nil
	}
	run.expectedOnce.Do(func() { close(run.expected) })
	if err := run.cmd.Process.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("ending %s: %w", p.Name, err)
	}
	timer := time.NewTimer(stopGrace)
	defer timer.Stop()
	select {
	case <-run.done:
		return nil
	case <-timer.C:
		err := run.cmd.Process.Kill()
		<-run.done
		return errors.Join(fmt.Errorf("%s did not end within %s of %s", p.Name, stopGrace, signal), err)
	}
}

// Pause stops the program with SIGSTOP: its connections stay open, and nothing answers. Kill ends it all the same.
func (p *Program) Pause() error { return p.signal(syscall.SIGSTOP) }

// Resume has a paused program go on.
func (p *Program) Resume() error { return p.signal(syscall.SIGCONT) }

func (p *Program) signal(signal syscall.Signal) error {
	if p.PID() == 0 {
		return fmt.Errorf("%s does not run", p.Name)
	}
	return p.current().cmd.Process.Signal(signal)
}

// PID returns the process id, 0 when the program does not run.
func (p *Program) PID() int {
	run := p.current()
	if run == nil {
		return 0
	}
	select {
	case <-run.done:
		return 0
	default:
		return run.cmd.Process.Pid
	}
}

func (p *Program) current() *process {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.process
}

// LogTail returns the last lines of the log.
func (p *Program) LogTail() string { return cluster.Tail(p.Log, tailLines) }
