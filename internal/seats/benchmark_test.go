// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package seats

import (
	"fmt"
	"testing"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// crowded is a pool of 5,000 seats, all taken, for which 5,000 more wait.
func crowded() Pool {
	const capacity = 5000
	pool := Pool{Name: "lab", Pool: seatPoolOf(capacity), Now: noon, Gone: map[string]bool{}, Frozen: map[string]bool{}}
	for i := range 2 * capacity {
		grant := asking(fmt.Sprintf("seat.1-%d", i), i)
		grant.Spec.Holder = v1alpha1.GrantHolder{InstitutionID: 1, UserID: v1alpha1.PlatformID(i + 1)}
		pool.Grants = append(pool.Grants, grant)
		if i < capacity {
			pool.Seats = append(pool.Seats, seatOf(int32(i), grant.Name))
		}
	}
	return pool
}

func BenchmarkFor(b *testing.B) {
	pool := crowded()
	b.ReportAllocs()
	for b.Loop() {
		if planned := For(pool); planned.Waiting != 5000 {
			b.Fatal(planned.Waiting)
		}
	}
}

// TestAllocations bounds what a look at a full pool costs: some more than it needs today. How long it takes is for the
// benchmark.
func TestAllocations(t *testing.T) {
	const most = 300
	pool := crowded()
	if got := testing.AllocsPerRun(10, func() { For(pool) }); got > most {
		t.Errorf("planning a pool of 10,000 claims allocates %.0f times, at most %d wanted", got, most)
	}
}
