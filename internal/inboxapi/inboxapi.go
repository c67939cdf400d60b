// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package inboxapi has the JSON in which the administration of an inbox answers: over the socket of a webhook server,
// in what its command inbox prints, and so to the plugin, which runs that command in the pods.
package inboxapi

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"
)

// Status is what an inbox has: the answer to GET /status, and what inbox status --json prints.
type Status struct {
	Records     int        `json:"records"`
	DeadLetters int        `json:"deadLetters"`
	Bytes       int64      `json:"bytes"`
	MaxBytes    int64      `json:"maxBytes"`
	Oldest      *time.Time `json:"oldest,omitempty"`
	// Failure is why it cannot be written; empty where it can.
	Failure string `json:"failure,omitempty"`
	// APIAway tells that the API is known not to take anything.
	APIAway bool `json:"apiAway"`
	// Namespaces is what each namespace has that has anything. It is there only where it was asked for.
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

// Record is one delivery in an inbox, as the administration answers it, and as inbox list --json and show --json print
// it. What came of a record that was to be retried or dropped has the number and the outcome only.
type Record struct {
	// Replica is the pod whose inbox has it. The plugin adds it.
	Replica    string    `json:"replica,omitempty"`
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
	return r.Replica[strings.LastIndexByte(r.Replica, '-')+1:] + "/" + strconv.FormatUint(r.Record, 10)
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

// Page is a part of the records, oldest first.
type Page struct {
	Records []Record `json:"records"`
	// Next is the number to ask with for the next part; 0 where there is none.
	Next uint64 `json:"next,omitempty"`
}
