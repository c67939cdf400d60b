// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"syscall"
	"time"
)

// options of one control plane.
type options struct {
	// dir is absolute, or empty for a temporary folder.
	dir        string
	auditLevel string
	// timeout bounds the time in which each part has to become ready.
	timeout time.Duration
}

// plane is one control plane. Its operations are called one after the other; only the watchers of the processes
// run beside them.
type plane struct {
	release   *release
	options   options
	stderr    io.Writer
	state     *state
	endpoints endpoints
	probes    *probes
	spawner   *spawner
	reaper    *reaper

	// mu guards running, which the watchers read.
	mu      sync.Mutex
	running map[string]*instance
}

// instance is one run of a part.
type instance struct {
	process *process
	paused  bool
	// expected is true while somebody waits for the part: until it is ready, and once it is ended on purpose.
	expected bool
	// forgotten is closed when the part has ended and is in no list any more.
	forgotten chan struct{}
}

// startPlane returns a control plane of which every part is ready. On an error nothing of it is left.
func startPlane(ctx context.Context, release *release, o options, stderr io.Writer) (*plane, error) {
	p := &plane{release: release, options: o, stderr: stderr, running: map[string]*instance{}, spawner: newSpawner()}
	err := p.prepare(ctx)
	for _, name := range partNames {
		if err == nil {
			err = p.start(ctx, name)
		}
	}
	if err == nil {
		return p, nil
	}
	if stopErr := p.stop(); stopErr != nil {
		// Not wrapped: a cancelled start that cleaned up is no fault, this is one.
		return nil, fmt.Errorf("%s; stopping what was started: %w", err.Error(), stopErr)
	}
	return nil, err
}

func (p *plane) prepare(ctx context.Context) (err error) {
	if p.state, err = newState(ctx, p.options.dir); err != nil {
		return err
	}
	if p.reaper, err = startReaper(p.state); err != nil {
		return err
	}
	if p.endpoints, err = newEndpoints(); err != nil {
		return err
	}
	if p.options.auditLevel != "None" {
		if err := p.state.write(auditPolicy(p.options.auditLevel), "audit-policy.yaml"); err != nil {
			return err
		}
		// Made here, so that it is there to be read before the first request.
		if err := p.state.write(nil, "audit.log"); err != nil {
			return err
		}
	}
	p.probes, err = writeCredentials(p.state, p.endpoints)
	return err
}

// part describes one program for its next start.
func (p *plane) part(name string) (part, error) {
	switch name {
	case partEtcd:
		return part{name, etcdArgs(p.state, p.endpoints), p.probes.etcdReady, 10 * time.Second}, nil
	case partAPIServer:
		args := apiServerArgs(p.state, p.endpoints, p.options.auditLevel)
		return part{name, args, p.probes.apiServerReady, 10 * time.Second}, nil
	case partControllerManager:
		args := controllerManagerArgs(p.state, p.endpoints)
		return part{name, args, p.probes.controllerManagerReady(), 5 * time.Second}, nil
	default:
		return part{}, fmt.Errorf("unknown part %q: the parts are %q", name, partNames)
	}
}

// start starts a part that does not run and returns when it is ready.
func (p *plane) start(ctx context.Context, name string) error {
	part, err := p.part(name)
	if err != nil {
		return err
	}
	if p.instance(name) != nil {
		return fmt.Errorf("%s runs already: restart or kill it", name)
	}
	process, err := p.spawner.start(p.release.path(name), part.args, p.state.logPath(name))
	if err != nil {
		return err
	}
	started := &instance{process: process, expected: true, forgotten: make(chan struct{})}
	p.set(func() { p.running[name] = started })
	told := p.reaper.started(process.pid())
	go p.watch(name, started)
	if told != nil {
		return told
	}
	err = poll(ctx, p.options.timeout, 50*time.Millisecond, func(ctx context.Context) error {
		if process.ended() {
			return fmt.Errorf("%s: %w (%s)", name, errEnded, process.cmd.ProcessState)
		}
		return part.ready(ctx)
	})
	if err == nil {
		p.set(func() { started.expected = false })
		return nil
	}
	if ctx.Err() != nil {
		return err
	}
	return fmt.Errorf("%s did not become ready: %w\nend of %s:\n%s", name, err,
		p.state.logPath(name), logTail(p.state.logPath(name), 20))
}

// watch forgets a part that ended, and says so on stderr when nobody ended it.
func (p *plane) watch(name string, i *instance) {
	defer close(i.forgotten)
	<-i.process.done
	if err := p.reaper.gone(i.process.pid()); err != nil {
		fmt.Fprintf(p.stderr, "controlplane: %v\n", err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.running, name)
	if !i.expected {
		fmt.Fprintf(p.stderr, "controlplane: %s (pid %d) ended unexpectedly: %v\nend of %s:\n%s\n", name, i.process.pid(),
			i.process.err, p.state.logPath(name), logTail(p.state.logPath(name), 10))
	}
}

// set changes what the watchers read.
func (p *plane) set(change func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change()
}

func (p *plane) instance(name string) *instance {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.running[name]
}

// end ends a part on purpose and forgets it.
func (p *plane) end(name string, how func(*process) error) error {
	i, err := p.find(name)
	if err != nil {
		return err
	}
	p.set(func() { i.expected = true })
	if err := how(i.process); err != nil {
		return err
	}
	<-i.forgotten
	return nil
}

func (p *plane) find(name string) (*instance, error) {
	if !slices.Contains(partNames, name) {
		return nil, fmt.Errorf("unknown part %q: the parts are %q", name, partNames)
	}
	if i := p.instance(name); i != nil {
		return i, nil
	}
	return nil, fmt.Errorf("%s does not run: start it first", name)
}

func (p *plane) kill(name string) error { return p.end(name, (*process).kill) }

// restart ends a part gracefully and starts it again.
func (p *plane) restart(ctx context.Context, name string) error {
	part, err := p.part(name)
	if err != nil {
		return err
	}
	if err := p.end(name, func(process *process) error { return process.terminate(part.grace) }); err != nil {
		return err
	}
	return p.start(ctx, name)
}

func (p *plane) pause(ctx context.Context, name string) error {
	i, err := p.find(name)
	if err != nil {
		return err
	}
	if err := i.process.pause(ctx); err != nil {
		return fmt.Errorf("pausing %s: %w", name, err)
	}
	p.set(func() { i.paused = true })
	return nil
}

func (p *plane) resume(name string) error {
	i, err := p.find(name)
	if err != nil {
		return err
	}
	if err := i.process.signal(syscall.SIGCONT); err != nil {
		return fmt.Errorf("resuming %s: %w", name, err)
	}
	p.set(func() { i.paused = false })
	return nil
}

// stop ends every part and removes the state. It does what it can and returns every error.
func (p *plane) stop() error {
	var errs []error
	for _, name := range slices.Backward(partNames) {
		if p.instance(name) == nil {
			continue
		}
		part, err := p.part(name)
		if err == nil {
			err = p.end(name, func(process *process) error { return process.terminate(part.grace) })
		}
		// A part that ended by itself between the two lines is no fault.
		if err != nil && p.instance(name) != nil {
			errs = append(errs, fmt.Errorf("stopping %s: %w", name, err))
		}
	}
	switch {
	case p.reaper != nil:
		errs = append(errs, p.reaper.close(), p.state.lock.Close())
	case p.state != nil:
		errs = append(errs, removeState(p.state.dir), p.state.lock.Close())
	}
	return errors.Join(errs...)
}
