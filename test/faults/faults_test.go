// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os/exec"
	"strings"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/lxp-dev/course-completion-operator/test/cluster"
)

// testSeed has, in its first five rounds, everything that needs no root: kills of each program, alone and while the API
// is away, pauses, files that cannot grow, a wrong clock and a loss of power.
const testSeed = 7

// TestNothingIsLost is a short campaign with the same faults every time. `make faults` runs longer ones.
func TestNothingIsLost(t *testing.T) {
	g := NewWithT(t)
	c := &campaign{seed: testSeed, rounds: 5, grantsEvery: 5, schoolsEvery: 10, out: t.Output()}
	err := execute(t.Context(), c, t.TempDir())
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(c.tally.rounds).To(Equal(5))
	g.Expect(c.tally.answers["200 created"]).To(BeNumerically(">", 0))
	g.Expect(c.tally.answers["200 queued"]).To(BeNumerically(">", 0))
	g.Expect(c.tally.faults).To(HaveKey("power loss of everything"))
	g.Expect(c.tally.grants).To(BeNumerically(">", 0))
}

// TestShippedProgramsHaveTheClockOfTheMachine looks for what only fault tests may be built with.
func TestShippedProgramsHaveTheClockOfTheMachine(t *testing.T) {
	for _, tc := range []struct {
		tags string
		want bool
	}{
		{"", false},
		{"clockoffset", true},
	} {
		g := NewWithT(t)
		root, err := cluster.RepositoryRoot()
		g.Expect(err).NotTo(HaveOccurred())
		list := exec.CommandContext(t.Context(), "go", "list", "-deps", "-tags", tc.tags, "./cmd/...")
		list.Dir = root
		packages, err := list.Output()
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(strings.Contains(string(packages), "/internal/clockoffset\n")).To(Equal(tc.want), "tags %q", tc.tags)
	}
}
