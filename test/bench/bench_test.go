// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
)

func TestMain(m *testing.M) {
	if path := os.Getenv(groupCommitVariable); path != "" {
		os.Exit(serveGroupCommits(path))
	}
	os.Exit(m.Run())
}

// quick are the figures without those that wait for long, and without a second one of a kind.
var quick = []string{
	"stored", "away", "burst", "access", "granted", "stock", "policies", "edit", "claims", "restart", "relist",
	"retention",
}

// TestBenchmarkWorks takes a few deliveries of every figure: nothing may be refused or lost, how fast it is does not
// matter.
func TestBenchmarkWorks(t *testing.T) {
	g := NewWithT(t)
	var said, shown strings.Builder
	few, profiles := short, t.TempDir()
	few.figures = strings.Join(quick, ",")
	table, err := bench(t.Context(), few, profiling{dir: profiles}, &said)
	g.Expect(err).NotTo(HaveOccurred(), said.String())
	table.print(&shown)
	t.Log(shown.String())
	g.Expect(shown.String()).To(And(
		ContainSubstring("deliveries stored, API server running"),
		ContainSubstring("deliveries acknowledged, API server stopped"),
		ContainSubstring("deliveries stored, burst and drain together"), ContainSubstring("anonymous memory"),
		ContainSubstring("delivery to access, one at a time"),
		ContainSubstring("writes caused by policies that match nobody"),
		ContainSubstring("Grants updated after a policy edit"), ContainSubstring("seats assigned in all"),
		ContainSubstring("controller-manager memory after startup"), ContainSubstring("completions deleted by retention"),
	))
	for _, name := range []string{
		"controller-manager.cpu", "controller-manager.mutex", "webhook-server.allocs", "kube-apiserver.cpu",
		"kube-apiserver.block",
	} {
		taken, err := filepath.Glob(filepath.Join(profiles, "granted", name+".*.pb.gz"))
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(taken).NotTo(BeEmpty(), name)
	}
	for _, r := range table.rows {
		if r.ratio != "-" {
			g.Expect(r.got).NotTo(HavePrefix("0/s"), r.figure)
		}
		// What must not be written at all, or given too often, does not depend on how fast the machine is.
		if strings.HasPrefix(r.reference, "0 ") || r.figure == "seats assigned in all" {
			g.Expect(r.met).To(BeTrue(), "%s: %s, want %s", r.figure, r.got, r.reference)
		}
	}
}

func TestMedian(t *testing.T) {
	for _, tc := range []struct {
		values []float64
		want   float64
	}{
		{nil, 0},
		{[]float64{3}, 3},
		{[]float64{9, 1, 5}, 5},
		{[]float64{4, 1, 9, 2}, 3},
	} {
		if got := median(tc.values); got != tc.want {
			t.Errorf("the median of %v is %g, want %g", tc.values, got, tc.want)
		}
	}
}
