// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"syscall"
	"time"
)

// instance is one run of a part.
type instance struct {
	part    Part
	process *process
	// grace is how long it may take to end after SIGTERM.
	grace time.Duration
	// expected is true while somebody waits for the part: until it is ready, and once it is ended on purpose.
	expected bool
	// forgotten is closed when the part has ended and is not among those that run any more.
	forgotten chan struct{}
}

func (i *instance) terminate() error { return i.process.terminate(i.grace) }

// errStopped means that the cluster was stopped, or is being stopped.
var errStopped = errors.New("the cluster is stopped")

// operate runs an operation after the one before it, until Stop is called.
func (c *Cluster) operate(ctx context.Context, name string, part Part, operation func(context.Context) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		select {
		case <-c.stopping:
			cancel(errStopped)
		case <-ctx.Done():
		}
	}()
	c.operating.Lock()
	defer c.operating.Unlock()
	var err error
	select {
	case <-c.stopping:
		err = errStopped
	default:
		err = operation(ctx)
	}
	if err != nil {
		return fmt.Errorf("%s %s: %w", name, part, err)
	}
	return nil
}

// StartPart starts a part that does not run, on the same port and data as before, and returns when it is ready.
func (c *Cluster) StartPart(ctx context.Context, part Part) error {
	return c.operate(ctx, "start", part, func(ctx context.Context) error { return c.launch(ctx, part) })
}

// Kill ends a part with SIGKILL and returns when it is gone.
func (c *Cluster) Kill(ctx context.Context, part Part) error {
	return c.operate(ctx, "kill", part, func(context.Context) error {
		i, err := c.find(part)
		if err != nil {
			return err
		}
		return c.end(i, i.process.kill)
	})
}

// Restart ends a part gracefully, starts it again and returns when it is ready.
func (c *Cluster) Restart(ctx context.Context, part Part) error {
	return c.operate(ctx, "restart", part, func(ctx context.Context) error {
		i, err := c.find(part)
		if err != nil {
			return err
		}
		if err := c.end(i, i.terminate); err != nil {
			return err
		}
		return c.launch(ctx, part)
	})
}

// Pause stops a part with SIGSTOP: connections to it stay open, and nothing answers. It returns once no thread of it
// runs any more.
func (c *Cluster) Pause(ctx context.Context, part Part) error {
	return c.operate(ctx, "pause", part, func(ctx context.Context) error {
		i, err := c.find(part)
		if err != nil {
			return err
		}
		return i.process.pause(ctx)
	})
}

// Resume has a paused part go on.
func (c *Cluster) Resume(ctx context.Context, part Part) error {
	return c.operate(ctx, "resume", part, func(context.Context) error {
		i, err := c.find(part)
		if err != nil {
			return err
		}
		return i.process.signal(syscall.SIGCONT)
	})
}

// launch starts a part that does not run and returns when it is ready.
func (c *Cluster) launch(ctx context.Context, part Part) error {
	recipe, err := c.recipe(part)
	if err != nil {
		return err
	}
	if c.instance(part) != nil {
		return errors.New("it runs already: restart or kill it")
	}
	process, err := launch(filepath.Join(c.programs, string(part)), recipe.args, c.Log(part))
	if err != nil {
		return err
	}
	started := &instance{
		part: part, process: process, grace: recipe.grace, expected: true, forgotten: make(chan struct{})}
	c.set(func() { c.running[part] = started })
	told := c.reaper.started(process.pid())
	go c.watch(started)
	if told != nil {
		return told
	}
	err = poll(ctx, partTimeout, 50*time.Millisecond, func(ctx context.Context) error {
		if process.ended() {
			return fmt.Errorf("%w (%s)", errEnded, process.cmd.ProcessState)
		}
		return recipe.ready(ctx)
	})
	if err == nil {
		c.set(func() { started.expected = false })
		return nil
	}
	if ctx.Err() != nil {
		return err
	}
	return fmt.Errorf("it did not become ready: %w\nend of %s:\n%s", err, c.Log(part), Tail(c.Log(part), 20))
}

// watch forgets a part that ended, and says so on stderr when nobody ended it.
func (c *Cluster) watch(i *instance) {
	defer close(i.forgotten)
	<-i.process.done
	if err := c.reaper.gone(i.process.pid()); err != nil {
		fmt.Fprintf(c.options.Stderr, "cluster: %v\n", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.running, i.part)
	if !i.expected {
		fmt.Fprintf(c.options.Stderr, "cluster: %s (pid %d) ended unexpectedly: %v\nend of %s:\n%s\n", i.part,
			i.process.pid(), i.process.err, c.Log(i.part), Tail(c.Log(i.part), 10))
	}
}

// end ends a part on purpose and forgets it.
func (c *Cluster) end(i *instance, how func() error) error {
	c.set(func() { i.expected = true })
	if err := how(); err != nil {
		return err
	}
	<-i.forgotten
	return nil
}

// set changes what the watchers read.
func (c *Cluster) set(change func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	change()
}

// instance returns nil for a part that does not run.
func (c *Cluster) instance(part Part) *instance {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.running[part]
}

func (c *Cluster) find(part Part) (*instance, error) {
	if !slices.Contains(parts, part) {
		return nil, unknown(part)
	}
	if i := c.instance(part); i != nil {
		return i, nil
	}
	return nil, errors.New("it does not run: start it first")
}

func unknown(part Part) error { return fmt.Errorf("unknown part %q: the parts are %q", part, parts) }

// recipe is what it takes to start one part and to see that it works.
type recipe struct {
	args []string
	// ready returns nil once the part does its work.
	ready func(context.Context) error
	grace time.Duration
}

// recipe describes a part for its next start.
func (c *Cluster) recipe(part Part) (recipe, error) {
	switch part {
	case Etcd:
		return recipe{etcdArgs(c.state, c.endpoints), c.probes.etcdReady, 10 * time.Second}, nil
	case APIServer:
		args := apiServerArgs(c.state, c.endpoints, c.audits())
		if c.options.ContentionProfiling {
			args = append(args, "--contention-profiling")
		}
		return recipe{args, c.probes.apiServerReady, 10 * time.Second}, nil
	case ControllerManager:
		args := controllerManagerArgs(c.state, c.endpoints)
		return recipe{args, c.probes.controllerManagerReady(), 5 * time.Second}, nil
	default:
		return recipe{}, unknown(part)
	}
}
