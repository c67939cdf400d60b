// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package store

// Outcome is what came of a call, in a word.
type Outcome string

const (
	// Created: stored as a new completion.
	Created Outcome = "created"
	// Queued: on the disk, since the API does not take it now.
	Queued Outcome = "queued"
	// Held: on the disk among the dead letters, since the API refuses it for good.
	Held Outcome = "held"
	// Erased: about a person whose data was erased; nothing is stored of it.
	Erased Outcome = "erased"
	// Ignored: an event that is not about a completed course; nothing is stored of it.
	Ignored Outcome = "ignored"
	// Checked: no delivery, but a check of the URL.
	Checked Outcome = "checked"
	// Refused: the sender has to change something.
	Refused Outcome = "refused"
	// Unavailable: not stored now; the sender has to send it again.
	Unavailable Outcome = "unavailable"
	// Failed: a defect of the server.
	Failed Outcome = "failed"
)
