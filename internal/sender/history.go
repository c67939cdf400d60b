// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package sender

import (
	"time"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/order"
)

// Offer is one good delivery of a completion as its sender saw it.
type Offer struct {
	// Key is where the delivery is in the order of deliveries.
	Key order.Key
	// Outcome is that of the answer; empty where there was none.
	Outcome string
	Verdict Verdict
	// Sent and Answered are when. Answered is zero where no answer came.
	Sent, Answered time.Time
}

// History returns what was sent about a stored completion, in the order in which it was sent.
func (l *Ledger) History(stored *v1alpha1.CourseCompletion) []Offer {
	l.mu.Lock()
	defer l.mu.Unlock()
	var offers []Offer
	for _, e := range l.entries[completionKey{stored.Spec.Institution.ID, stored.Spec.Name()}] {
		offers = append(offers, Offer{
			Key: order.Of(e.Content.in(&stored.Spec)), Outcome: e.Outcome, Verdict: e.Verdict,
			Sent: e.sent, Answered: e.answered,
		})
	}
	return offers
}
