// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"time"

	"github.com/lxp-dev/course-completion-operator/test/cluster"
)

// seatPatience is longer than a completion waits, without a write, before it is told that no seat is free.
const seatPatience = 15 * time.Second

// measureRelist counts what is written when the controller-manager lists everything anew and is told of each object
// once more, as by a resync: the API server is started again under it.
func (w *world) measureRelist(ctx context.Context, s size, t *table) error {
	if s.grants == 0 {
		return nil
	}
	w.say("relist after a restart of the API server")
	if _, err := w.awaitQuietFor(ctx, seatPatience); err != nil {
		return err
	}
	if err := w.plane.Restart(ctx, cluster.APIServer); err != nil {
		return err
	}
	if err := w.system.ControllerManager.WaitReady(ctx); err != nil {
		return err
	}
	if err := w.awaitCaughtUp(ctx); err != nil {
		return err
	}
	// Its counts begin anew with it.
	written, err := w.awaitQuiet(ctx)
	if err != nil {
		return err
	}
	t.equal("writes after a relist of everything", written.sum(), 0, written.String())
	return nil
}
