// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

var seatSeed = flag.Uint64("seats.seed", 0, "repeat the random seats of this seed; 0 takes another one each time")

// crashing cuts a manager off from the API server, at once and for good, as its death would: what it sent may have
// arrived, and it never learns so.
type crashing struct {
	next http.RoundTripper
	dead *atomic.Bool
}

var errDead = errors.New("the manager has crashed")

func (c crashing) RoundTrip(r *http.Request) (*http.Response, error) {
	if c.dead.Load() {
		return nil, errDead
	}
	response, err := c.next.RoundTrip(r)
	if c.dead.Load() && err == nil {
		_ = response.Body.Close()
		return nil, errDead
	}
	return response, err
}

// rival is one of two managers that work on the same institution at once, as two do for a moment where a leader has
// lost its lease without knowing it.
type rival struct {
	*world
	dead *atomic.Bool
}

func (w *world) rival() *rival {
	r := &rival{w.in(w.t), &atomic.Bool{}}
	r.restart()
	return r
}

func (r *rival) restart() {
	dead := &atomic.Bool{}
	r.dead = dead
	r.wrap = func(next http.RoundTripper) http.RoundTripper { return crashing{next, dead} }
	r.start()
}

func (r *rival) crash() {
	r.dead.Store(true)
	r.stop()
}

// seatWatch collects every version of the seats and pools of a world. It reads all the time: the API server ends a
// watch that does not.
type seatWatch struct {
	seats, pools <-chan watch.Event
}

// collect reads a watch to its end, and hands on what it read whenever somebody asks.
func collect(watched watch.Interface) <-chan watch.Event {
	events := make(chan watch.Event)
	go func() {
		defer close(events)
		var unread []watch.Event
		coming := watched.ResultChan()
		for coming != nil || len(unread) > 0 {
			var next watch.Event
			var asked chan<- watch.Event
			if len(unread) > 0 {
				next, asked = unread[0], events
			}
			select {
			case event, more := <-coming:
				if !more {
					coming = nil
					continue
				}
				unread = append(unread, event)
			case asked <- next:
				unread = unread[1:]
			}
		}
	}()
	return events
}

func (w *world) watchSeats() *seatWatch {
	w.t.Helper()
	g := NewWithT(w.t)
	// The namespace is new: from the first version on is everything.
	from := &client.ListOptions{Namespace: w.namespace, Raw: &metav1.ListOptions{ResourceVersion: w.version()}}
	seats, err := admin.Watch(w.t.Context(), &v1alpha1.SeatList{}, from)
	g.Expect(err).NotTo(HaveOccurred())
	pools, err := admin.Watch(w.t.Context(), &v1alpha1.SeatPoolList{}, from)
	g.Expect(err).NotTo(HaveOccurred())
	return &seatWatch{collect(seats), collect(pools)}
}

// version returns the present version of the store.
func (w *world) version() string {
	var seats v1alpha1.SeatList
	NewWithT(w.t).Expect(admin.List(w.t.Context(), &seats, client.InNamespace(w.namespace))).To(Succeed())
	return seats.ResourceVersion
}

// check goes through every version there was, and returns how many seats were given. Two markers, a seat and a pool
// made by the test at the end, tell that it has seen them all.
func (s *seatWatch) check(t *testing.T, last string) int {
	t.Helper()
	capacities := map[string]int32{}
	for event := range s.pools {
		pool, ok := event.Object.(*v1alpha1.SeatPool)
		if !ok {
			t.Fatalf("the watch of pools failed: %+v", event.Object)
		}
		if pool.Name == last {
			break
		}
		capacities[fmt.Sprintf("%s@%d", pool.Name, pool.Generation)] = *pool.Spec.Capacity
	}
	given := 0
	holders := map[string]v1alpha1.LocalName{}
	for event := range s.seats {
		seat, ok := event.Object.(*v1alpha1.Seat)
		if !ok {
			t.Fatalf("the watch of seats failed: %+v", event.Object)
		}
		if string(seat.Spec.Pool) == last {
			return given
		}
		holder, held := holders[seat.Name]
		if held && holder != seat.Spec.Grant {
			t.Errorf("seat %s had the holders %s and %s at once", seat.Name, holder, seat.Spec.Grant)
		}
		if seat.Name != v1alpha1.SeatName(string(seat.Spec.Pool), *seat.Spec.Number) {
			t.Errorf("seat %s has the number %d of pool %s", seat.Name, *seat.Spec.Number, seat.Spec.Pool)
		}
		capacity, known := capacities[fmt.Sprintf("%s@%d", seat.Spec.Pool, seat.Spec.PoolGeneration)]
		if !known || *seat.Spec.Number >= capacity {
			t.Errorf("seat %s was given under generation %d, whose capacity is %d (known: %t)", seat.Name,
				seat.Spec.PoolGeneration, capacity, known)
		}
		switch event.Type {
		case watch.Added:
			given++
			holders[seat.Name] = seat.Spec.Grant
		case watch.Deleted:
			delete(holders, seat.Name)
		}
	}
	t.Error("the watch ended before the marker")
	return given
}

// seatHistory makes random claims, releases and capacities.
type seatHistory struct {
	*rand.Rand
	w      *world
	rivals []*rival
	pools  []*v1alpha1.SeatPool
	sent   int
}

func (h *seatHistory) event() {
	switch n := h.IntN(24); {
	case n < 8:
		h.deliver()
	case n < 11:
		h.withdraw()
	case n < 15:
		h.handmade()
	case n < 18:
		h.override()
	case n < 22:
		pool := h.pools[h.IntN(len(h.pools))]
		h.w.change(pool, func() { pool.Spec.Capacity = new(int32(h.IntN(6))) })
	default:
		one := h.rivals[h.IntN(len(h.rivals))]
		one.crash()
		one.restart()
	}
}

// deliver makes somebody's completion, or a newer delivery of it.
func (h *seatHistory) deliver() {
	h.sent++
	at := time.Date(2026, time.February, 1+h.IntN(9), 10, 0, h.sent%60, 0, time.UTC).Format(time.DateTime)
	completion := MakeCompletion(h.w, v1alpha1.PlatformID(1+h.IntN(14))).SendAt(at).Obj()
	if err := admin.Create(h.w.t.Context(), completion); err == nil {
		return
	}
	newer := time.Date(2026, time.February, 10, 10, h.sent/60, h.sent%60, 0, time.UTC).Format(time.DateTime)
	active := int32(h.IntN(2))
	h.w.change(completion, func() {
		sendAt(completion, newer)
		completion.Spec.Enrollment.Status = &active
	})
}

func (h *seatHistory) withdraw() {
	completion := MakeCompletion(h.w, v1alpha1.PlatformID(1+h.IntN(14))).Obj()
	NewWithT(h.w.t).Expect(client.IgnoreNotFound(admin.Delete(h.w.t.Context(), completion))).To(Succeed())
}

// handmade makes a Grant as people do, or deletes it.
func (h *seatHistory) handmade() {
	user := v1alpha1.PlatformID(101 + h.IntN(6))
	grant := MakeGrant(h.w, fmt.Sprintf("guest-%d", user), user).Seat("lab").Obj()
	if h.IntN(2) == 0 {
		grant.Spec.Seats = append(grant.Spec.Seats, v1alpha1.GrantedSeat{Pool: "room"})
	}
	if err := admin.Create(h.w.t.Context(), grant); err != nil {
		NewWithT(h.w.t).Expect(client.IgnoreNotFound(admin.Delete(h.w.t.Context(), grant))).To(Succeed())
	}
}

func (h *seatHistory) override() {
	var grants v1alpha1.GrantList
	NewWithT(h.w.t).Expect(admin.List(h.w.t.Context(), &grants, client.InNamespace(h.w.namespace))).To(Succeed())
	if len(grants.Items) == 0 {
		return
	}
	grant := &grants.Items[h.IntN(len(grants.Items))]
	patch := client.MergeFrom(grant.DeepCopy())
	if grant.Spec.Override.Revoked == nil {
		grant.Spec.Override = v1alpha1.GrantOverride{Revoked: new(true), Reason: "left"}
	} else {
		grant.Spec.Override = v1alpha1.GrantOverride{}
	}
	NewWithT(h.w.t).Expect(client.IgnoreNotFound(admin.Patch(h.w.t.Context(), grant, patch))).To(Succeed())
}

// settled holds once nothing more happens: everybody who is entitled has a seat or waits for one that is not free, the
// pools say so, the first in line first, and nobody else has one.
func (h *seatHistory) settled(g Gomega, pool *v1alpha1.SeatPool) {
	ctx := h.w.t.Context()
	var grants v1alpha1.GrantList
	var seats v1alpha1.SeatList
	g.Expect(admin.Get(ctx, keyOf(pool), pool)).To(Succeed())
	g.Expect(admin.List(ctx, &grants, client.InNamespace(h.w.namespace))).To(Succeed())
	g.Expect(admin.List(ctx, &seats, client.InNamespace(h.w.namespace))).To(Succeed())
	holders := map[string]int{}
	taken := 0
	for i := range seats.Items {
		if string(seats.Items[i].Spec.Pool) == pool.Name {
			taken++
			holders[string(seats.Items[i].Spec.Grant)]++
		}
	}
	var line []*v1alpha1.Grant
	for i := range grants.Items {
		grant := &grants.Items[i]
		asks := slices.ContainsFunc(grant.Spec.Seats, func(s v1alpha1.GrantedSeat) bool {
			return string(s.Pool) == pool.Name
		})
		over := grant.Spec.Override.Revoked != nil ||
			grant.Spec.AccessEndsAt != nil && !grant.Spec.AccessEndsAt.After(h.w.clock.Now())
		switch has := holders[grant.Name]; {
		case !asks || over:
			g.Expect(has).To(BeZero(), "%s has a seat of %s", grant.Name, pool.Name)
		case has == 0:
			line = append(line, grant)
		default:
			g.Expect(has).To(Equal(1), "%s has seats of %s", grant.Name, pool.Name)
		}
		delete(holders, grant.Name)
	}
	g.Expect(holders).To(BeEmpty(), "seats of nobody")
	if len(line) > 0 {
		g.Expect(taken).To(BeNumerically(">=", *pool.Spec.Capacity), "%d wait while one of %s is free", len(line), pool.Name)
	}
	h.told(g, pool, taken, line)
}

// told compares the pool's status with how it stands.
func (h *seatHistory) told(g Gomega, pool *v1alpha1.SeatPool, taken int, line []*v1alpha1.Grant) {
	claimed := func(grant *v1alpha1.Grant) time.Time {
		if len(grant.Spec.Causes) > 0 {
			return grant.Spec.Causes[0].First().Time
		}
		return grant.CountsFrom()
	}
	slices.SortFunc(line, func(a, b *v1alpha1.Grant) int {
		return cmp.Or(claimed(a).Compare(claimed(b)), cmp.Compare(a.Name, b.Name))
	})
	var first []v1alpha1.LocalName
	for _, grant := range line[:min(10, len(line))] {
		first = append(first, v1alpha1.LocalName(grant.Name))
	}
	g.Expect(pool.Status.ObservedGeneration).To(Equal(pool.Generation))
	g.Expect(pool.Status.Taken).To(HaveValue(BeEquivalentTo(taken)), "taken")
	g.Expect(pool.Status.Waiting).To(HaveValue(BeEquivalentTo(len(line))), "waiting")
	g.Expect(pool.Status.Queue).To(Equal(first))
}

// TestSeatsUnderRandomClaims lets two managers work at once on claims, releases and capacities that change at random,
// and crash now and then, and looks at every version of every seat and pool.
func TestSeatsUnderRandomClaims(t *testing.T) {
	t.Parallel()
	seed := *seatSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("repeat it by -seats.seed=%d", seed)
	w := makeWorld(t)
	watched := w.watchSeats()
	h := &seatHistory{Rand: rand.New(rand.NewPCG(seed, 9)), w: w, pools: []*v1alpha1.SeatPool{
		MakePool(w, "lab", 2).Obj(), MakePool(w, "room", 3).Obj()}}
	institution := MakeInstitution(w).Obj()
	// What is braked is another test's.
	institution.Spec.RevocationBudget = new(int32(100000))
	w.create(institution, h.pools[0], h.pools[1], MakePolicy(w, "seat").Seat("lab").Seat("room").Obj())
	h.rivals = []*rival{w.rival(), w.rival()}
	// A slow machine gives fewer seats in a round, since claims go before their turn comes: it gets more rounds.
	given := map[types.UID]bool{}
	for round := 0; round < 6 || len(given) < 20 && round < 40; round++ {
		for range 20 {
			h.event()
		}
		for _, pool := range h.pools {
			w.eventually(func(g Gomega) { h.settled(g, pool) })
		}
		var seats v1alpha1.SeatList
		NewWithT(t).Expect(admin.List(t.Context(), &seats, client.InNamespace(w.namespace))).To(Succeed())
		for i := range seats.Items {
			given[seats.Items[i].UID] = true
		}
	}
	marker := MakePool(w, "zz-last", 1).Obj()
	w.create(marker, &v1alpha1.Seat{ObjectMeta: w.meta("zz-last-0"), Spec: v1alpha1.SeatSpec{
		Pool: "zz-last", Number: new(int32(0)), Grant: "nobody", PoolGeneration: 1}})
	if given := watched.check(t, "zz-last"); given < 20 {
		t.Errorf("only %d seats were given: the history shows too little", given)
	}
}
