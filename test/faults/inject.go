// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/lxp-dev/course-completion-operator/test/cluster"
)

// disturb lets the faults of a round happen, each at its time, and returns when all of them are undone.
func (w *world) disturb(ctx context.Context, faults []fault) error {
	failures := make([]error, len(faults))
	var disturbing sync.WaitGroup
	for i, f := range faults {
		disturbing.Go(func() {
			if err := w.suffer(ctx, f); err != nil {
				failures[i] = fmt.Errorf("%s: %w", f, err)
			}
		})
	}
	disturbing.Wait()
	return errors.Join(failures...)
}

// suffer lets one fault happen and undoes it, also when ctx ends early.
func (w *world) suffer(ctx context.Context, f fault) error {
	wait(ctx, f.at)
	undo, err := w.begin(ctx, f)
	if err != nil {
		return err
	}
	wait(ctx, f.lasts)
	return undo(context.WithoutCancel(ctx))
}

func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// begin does what the fault is, and returns what undoes it.
func (w *world) begin(ctx context.Context, f fault) (undo func(context.Context) error, err error) {
	switch {
	case f.kind == powerLoss:
		return w.startEverything, w.killEverything(ctx, f.apart)
	case f.target == apiServer || f.target == etcd:
		return w.beginPlane(ctx, f)
	case f.kind == kill:
		return func(context.Context) error { return w.unit(f.target).up() }, w.unit(f.target).kill()
	case f.kind == pause:
		return func(context.Context) error { return w.unit(f.target).resume() }, w.unit(f.target).pause()
	case f.kind == clockStep:
		return func(context.Context) error { return w.setClock(f.target, 0) }, w.setClock(f.target, f.step)
	default:
		return w.beginDisk(f)
	}
}

// beginPlane kills or pauses a part of the control plane.
func (w *world) beginPlane(ctx context.Context, f fault) (undo func(context.Context) error, err error) {
	part := cluster.Part(f.target)
	if f.kind == kill {
		return func(ctx context.Context) error { return w.plane.StartPart(ctx, part) }, w.plane.Kill(ctx, part)
	}
	return func(ctx context.Context) error { return w.plane.Resume(ctx, part) }, w.plane.Pause(ctx, part)
}

// setClock sets how many seconds the clock of a program is ahead.
func (w *world) setClock(target string, seconds int64) error {
	path := filepath.Join(w.clocks(), w.unit(target).Name)
	return os.WriteFile(path, []byte(strconv.FormatInt(seconds, 10)), 0o600)
}

// beginDisk takes from a webhook server what it needs to write.
func (w *world) beginDisk(f fault) (undo func(context.Context) error, err error) {
	u := w.unit(f.target)
	inbox := w.inbox(slices.Index(w.units, u))
	if f.kind == diskFull {
		ballast := filepath.Join(filepath.Dir(inbox), "ballast")
		return func(context.Context) error { return os.Remove(ballast) }, fill(ballast)
	}
	size := uint64(os.Getpagesize())
	if f.kind == filesStop {
		info, err := os.Stat(inbox)
		if err != nil {
			return nil, err
		}
		size = uint64(info.Size())
	}
	// A program that was started meanwhile has no such limit.
	pid := u.PID()
	return func(context.Context) error {
		if pid == 0 || u.PID() != pid {
			return nil
		}
		return limitFiles(pid, noLimit)
	}, limitRunning(pid, size)
}

func limitRunning(pid int, size uint64) error {
	if pid == 0 {
		return nil
	}
	return limitFiles(pid, size)
}

// killEverything is what the end of the power does, machine by machine: nothing has time for anything.
func (w *world) killEverything(ctx context.Context, apart time.Duration) error {
	failures := []error{w.plane.Kill(ctx, cluster.APIServer)}
	wait(ctx, apart)
	for _, u := range w.units {
		failures = append(failures, u.kill())
	}
	return errors.Join(append(failures, w.plane.Kill(ctx, cluster.Etcd))...)
}

// startEverything starts the programs first, since they have to bear it that there is no API yet.
func (w *world) startEverything(ctx context.Context) error {
	var failures []error
	for _, u := range w.units {
		failures = append(failures, u.up())
	}
	for _, part := range []cluster.Part{cluster.Etcd, cluster.APIServer} {
		failures = append(failures, w.plane.StartPart(ctx, part))
	}
	return errors.Join(failures...)
}
