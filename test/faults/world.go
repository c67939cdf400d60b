// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/test/cluster"
	"github.com/lxp-dev/course-completion-operator/test/system"
)

const (
	// servers is how many webhook servers there are.
	servers = 2
	// smallDisk is how many bytes the file system of an inbox has where it has its own.
	smallDisk = 48 << 20
	// healTimeout bounds how long everything may take to be ready again after the faults of a round.
	healTimeout = 2 * time.Minute
)

// world is everything that runs.
type world struct {
	dir    string
	can    capabilities
	plane  *cluster.Cluster
	system *system.System
	admin  client.WithWatch
	// units are the programs: the webhook servers by their number, then the controller-manager.
	units   []*unit
	mounted []string
}

// unit is a program that somebody starts again whenever it ends, as a kubelet does, unless a fault keeps it down.
type unit struct {
	*system.Program
	// notBefore is when a program that ended by itself is started again.
	notBefore time.Time
	mu        sync.Mutex
	down      bool
}

// startWorld starts a control plane and all programs. What it started it stops when it fails.
func startWorld(ctx context.Context, dir string, smallDisks bool) (w *world, err error) {
	w = &world{dir: dir, can: capabilities{servers: servers, limits: canLimit, smallDisks: smallDisks}}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.stop())
		}
	}()
	bin := filepath.Join(dir, "bin")
	if err := system.Build(ctx, bin, os.Stderr, "clockoffset"); err != nil {
		return nil, err
	}
	for i := range servers {
		inbox := filepath.Dir(w.inbox(i))
		if err := os.MkdirAll(inbox, 0o700); err != nil {
			return nil, err
		}
		if smallDisks {
			if err := mountSmall(inbox, smallDisk); err != nil {
				return nil, err
			}
			w.mounted = append(w.mounted, inbox)
		}
	}
	if err := os.MkdirAll(w.clocks(), 0o700); err != nil {
		return nil, err
	}
	if w.plane, err = cluster.Start(ctx, cluster.Options{StateDir: filepath.Join(dir, "controlplane")}); err != nil {
		return nil, err
	}
	if w.admin, err = system.NewClient(w.plane.AdminConfig()); err != nil {
		return nil, err
	}
	w.system, err = system.Start(ctx, w.plane, system.Options{
		Dir: dir, Bin: bin, Replicas: servers, ClockDir: w.clocks(), InboxDir: filepath.Join(dir, "inboxes"),
	})
	if err != nil {
		return nil, err
	}
	for _, program := range w.system.Programs() {
		w.units = append(w.units, &unit{Program: program})
	}
	return w, nil
}

func (w *world) clocks() string { return filepath.Join(w.dir, "clocks") }

// inbox is the file of the inbox of a webhook server, in a folder of its own.
func (w *world) inbox(number int) string {
	return system.InboxPath(filepath.Join(w.dir, "inboxes"), number)
}

// stop ends everything and returns what was left undone.
func (w *world) stop() error {
	var failures []error
	if w.system != nil {
		failures = append(failures, w.system.Stop())
	}
	if w.plane != nil {
		failures = append(failures, w.plane.Stop())
	}
	for _, dir := range w.mounted {
		failures = append(failures, unmount(dir))
	}
	return errors.Join(failures...)
}

// unit returns the program that a fault is about.
func (w *world) unit(target string) *unit {
	for i := range servers {
		if target == server(i) {
			return w.units[i]
		}
	}
	return w.units[servers]
}

// kill ends a program and keeps it down.
func (u *unit) kill() error {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.down = true
	return u.Kill()
}

// up starts a program unless it runs.
func (u *unit) up() error {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.down = false
	return u.launch()
}

func (u *unit) launch() error {
	if u.PID() != 0 {
		return nil
	}
	return u.Launch()
}

// pause stops a program if it runs.
func (u *unit) pause() error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.PID() == 0 {
		return nil
	}
	return u.Pause()
}

// resume has it go on.
func (u *unit) resume() error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.PID() == 0 {
		return nil
	}
	return u.Resume()
}

// couldNotRun is what the controller-manager says when it ends in an orderly way: it has to when it could not renew its
// lease in time, since another one may lead by then, and it does when the API is away at its start.
const couldNotRun = "Controller-manager failed"

// startAgainAfter is how long a program that ended by itself stays down.
const startAgainAfter = time.Second

// supervise starts again what ended by itself until ctx ends. The controller-manager may end so in an orderly way;
// everything else is a failure. It returns how often the controller-manager gave up.
func (w *world) supervise(ctx context.Context, fail func(error)) (gaveUp int) {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return gaveUp
		case <-tick.C:
		}
		for _, u := range w.units {
			select {
			case err := <-u.Ended():
				if u != w.unit(manager) || !strings.Contains(err.Error(), couldNotRun) {
					fail(fmt.Errorf("not killed by any fault: %w", err))
					return gaveUp
				}
				gaveUp++
				u.notBefore = time.Now().Add(startAgainAfter)
			default:
			}
			u.mu.Lock()
			if !u.down && time.Now().After(u.notBefore) {
				if err := u.launch(); err != nil {
					fail(err)
				}
			}
			u.mu.Unlock()
		}
	}
}

// heal waits until everything is ready. The faults have undone themselves by then.
func (w *world) heal(ctx context.Context) error {
	err := system.WaitFor(ctx, healTimeout, func(ctx context.Context) error {
		_, err := w.plane.Kubectl(ctx, "get", "--raw", "/readyz")
		return err
	})
	if err != nil {
		return fmt.Errorf("the API server is not ready again: %w", err)
	}
	for _, u := range w.units {
		if err := system.WaitFor(ctx, healTimeout, u.Ready); err != nil {
			return fmt.Errorf("%s is not ready again: %w; the end of its log:\n%s", u.Name, err, u.LogTail())
		}
	}
	return nil
}
