// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/lxp-dev/course-completion-operator/internal/sender"
)

var testStart = time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)

// failedRound is the one that somebody wants to see again.
const failedRound = 27

// played returns what the rounds of a campaign send, up to the one that failed.
func played(t *testing.T, c *campaign) map[int][]sender.Delivery {
	t.Helper()
	g := NewWithT(t)
	var generator *sender.Generator
	rounds := make(map[int][]sender.Delivery)
	for round := c.first; round <= failedRound; round++ {
		if round == c.batchOf(round) {
			var institutions []sender.Institution
			for _, id := range idsOf(round) {
				institutions = append(institutions, sender.Institution{
					ID: id, URLs: []string{fmt.Sprintf("http://a/webhooks/%d/x", id), fmt.Sprintf("http://b/webhooks/%d/x", id)},
				})
			}
			var err error
			generator, err = c.newGenerator(round, institutions)
			g.Expect(err).NotTo(HaveOccurred())
		}
		rounds[round] = draw(generator)
	}
	return rounds
}

// What a failure says has to bring back the deliveries of the round that failed, wherever in the campaign it was.
func TestARoundIsSeenAgainWithItsDeliveries(t *testing.T) {
	g := NewWithT(t)
	long := &campaign{seed: 7, first: 3, schoolsEvery: 10, grantsEvery: 5, start: testStart}
	whole := played(t, long)
	g.Expect(long.hint(failedRound)).To(HavePrefix("see it again with --seed 7 --first 23 --rounds 5 " +
		"--start 2026-03-01T12:00:00Z --institutions-every 10 --grants-every 5 where, as here, limits of processes cannot"))
	again := played(t, &campaign{seed: 7, first: 23, schoolsEvery: 10, start: testStart})
	g.Expect(again).To(HaveLen(5))
	for round, deliveries := range again {
		g.Expect(deliveries).To(HaveLen(perRound))
		g.Expect(deliveries).To(Equal(whole[round]), "round %d", round)
	}

	kinds := func(deliveries []sender.Delivery) (kinds []sender.Kind) {
		for _, d := range deliveries {
			kinds = append(kinds, d.Kind)
		}
		return kinds
	}
	g.Expect(kinds(whole[13])).NotTo(Equal(kinds(whole[3])), "every batch has deliveries of its own")
	other := played(t, &campaign{seed: 8, first: 23, schoolsEvery: 10, start: testStart})
	g.Expect(other[23]).NotTo(Equal(whole[23]))
	later := played(t, &campaign{seed: 7, first: 23, schoolsEvery: 10, start: testStart.Add(time.Hour)})
	g.Expect(later[23]).NotTo(Equal(whole[23]))
}

// Institutions of two batches must not be the same.
func TestEveryBatchHasItsOwnInstitutions(t *testing.T) {
	g := NewWithT(t)
	c := &campaign{first: 5, schoolsEvery: 1}
	seen := make(map[string]bool)
	for round := c.first; round < 105; round++ {
		g.Expect(c.batchOf(round)).To(Equal(round))
		for _, id := range idsOf(round) {
			g.Expect(seen).NotTo(HaveKey(id.String()))
			seen[id.String()] = true
		}
	}
}
