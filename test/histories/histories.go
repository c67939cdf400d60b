// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package histories has the random histories of a package's tests be the same in every run, unless somebody asks for
// others:
//
//	go test ./internal/plan -run TestRandom -rapid.seed=0 -rapid.checks=10000
package histories

import (
	"flag"
	"fmt"
	"math/bits"
	"os"
	"testing"

	"pgregory.net/rapid"
)

// Run runs the tests of a package, each property of it with so many histories of so many steps on average. It belongs
// into TestMain.
func Run(m *testing.M, checks, steps int) {
	flag.Parse()
	given := map[string]bool{}
	flag.Visit(func(f *flag.Flag) { given[f.Name] = true })
	for name, value := range map[string]any{
		"rapid.checks": checks, "rapid.steps": steps, "rapid.seed": 7, "rapid.nofailfile": true,
	} {
		if given[name] {
			continue
		}
		if err := flag.Set(name, fmt.Sprint(value)); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}

// Below draws one of n numbers, each as likely as any other, of which 0 is the plainest: failures shrink towards it.
// What rapid draws by itself is mostly small.
func Below(n int) *rapid.Generator[int] {
	return rapid.Custom(func(t *rapid.T) int {
		drawn := 0
		for range bits.Len(uint(n)) + 3 {
			drawn <<= 1
			if rapid.Bool().Draw(t, "bit") {
				drawn++
			}
		}
		return drawn % n
	})
}
