// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/sender"
)

const (
	// schoolsPerBatch is how many institutions deliveries are sent for at a time.
	schoolsPerBatch = 2
	// perRound is how many deliveries a round has. Those that there is no time for are left out.
	perRound = rate * int(sending/time.Second)
)

// batchOf returns the first of the rounds that have their institutions in common with a round.
func (c *campaign) batchOf(round int) int {
	return c.first + (round-c.first)/c.schoolsEvery*c.schoolsEvery
}

// idsOf returns the ids of the institutions that are new in a round.
func idsOf(round int) []v1alpha1.PlatformID {
	var ids []v1alpha1.PlatformID
	for i := range schoolsPerBatch {
		ids = append(ids, firstInstitution+v1alpha1.PlatformID(schoolsPerBatch*round+i))
	}
	return ids
}

// newGenerator makes the deliveries of the batch that begins with a round: always the same for a seed, a round and a
// start, whatever came before.
func (c *campaign) newGenerator(first int, institutions []sender.Institution) (*sender.Generator, error) {
	plan := sender.Plan{
		Institutions: institutions, Seed: rand.New(rand.NewPCG(c.seed, uint64(first))).Uint64N(maxSeed),
		Mix: sender.DefaultMix(), Start: c.start,
	}
	for i := range courses {
		plan.Courses = append(plan.Courses, labCourse+v1alpha1.PlatformID(i))
	}
	return sender.NewGenerator(plan)
}

// draw returns the deliveries of the next round of a batch: as many as could be sent, so that those of the round after
// it do not depend on how many were.
func draw(generator *sender.Generator) []sender.Delivery {
	deliveries := make([]sender.Delivery, perRound)
	for i := range deliveries {
		deliveries[i] = generator.Next()
	}
	return deliveries
}

// hint says how to see a round again.
func (c *campaign) hint(round int) string {
	first := c.batchOf(round)
	return fmt.Sprintf("see it again with --seed %d --first %d --rounds %d --start %s --institutions-every %d "+
		"--grants-every %d where, as here, %s", c.seed, first, round-first+1, c.start.Format(time.RFC3339),
		c.schoolsEvery, c.grantsEvery, c.can())
}

// can says what the schedules depend on.
func (c *campaign) can() capabilities {
	if c.world == nil {
		return capabilities{}
	}
	return c.world.can
}

func (can capabilities) String() string {
	limits, disks := "can", "have"
	if !can.limits {
		limits = "cannot"
	}
	if !can.smallDisks {
		disks = "do not have"
	}
	return fmt.Sprintf("limits of processes %s be set (Linux) and inboxes %s small file systems of their own (root)",
		limits, disks)
}
