// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package replicas

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Status is what an inbox has, as webhook-server inbox status --json says it.
type Status struct {
	Records     int        `json:"records"`
	DeadLetters int        `json:"deadLetters"`
	Bytes       int64      `json:"bytes"`
	MaxBytes    int64      `json:"maxBytes"`
	Oldest      *time.Time `json:"oldest,omitempty"`
	// Failure is why it cannot be written; empty where it can.
	Failure string `json:"failure,omitempty"`
	// APIAway tells that its webhook server cannot reach the API server.
	APIAway bool `json:"apiAway"`
	// Namespaces is what each namespace has that has anything. Only Connection.Status asks for it.
	Namespaces map[string]Count `json:"namespaces,omitempty"`
}

// Count is how much there is.
type Count struct {
	Records     int `json:"records"`
	DeadLetters int `json:"deadLetters"`
	// Oldest is when the oldest of those that wait was received.
	Oldest *time.Time `json:"oldest,omitempty"`
}

// Add adds what another inbox has.
func (c *Count) Add(other Count) {
	c.Records += other.Records
	c.DeadLetters += other.DeadLetters
	if c.Oldest == nil || other.Oldest != nil && other.Oldest.Before(*c.Oldest) {
		c.Oldest = other.Oldest
	}
}

// Of is what a namespace has; of all where it is empty.
func (s *Status) Of(namespace string) Count {
	if namespace != "" {
		return s.Namespaces[namespace]
	}
	return Count{s.Records, s.DeadLetters, s.Oldest}
}

// Record is one delivery in an inbox, as webhook-server inbox list --json and show --json say it.
type Record struct {
	// Replica is the pod whose inbox has it.
	Replica    string    `json:"replica"`
	Record     uint64    `json:"record"`
	State      string    `json:"state,omitempty"`
	Received   time.Time `json:"received,omitzero"`
	DeliveryID string    `json:"deliveryID,omitempty"`
	// Completion is the namespace and the name of the CourseCompletion that it is about.
	Completion string `json:"completion,omitempty"`
	Reason     string `json:"reason,omitempty"`
	Attempts   uint32 `json:"attempts,omitempty"`
	// Data is the delivery, which holds personal data. It is there only where it was asked for.
	Data json.RawMessage `json:"data,omitempty"`
	// Outcome is what came of what was asked for the record.
	Outcome Outcome `json:"outcome,omitempty"`
}

// Outcome is what came of what was asked for one record.
type Outcome string

const (
	// Retried: it waits again.
	Retried Outcome = "retried"
	// Dropped: it was removed.
	Dropped Outcome = "dropped"
	// Gone: there is no such record or, where it was to be retried, no such dead letter.
	Gone Outcome = "gone"
	// Busy: it is being tried now, and cannot be dropped.
	Busy Outcome = "busy"
)

// States of records.
const (
	Waiting = "waiting"
	Dead    = "dead"
)

// Name tells the record from those of all replicas, such as 0/17.
func (r *Record) Name() string {
	return strings.TrimPrefix(r.Replica, set+"-") + "/" + strconv.FormatUint(r.Record, 10)
}

// Namespace is where the completion is to be stored.
func (r *Record) Namespace() string {
	namespace, _, _ := strings.Cut(r.Completion, "/")
	return namespace
}

// CompletionName is the name of the CourseCompletion.
func (r *Record) CompletionName() string {
	_, name, _ := strings.Cut(r.Completion, "/")
	return name
}

// User is the platform's number of the user, with which the name of a completion ends.
func (r *Record) User() string { return r.Completion[strings.LastIndexByte(r.Completion, '-')+1:] }

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
		err = fmt.Errorf("it said nothing: %s", c.whereIsIt(r))
	}
	return said, err
}

func decode(line []byte, into any) error {
	if err := json.Unmarshal(line, into); err != nil {
		return fmt.Errorf("it says something that this plugin does not understand: is its webhook server of another " +
			"release?")
	}
	return nil
}
