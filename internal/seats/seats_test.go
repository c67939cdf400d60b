// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package seats

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/moment"
	"github.com/lxp-dev/course-completion-operator/test/histories"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func seatPoolOf(capacity int32) *v1alpha1.SeatPool {
	return &v1alpha1.SeatPool{ObjectMeta: metav1.ObjectMeta{Name: "lab", Generation: 3},
		Spec: v1alpha1.SeatPoolSpec{Capacity: new(capacity)}}
}

func seatOf(number int32, grant string) v1alpha1.Seat {
	return v1alpha1.Seat{ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.SeatName("lab", number)},
		Spec: v1alpha1.SeatSpec{Pool: "lab", Number: new(number), Grant: v1alpha1.LocalName(grant)}}
}

// asking is a Grant whose completion was so many minutes before noon.
func asking(name string, minutes int, edit ...func(*v1alpha1.Grant)) v1alpha1.Grant {
	grant := v1alpha1.Grant{
		ObjectMeta: metav1.ObjectMeta{Name: name, CreationTimestamp: metav1.NewTime(noon)},
		Spec: v1alpha1.GrantSpec{Policy: "p", Seats: []v1alpha1.GrantedSeat{{Pool: "lab"}}, Causes: []v1alpha1.GrantCause{
			{Completion: "c", SentAt: metav1.NewTime(noon.Add(-time.Duration(minutes) * time.Minute))}}},
	}
	for _, e := range edit {
		e(&grant)
	}
	return grant
}

// endedBefore ends a Grant, which was known for long.
func endedBefore(g *v1alpha1.Grant) {
	g.Spec.AccessEndsAt = new(metav1.NewTime(noon.Add(-time.Second)))
	g.Spec.EndKnownAt = new(metav1.NewMicroTime(noon.Add(-30 * moment.Day)))
}

// heldBack ends a Grant all of a sudden: its end waits for the brake.
func heldBack(g *v1alpha1.Grant) {
	endedBefore(g)
	g.Spec.EndKnownAt = new(metav1.NewMicroTime(noon))
}

// refused is a Grant that is told so about what was its spec in this generation; its spec is of the second one.
func refused(generation int64) func(*v1alpha1.Grant) {
	return func(g *v1alpha1.Grant) {
		g.Generation = 2
		g.Status.Conditions = []metav1.Condition{{
			Type: v1alpha1.ConditionStalled, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonRefused,
			ObservedGeneration: generation,
		}}
	}
}

func handMade(g *v1alpha1.Grant) { g.Spec.Policy, g.Spec.Causes = "", nil }

func TestSeats(t *testing.T) {
	t.Parallel()
	ending := asking("ending", 1, func(g *v1alpha1.Grant) {
		g.Spec.AccessEndsAt = new(metav1.NewTime(noon.Add(time.Hour)))
	})
	for name, tc := range map[string]struct {
		capacity     int32
		seats        []v1alpha1.Seat
		grants       []v1alpha1.Grant
		gone, frozen []string
		poolGone     bool
		wantGive     map[int32]string
		wantFree     []string
		wantTaken    int32
		wantQueue    []v1alpha1.LocalName
		wantNext     time.Time
	}{
		"the earlier completion goes first, whatever the names": {
			capacity: 1, grants: []v1alpha1.Grant{asking("a", 1), asking("b", 2)},
			wantGive: map[int32]string{0: "b"}, wantTaken: 1, wantQueue: []v1alpha1.LocalName{"a"},
		},
		"at the same moment the name decides": {
			capacity: 1, grants: []v1alpha1.Grant{asking("b", 1), asking("a", 1)},
			wantGive: map[int32]string{0: "a"}, wantTaken: 1, wantQueue: []v1alpha1.LocalName{"b"},
		},
		"a grant made by hand stands in the line since its creation": {
			capacity: 1, grants: []v1alpha1.Grant{asking("hand", 0, handMade), asking("planned", 1)},
			wantGive: map[int32]string{0: "planned"}, wantTaken: 1, wantQueue: []v1alpha1.LocalName{"hand"},
		},
		"the lowest free numbers are given": {
			capacity: 4, seats: []v1alpha1.Seat{seatOf(1, "a")},
			grants:   []v1alpha1.Grant{asking("a", 9), asking("b", 2), asking("c", 1)},
			wantGive: map[int32]string{0: "b", 2: "c"}, wantTaken: 3,
		},
		"a refused grant takes no seat from those who can use it": {
			capacity: 1, grants: []v1alpha1.Grant{asking("a", 9, refused(2)), asking("b", 2)},
			wantGive: map[int32]string{0: "b"}, wantTaken: 1,
		},
		"a grant that was refused before it was changed stands in the line": {
			capacity: 1, grants: []v1alpha1.Grant{asking("a", 9, refused(1)), asking("b", 2)},
			wantGive: map[int32]string{0: "a"}, wantTaken: 1, wantQueue: []v1alpha1.LocalName{"b"},
		},
		"a grant that is refused later keeps its seat": {
			capacity: 1, seats: []v1alpha1.Seat{seatOf(0, "a")},
			grants:    []v1alpha1.Grant{asking("a", 9, refused(2)), asking("b", 2)},
			wantTaken: 1, wantQueue: []v1alpha1.LocalName{"b"},
		},
		"a capacity that was lowered evicts nobody and gives nothing": {
			capacity: 1, seats: []v1alpha1.Seat{seatOf(4, "a"), seatOf(5, "b")},
			grants:    []v1alpha1.Grant{asking("a", 9), asking("b", 8), asking("c", 7)},
			wantTaken: 2, wantQueue: []v1alpha1.LocalName{"c"},
		},
		"a seat above the capacity counts as taken": {
			capacity: 1, seats: []v1alpha1.Seat{seatOf(4, "a")}, grants: []v1alpha1.Grant{asking("a", 9), asking("c", 7)},
			wantTaken: 1, wantQueue: []v1alpha1.LocalName{"c"},
		},
		"the seat of a grant whose end waits for the brake stays": {
			capacity: 1, seats: []v1alpha1.Seat{seatOf(0, "a")},
			grants:    []v1alpha1.Grant{asking("a", 9, heldBack), asking("b", 7)},
			wantTaken: 1, wantQueue: []v1alpha1.LocalName{"b"},
		},
		"a grant whose end waits for the brake gets no seat any more": {
			capacity: 1, grants: []v1alpha1.Grant{asking("a", 9, heldBack)},
		},
		"the seat of an ended grant is taken back, and given only once it has gone": {
			capacity: 1, seats: []v1alpha1.Seat{seatOf(0, "a")},
			grants:   []v1alpha1.Grant{asking("a", 9, endedBefore), asking("c", 7)},
			wantFree: []string{"lab-0"}, wantQueue: []v1alpha1.LocalName{"c"},
		},
		"a second seat of one grant is taken back": {
			capacity: 3, seats: []v1alpha1.Seat{seatOf(0, "a"), seatOf(2, "a")}, grants: []v1alpha1.Grant{asking("a", 9)},
			wantFree: []string{"lab-2"}, wantTaken: 1,
		},
		"the seat of a grant that a live read did not find is taken back": {
			capacity: 1, seats: []v1alpha1.Seat{seatOf(0, "a")}, gone: []string{"a"}, wantFree: []string{"lab-0"},
		},
		"the seat of a grant that the cache merely lacks stays": {
			capacity: 1, seats: []v1alpha1.Seat{seatOf(0, "a")}, wantTaken: 1,
		},
		"a suspended institution neither gets nor loses": {
			capacity: 2, seats: []v1alpha1.Seat{seatOf(0, "a")}, frozen: []string{"a", "b"},
			grants: []v1alpha1.Grant{asking("a", 9, endedBefore), asking("b", 7)}, wantTaken: 1,
		},
		"a pool that has gone still takes back, and gives nothing": {
			poolGone: true, seats: []v1alpha1.Seat{seatOf(0, "a"), seatOf(1, "b")},
			grants:   []v1alpha1.Grant{asking("a", 9, endedBefore), asking("b", 7), asking("c", 7)},
			wantFree: []string{"lab-0"}, wantTaken: 1, wantQueue: []v1alpha1.LocalName{"c"},
		},
		"the next end is told": {
			capacity: 1, grants: []v1alpha1.Grant{ending}, wantGive: map[int32]string{0: "ending"}, wantTaken: 1,
			wantNext: noon.Add(time.Hour),
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pool := Pool{Name: "lab", Pool: seatPoolOf(tc.capacity), Seats: tc.seats, Grants: tc.grants, Now: noon,
				Gone: map[string]bool{}, Frozen: map[string]bool{}}
			if tc.poolGone {
				pool.Pool = nil
			}
			for _, name := range tc.gone {
				pool.Gone[name] = true
			}
			for _, name := range tc.frozen {
				pool.Frozen[name] = true
			}
			got := For(pool)
			gave, freed := map[int32]string{}, []string(nil)
			for _, seat := range got.Give {
				gave[*seat.Number] = string(seat.Grant)
			}
			for _, seat := range got.Free {
				freed = append(freed, seat.Name)
			}
			if tc.wantGive == nil {
				tc.wantGive = map[int32]string{}
			}
			for what, diff := range map[string]string{
				"give": cmp.Diff(tc.wantGive, gave), "free": cmp.Diff(tc.wantFree, freed),
				"taken": cmp.Diff(tc.wantTaken, got.Taken), "line": cmp.Diff(tc.wantQueue, got.Queue),
				"waiting": cmp.Diff(int32(len(tc.wantQueue)), got.Waiting), "next": cmp.Diff(tc.wantNext, got.Next),
			} {
				if diff != "" {
					t.Errorf("%s differs (-want +got):\n%s", what, diff)
				}
			}
		})
	}
}

func TestMain(m *testing.M) { histories.Run(m, 300, 60) }

// TestSeatsAreNeverOversold plays random claims, ends and changes of capacity, each plan carried out in part only, as
// a crash would leave it.
func TestSeatsAreNeverOversold(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		pool := Pool{Name: "lab", Pool: seatPoolOf(3), Now: noon}
		asked := 0
		t.Repeat(map[string]func(*rapid.T){
			"a grant asks": func(t *rapid.T) {
				asked++
				pool.Grants = append(pool.Grants, asking(fmt.Sprintf("g%03d", asked), histories.Below(1000).Draw(t, "minutes ago")))
			},
			"a grant ends": func(t *rapid.T) {
				if len(pool.Grants) > 0 {
					endedBefore(&pool.Grants[histories.Below(len(pool.Grants)).Draw(t, "which")])
				}
			},
			"the capacity changes": func(t *rapid.T) {
				pool.Pool.Spec.Capacity = new(int32(histories.Below(6).Draw(t, "capacity")))
			},
			"nothing happens": func(*rapid.T) {},
			// After each of them.
			"": func(t *rapid.T) {
				carryOut(t, &pool, For(pool), func() bool { return histories.Below(3).Draw(t, "it is done") > 0 })
			},
		})
		pool.Pool.Spec.Capacity = new(int32(1000))
		for range 3 {
			carryOut(t, &pool, For(pool), func() bool { return true })
		}
		if plan := For(pool); plan.Waiting != 0 || len(plan.Give) != 0 || len(plan.Free) != 0 {
			t.Fatalf("it does not come to rest: %+v", plan)
		}
	})
}

// carryOut does of what is planned what is to be done, and checks each seat that is given.
func carryOut(t *rapid.T, pool *Pool, plan Plan, done func() bool) {
	t.Helper()
	kept := pool.Seats[:0:0]
	for _, seat := range pool.Seats {
		free := false
		for _, f := range plan.Free {
			free = free || f.Name == seat.Name && done()
		}
		if !free {
			kept = append(kept, seat)
		}
	}
	pool.Seats = kept
	for _, given := range plan.Give {
		if !done() {
			return
		}
		if *given.Number >= *pool.Pool.Spec.Capacity {
			t.Fatalf("seat %d is given at a capacity of %d", *given.Number, *pool.Pool.Spec.Capacity)
		}
		for _, seat := range pool.Seats {
			if *seat.Spec.Number == *given.Number || seat.Spec.Grant == given.Grant {
				t.Fatalf("seat %d is given to %s beside %s", *given.Number, given.Grant, seat.Name)
			}
		}
		pool.Seats = append(pool.Seats, seatOf(*given.Number, string(given.Grant)))
		if int32(len(pool.Seats)) > *pool.Pool.Spec.Capacity {
			t.Fatalf("%d seats are taken at a capacity of %d", len(pool.Seats), *pool.Pool.Spec.Capacity)
		}
	}
}

// The queue goes on where the status of a pool names no more.
func TestQueueOf(t *testing.T) {
	t.Parallel()
	pool := Pool{Name: "lab", Pool: seatPoolOf(1), Now: noon}
	var want []v1alpha1.LocalName
	for i := range lineLength + 5 {
		name := string(rune('a' + i))
		pool.Grants = append(pool.Grants, asking(name, 60-i))
		want = append(want, v1alpha1.LocalName(name))
	}
	planned, queue := Queue(pool)
	if diff := cmp.Diff(want[1:], queue); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if diff := cmp.Diff(For(pool), planned); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestARepetitionCostsNobodyAPlaceInTheQueue(t *testing.T) {
	t.Parallel()
	grant := func(name string, first, sent int) v1alpha1.Grant {
		at := func(hour int) metav1.Time { return metav1.NewTime(noon.Add(time.Duration(hour) * time.Hour)) }
		g := v1alpha1.Grant{ObjectMeta: metav1.ObjectMeta{Name: name}}
		g.Spec.Causes = []v1alpha1.GrantCause{{Completion: "c", SentAt: at(sent), FirstSentAt: new(at(first))}}
		return g
	}
	repeated, second := grant("repeated", 1, 9), grant("second", 2, 2)
	if first := ClaimedAt(&repeated); !first.Before(ClaimedAt(&second)) {
		t.Errorf("the place of the one that was repeated is %s", first)
	}
}

// The order of the queue holds among those who are yet to join it too, and outlasts a backup.
func TestSeatsWaitForThoseWhoComeFirst(t *testing.T) {
	t.Parallel()
	requested := func(minutes int) func(*v1alpha1.Grant) {
		return func(g *v1alpha1.Grant) {
			handMade(g)
			g.Spec.RequestedAt = new(metav1.NewTime(noon.Add(-time.Duration(minutes) * time.Minute)))
		}
	}
	for name, tc := range map[string]struct {
		grants      []v1alpha1.Grant
		restoring   bool
		unplanned   int
		wantGive    []v1alpha1.LocalName
		wantWaiting int32
	}{
		"nobody is to be planned": {
			grants: []v1alpha1.Grant{asking("a", 3), asking("b", 1)}, wantGive: []v1alpha1.LocalName{"a", "b"}},
		"who comes before the one to be planned has a seat, and who comes after it none": {
			grants: []v1alpha1.Grant{asking("a", 3), asking("b", 1)}, unplanned: 2,
			wantGive: []v1alpha1.LocalName{"a"}, wantWaiting: 1},
		"at the same moment the name decides, which is not known": {
			grants: []v1alpha1.Grant{asking("a", 2)}, unplanned: 2, wantWaiting: 1},
		"seats may be about to be restored": {
			grants: []v1alpha1.Grant{asking("a", 3)}, restoring: true, wantWaiting: 1},
		"a grant made by hand counts from when it was requested, and not from its creation": {
			grants:   []v1alpha1.Grant{asking("a", 3), asking("z", 0, requested(9))},
			wantGive: []v1alpha1.LocalName{"z", "a"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pool := Pool{Name: "lab", Pool: seatPoolOf(5), Grants: tc.grants, Restoring: tc.restoring, Now: noon}
			if tc.unplanned > 0 {
				pool.Unplanned = noon.Add(-time.Duration(tc.unplanned) * time.Minute)
			}
			planned := For(pool)
			var got []v1alpha1.LocalName
			for _, seat := range planned.Give {
				got = append(got, seat.Grant)
			}
			if diff := cmp.Diff(tc.wantGive, got); diff != "" || planned.Waiting != tc.wantWaiting {
				t.Errorf("waiting: %d, want %d; given (-want +got):\n%s", planned.Waiting, tc.wantWaiting, diff)
			}
		})
	}
}
