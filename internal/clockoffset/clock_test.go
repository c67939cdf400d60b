// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package clockoffset

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	. "github.com/onsi/gomega"
)

// near is how far two readings of a clock may be apart on a busy machine.
const near = 30 * time.Second

func TestOnlyTheWallClockMoves(t *testing.T) {
	for _, seconds := range []int64{0, 1, -1, 30 * 3600, -30 * 3600, 1 << 30, -(1 << 30)} {
		g := NewWithT(t)
		now := time.Now()
		shifted := shift(now, seconds)
		g.Expect(shifted.Sub(now)).To(BeZero(), "a duration across the step")
		wall := shifted.Round(0).Sub(now.Round(0))
		g.Expect(wall).To(Equal(time.Duration(seconds)*time.Second), "what the clock shows")
		g.Expect(time.Since(shifted)).To(And(BeNumerically(">=", 0), BeNumerically("<", near)))
		later := shifted.Add(time.Minute)
		g.Expect(later.Sub(shifted)).To(Equal(time.Minute))
	}
	without := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	NewWithT(t).Expect(shift(without, 60)).To(Equal(without.Add(time.Minute)))
}

func TestTheFileSetsTheClock(t *testing.T) {
	file := filepath.Join(t.TempDir(), "offset")
	clock := New(file)
	ahead := func() time.Duration { return clock.Now().Round(0).Sub(time.Now().Round(0)) }
	for _, tc := range []struct {
		name, content string
		want          time.Duration
	}{
		{"ahead", "3600\n", time.Hour},
		{"behind", "-86400", -24 * time.Hour},
		{"nonsense", "tomorrow", 0},
		{"too far", "99999999999999", 0},
		{"right again", "0", 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			g := NewWithT(t)
			g.Expect(os.WriteFile(file, []byte(tc.content), 0o600)).To(Succeed())
			g.Eventually(ahead, near).Should(BeNumerically("~", tc.want, near))
		})
	}
	g := NewWithT(t)
	g.Expect(os.WriteFile(file, []byte("3600"), 0o600)).To(Succeed())
	g.Eventually(ahead, near).Should(BeNumerically("~", time.Hour, near))
	g.Expect(os.Remove(file)).To(Succeed())
	g.Eventually(ahead, near).Should(BeNumerically("~", 0, near))
}
