// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/lxp-dev/course-completion-operator/internal/order"
	"github.com/lxp-dev/course-completion-operator/internal/sender"
)

func TestHistoriesThatNoSingleServerHasAreFound(t *testing.T) {
	// offer is a delivery by its place in the order, and the seconds at which it was sent and answered.
	offer := func(sendAt, outcome string, sent, answered int) sender.Offer {
		o := sender.Offer{
			Key: order.Key{SendAt: sendAt}, Outcome: outcome, Verdict: sender.VerdictAcknowledged,
			Sent: testStart.Add(time.Duration(sent) * time.Second),
		}
		if outcome == "" {
			o.Verdict = sender.VerdictFailed
			return o
		}
		o.Answered = testStart.Add(time.Duration(answered) * time.Second)
		return o
	}
	for _, tc := range []struct {
		name   string
		offers []sender.Offer
		stored string
		want   string
	}{
		{"one after the other", []sender.Offer{
			offer("1", "created", 0, 1), offer("3", "updated", 2, 3), offer("2", "stale", 4, 5), offer("3", "duplicate", 6, 7),
		}, "3", ""},
		{"at the same time, in the other order", []sender.Offer{
			offer("1", "stale", 0, 9), offer("2", "created", 1, 8),
		}, "2", ""},
		{"queued, and stored before a later one", []sender.Offer{
			offer("1", "queued", 0, 1), offer("2", "updated", 5, 6),
		}, "2", ""},
		{"queued, and stored after a later one", []sender.Offer{
			offer("2", "queued", 0, 1), offer("1", "created", 5, 6),
		}, "2", ""},
		{"without an answer, and stored", []sender.Offer{offer("2", "", 0, 0), offer("1", "stale", 5, 6)}, "2", ""},
		{"without an answer, and not stored", []sender.Offer{offer("2", "", 0, 0), offer("1", "created", 5, 6)}, "1", ""},
		{"without an answer, and stored at last", []sender.Offer{
			offer("2", "", 0, 0), offer("1", "created", 5, 6),
		}, "2", ""},

		{"created twice", []sender.Offer{offer("1", "created", 0, 1), offer("2", "created", 2, 3)}, "2", "no single server"},
		{"an acknowledged one is lost", []sender.Offer{
			offer("1", "created", 0, 1), offer("2", "queued", 2, 3),
		}, "1", "no single server"},
		{"a newer one was undone", []sender.Offer{
			offer("1", "created", 0, 1), offer("2", "updated", 2, 3), offer("1", "duplicate", 4, 5),
		}, "2", "no single server"},
		{"an answer from the past", []sender.Offer{
			offer("1", "created", 0, 1), offer("3", "updated", 2, 3), offer("2", "updated", 4, 5),
		}, "3", "no single server"},
		{"stale, and nothing was newer", []sender.Offer{
			offer("1", "created", 0, 1), offer("2", "stale", 2, 3),
		}, "1", "no single server"},
		{"something else is stored", []sender.Offer{offer("1", "created", 0, 1)}, "2", "no single server"},
		{"an outcome that there is not", []sender.Offer{offer("1", "held", 0, 1)}, "1", "no single server"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			g := NewWithT(t)
			read := testStart.Add(time.Minute)
			err := checkHistory(tc.offers, order.Key{SendAt: tc.stored}, read, read.Add(time.Second))
			if tc.want == "" {
				g.Expect(err).NotTo(HaveOccurred())
				return
			}
			g.Expect(err).To(MatchError(ContainSubstring(tc.want)))
		})
	}
}
