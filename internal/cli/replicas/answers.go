// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package replicas

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/lxp-dev/course-completion-operator/internal/inboxapi"
)

// What an inbox answers has its home in package inboxapi; the plugin uses it by these names.
type (
	// Status is what an inbox has.
	Status = inboxapi.Status
	// Count is how much there is.
	Count = inboxapi.Count
	// Record is one delivery in an inbox.
	Record = inboxapi.Record
)

// What came of what was asked for a record.
const (
	Retried = inboxapi.Retried
	Dropped = inboxapi.Dropped
	Gone    = inboxapi.Gone
	Busy    = inboxapi.Busy
)

// States of records.
const (
	Waiting = inboxapi.Waiting
	Dead    = inboxapi.Dead
)

// Records runs a command of the inbox that says one record a line.
func (c *Connection) Records(ctx context.Context, r *Replica, args []string, take func(*Record) error) error {
	return c.Run(ctx, r, args, func(line []byte) error {
		record := &Record{}
		if err := decode(line, record); err != nil {
			return err
		}
		record.Replica = r.Pod
		return take(record)
	})
}

// Status asks what the inbox of a replica has.
func (c *Connection) Status(ctx context.Context, r *Replica) (*Status, error) {
	return c.status(ctx, r, "status", "--json")
}

// Drain has a replica try everything that waits, and waits until it is stored, for as long as timeout says at most. The
// error is an *ExitError where something is left; what that is is returned all the same.
func (c *Connection) Drain(ctx context.Context, r *Replica, timeout time.Duration) (*Status, error) {
	patient := *c
	patient.silence += timeout
	return patient.status(ctx, r, "drain", "--json", "--timeout="+timeout.String())
}

func (c *Connection) status(ctx context.Context, r *Replica, args ...string) (*Status, error) {
	var said *Status
	err := c.Run(ctx, r, args, func(line []byte) error {
		said = &Status{}
		return decode(line, said)
	})
	if err == nil && said == nil {
		err = fmt.Errorf("it did not answer: %s", c.whereIsIt(r))
	}
	return said, err
}

func decode(line []byte, into any) error {
	if err := json.Unmarshal(line, into); err != nil {
		return fmt.Errorf("its answer is not valid for this plugin: is the webhook server of another " +
			"release?")
	}
	return nil
}
