// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package seats decides who gets the seats of a pool, who loses one, and who waits. It is pure: the same pool yields
// the same answer at the same time.
package seats

import (
	"cmp"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/lifecycle"
	"github.com/lxp-dev/course-completion-operator/internal/moment"
)

// lineLength is how many of those who wait the status of a pool names.
const lineLength = 10

// givenAtOnce is how many seats are given before it is looked again.
const givenAtOnce = 128

// Pool is everything that decides who has the seats of a pool.
type Pool struct {
	// Name of the SeatPool.
	Name string
	// Pool is nil where the pool has gone: it gives nothing any more, but still takes back.
	Pool *v1alpha1.SeatPool
	// Seats are those of the pool that somebody has.
	Seats []v1alpha1.Seat
	// Grants are those that ask for a seat of the pool.
	Grants []v1alpha1.Grant
	// Revokers are the Grants that revoke seats of the pool.
	Revokers []v1alpha1.Grant
	// Gone holds the names of Grants that have a seat and that a live read did not find.
	Gone map[string]bool
	// Frozen holds the names of Grants whose institution is suspended or missing: they neither get nor lose a seat.
	Frozen map[string]bool
	// Restoring reports that Grants of the pool have just come from a backup, whose Seats may follow: none is given.
	Restoring bool
	// Unplanned is since when a completion counts that is still to be planned and may ask for a seat; zero if there is
	// none. Who comes later gets none.
	Unplanned time.Time
	// Now is the time.
	Now time.Time
}

// Plan is what is to be done with the seats of a pool.
type Plan struct {
	// Free are the seats to take back.
	Free []v1alpha1.Seat
	// Give are the seats to give, in the order of the line.
	Give []v1alpha1.SeatSpec
	// Taken and Waiting are how it stands once that is done, and Queue names the first of those who wait.
	Taken, Waiting int32
	Queue          []v1alpha1.LocalName
	// Next is when an end of access frees a seat; zero if none does.
	Next time.Time
}

// For plans the seats of a pool: first come, first served by the completion's time, then by name. It gives no
// number at or above the capacity, none while as many are taken as the capacity, and evicts nobody who is entitled.
func For(pool Pool) Plan {
	plan, _ := seatsOf(pool)
	return plan
}

// Queue is For, with the names of all who wait once that is done, the first one first.
func Queue(pool Pool) (Plan, []v1alpha1.LocalName) {
	plan, line := seatsOf(pool)
	queue := make([]v1alpha1.LocalName, 0, len(line))
	for _, grant := range line {
		queue = append(queue, v1alpha1.LocalName(grant.Name))
	}
	return plan, queue
}

func seatsOf(pool Pool) (Plan, []*v1alpha1.Grant) {
	plan := Plan{}
	entitled := make(map[string]*v1alpha1.Grant, len(pool.Grants))
	revokers := map[v1alpha1.GrantHolder][]v1alpha1.Grant{}
	for i := range pool.Revokers {
		holder := pool.Revokers[i].Spec.Holder
		revokers[holder] = append(revokers[holder], pool.Revokers[i])
	}
	for i := range pool.Grants {
		grant := &pool.Grants[i]
		end := lifecycle.StateOf(grant, pool.Now)
		if end.Stage != lifecycle.Active || !grant.DeletionTimestamp.IsZero() && !grant.Planned() {
			continue
		}
		if beside := revokers[grant.Spec.Holder]; len(beside) > 0 {
			revoked := lifecycle.RevokedFrom(grant, beside, pool.Now)
			if _, gone := revoked.Seats[v1alpha1.LocalName(pool.Name)]; gone {
				continue
			}
			plan.look(revoked.Next)
		}
		entitled[grant.Name] = grant
		plan.look(end.Next)
	}
	numbers, seated := pool.keep(&plan, entitled)
	line := pool.line(entitled, seated)
	line = pool.give(&plan, line, numbers)
	plan.Taken, plan.Waiting = int32(len(numbers)), int32(len(line))
	for i := 0; i < len(line) && i < lineLength; i++ {
		plan.Queue = append(plan.Queue, v1alpha1.LocalName(line[i].Name))
	}
	return plan, line
}

// look has the pool looked at again at a moment, if that is not zero.
func (p *Plan) look(at time.Time) {
	if !at.IsZero() && (p.Next.IsZero() || at.Before(p.Next)) {
		p.Next = at
	}
}

// keep sorts the seats into those that stay and those to take back: of a Grant that is no longer entitled or has gone,
// and the second one of a Grant.
func (p *Pool) keep(
	plan *Plan, entitled map[string]*v1alpha1.Grant,
) (numbers map[int32]bool, seated map[string]bool) {
	numbers, seated = make(map[int32]bool, len(p.Seats)), make(map[string]bool, len(p.Seats))
	known := make(map[string]bool, len(p.Grants))
	for i := range p.Grants {
		known[p.Grants[i].Name] = true
	}
	seats := make([]*v1alpha1.Seat, len(p.Seats))
	for i := range p.Seats {
		seats[i] = &p.Seats[i]
	}
	slices.SortFunc(seats, func(a, b *v1alpha1.Seat) int { return cmp.Compare(*a.Spec.Number, *b.Spec.Number) })
	for _, seat := range seats {
		holder := string(seat.Spec.Grant)
		over := known[holder] && entitled[holder] == nil || p.Gone[holder]
		switch {
		case seat.DeletionTimestamp != nil:
			numbers[*seat.Spec.Number] = true
		case !p.Frozen[holder] && (over || seated[holder]):
			plan.Free = append(plan.Free, *seat)
		default:
			numbers[*seat.Spec.Number], seated[holder] = true, true
		}
	}
	return numbers, seated
}

// line returns the Grants that wait, the first one first.
func (p *Pool) line(entitled map[string]*v1alpha1.Grant, seated map[string]bool) []*v1alpha1.Grant {
	var line []*v1alpha1.Grant
	since := map[*v1alpha1.Grant]time.Time{}
	for name, grant := range entitled {
		waits := !seated[name] && !p.Frozen[name] && !lifecycle.StateOf(grant, p.Now).Paused
		if waits && grant.DeletionTimestamp.IsZero() && !stalled(grant) {
			line = append(line, grant)
			since[grant] = ClaimedAt(grant)
		}
	}
	slices.SortFunc(line, func(a, b *v1alpha1.Grant) int {
		return cmp.Or(since[a].Compare(since[b]), cmp.Compare(a.Name, b.Name))
	})
	return line
}

// stalled reports whether a Grant is refused: it would take a seat from those who can use it.
func stalled(grant *v1alpha1.Grant) bool {
	return slices.ContainsFunc(grant.Status.Conditions, func(c metav1.Condition) bool {
		return c.Type == v1alpha1.ConditionStalled && c.Status == metav1.ConditionTrue &&
			c.ObservedGeneration == grant.Generation
	})
}

// ClaimedAt returns the time that gives a Grant its place in the line: that of its first completion, where courses are
// required that of the first completion of the course that came last, or since when it was asked for where a person
// made it.
func ClaimedAt(grant *v1alpha1.Grant) time.Time {
	firsts := make(map[v1alpha1.PlatformID]time.Time, len(grant.Spec.RequiredCourseIDs)+1)
	for i := range grant.Spec.Causes {
		cause, id := &grant.Spec.Causes[i], v1alpha1.PlatformID(0)
		if len(grant.Spec.RequiredCourseIDs) > 0 {
			id = lifecycle.CourseOf(cause)
		}
		sent := cause.First()
		if first, found := firsts[id]; !found || sent.Time.Before(first) {
			firsts[id] = sent.Time
		}
	}
	if len(firsts) == 0 {
		return grant.CountsFrom()
	}
	if len(grant.Spec.RequiredCourseIDs) == 0 {
		return firsts[0]
	}
	var last time.Time
	for _, id := range grant.Spec.RequiredCourseIDs {
		last = moment.Later(last, firsts[id])
	}
	return last
}

// give plans seats for the first in line, the lowest free numbers first, and returns who still waits. It plans no more
// than can be given in a moment, so that the status keeps up.
func (p *Pool) give(plan *Plan, line []*v1alpha1.Grant, numbers map[int32]bool) []*v1alpha1.Grant {
	if p.Restoring || p.Pool == nil || p.Pool.Spec.Capacity == nil || !p.Pool.DeletionTimestamp.IsZero() {
		return line
	}
	// A seat that is to be taken back is taken until it has gone.
	revoked := len(numbers) + len(plan.Free)
	freeing := map[int32]bool{}
	for _, seat := range plan.Free {
		freeing[*seat.Spec.Number] = true
	}
	capacity := *p.Pool.Spec.Capacity
	for number := int32(0); number < capacity && len(line) > 0 && revoked < int(capacity); number++ {
		if len(plan.Give) == givenAtOnce || !p.Unplanned.IsZero() && !ClaimedAt(line[0]).Before(p.Unplanned) {
			break
		}
		if numbers[number] || freeing[number] {
			continue
		}
		plan.Give = append(plan.Give, v1alpha1.SeatSpec{
			Pool: v1alpha1.LocalName(p.Name), Number: new(number), Grant: v1alpha1.LocalName(line[0].Name),
			PoolGeneration: p.Pool.Generation,
		})
		numbers[number] = true
		revoked++
		line = line[1:]
	}
	return line
}
