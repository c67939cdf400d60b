// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"net/http"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	eventsv1 "k8s.io/api/events/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// taken returns who has which seat of a pool.
func (w *world) taken(g Gomega) map[string]string {
	var seats v1alpha1.SeatList
	g.Expect(admin.List(w.t.Context(), &seats, client.InNamespace(w.namespace))).To(Succeed())
	taken := map[string]string{}
	for i := range seats.Items {
		taken[seats.Items[i].Name] = string(seats.Items[i].Spec.Grant)
	}
	return taken
}

func (w *world) awaitTaken(want map[string]string) {
	w.t.Helper()
	w.eventually(func(g Gomega) { g.Expect(w.taken(g)).To(Equal(want)) })
}

// awaitPool waits until a pool says how it stands.
func (w *world) awaitPool(pool *v1alpha1.SeatPool, taken, waiting int32, line ...v1alpha1.LocalName) {
	w.t.Helper()
	w.eventually(func(g Gomega) {
		w.get(pool)
		g.Expect(pool.Status.Taken).To(HaveValue(Equal(taken)), "taken")
		g.Expect(pool.Status.Waiting).To(HaveValue(Equal(waiting)), "waiting")
		g.Expect(pool.Status.Queue).To(Equal(line))
	})
}

// Those who wait are in the order of their completions, whatever the order in which they came to be known.
func TestSeatsGoToTheFirstInLine(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	g := NewWithT(t)
	pool := MakePool(w, "room", 0).Obj()
	w.create(pool, MakePolicy(w, "seat").Seat("room").Obj())
	late := MakeCompletion(w, 1).SendAt("2026-03-03 10:00:00").Obj()
	early := MakeCompletion(w, 2).SendAt("2026-03-01 10:00:00").Obj()
	middle := MakeCompletion(w, 3).SendAt("2026-03-02 10:00:00").Obj()
	w.create(late, early, middle)
	name := func(c *v1alpha1.CourseCompletion) v1alpha1.LocalName { return v1alpha1.LocalName("seat." + c.Name) }
	w.awaitPool(pool, 0, 3, name(early), name(middle), name(late))
	waits := w.grantOf("seat", late)
	w.awaitReason(waits, v1alpha1.ReasonWaitingForSeat)
	g.Expect(waits.Status.Phase).To(Equal(v1alpha1.GrantWaiting))

	w.change(pool, func() { pool.Spec.Capacity = new(int32(2)) })
	w.awaitTaken(map[string]string{"room-0": string(name(early)), "room-1": string(name(middle))})
	w.awaitPool(pool, 2, 1, name(late))
	has := w.grantOf("seat", early)
	w.awaitActive(has)
	g.Expect(has.Status.Seats).To(Equal([]v1alpha1.HeldSeat{{Pool: "room", Number: new(int32(0))}}))
	w.awaitReason(early, v1alpha1.ReasonGranted)

	// A freed seat goes to the first in line, not to who comes later.
	w.create(MakeCompletion(w, 4).SendAt("2026-03-04 10:00:00").Obj())
	w.awaitPool(pool, 2, 2, name(late), name(MakeCompletion(w, 4).Obj()))
	w.delete(early)
	w.awaitTaken(map[string]string{"room-0": string(name(late)), "room-1": string(name(middle))})
	w.awaitActive(waits)
	w.awaitReason(has, v1alpha1.ReasonEnded)
	g.Expect(has.Status.Seats).To(BeEmpty())
}

func TestLoweredCapacityEvictsNobody(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	pool := MakePool(w, "room", 3).Obj()
	w.create(pool, MakePolicy(w, "seat").Seat("room").Obj())
	var completions []*v1alpha1.CourseCompletion
	for _, user := range []v1alpha1.PlatformID{1, 2, 3} {
		completion := MakeCompletion(w, user).Obj()
		completions = append(completions, completion)
		w.create(completion)
		w.awaitActive(w.grantOf("seat", completion))
	}
	w.change(pool, func() { pool.Spec.Capacity = new(int32(1)) })
	w.awaitReason(pool, v1alpha1.ReasonCapacityLowered)
	w.consistently(func(g Gomega) { g.Expect(w.taken(g)).To(HaveLen(3)) })
	waits := MakeCompletion(w, 4).Obj()
	w.create(waits)
	w.awaitReason(w.grantOf("seat", waits), v1alpha1.ReasonWaitingForSeat)

	// Two leave, and as many are taken as the capacity: still none is given.
	w.delete(completions[0], completions[1])
	w.awaitReason(pool, v1alpha1.ReasonReady)
	w.awaitTaken(map[string]string{"room-2": "seat." + completions[2].Name})
	w.consistently(func(g Gomega) { g.Expect(w.taken(g)).To(HaveLen(1)) })
	w.delete(completions[2])
	w.awaitTaken(map[string]string{"room-0": "seat." + waits.Name})
}

func TestPoolThatIsMissingOrRemoved(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.create(MakePolicy(w, "seat").Seat("room").Obj())
	first, second := MakeCompletion(w, 1).Obj(), MakeCompletion(w, 2).SendAt("2026-03-02 10:00:00").Obj()
	w.create(first)
	has, waits := w.grantOf("seat", first), w.grantOf("seat", second)
	w.awaitReason(has, v1alpha1.ReasonPoolMissing)
	pool := MakePool(w, "room", 0).Obj()
	w.create(pool)
	w.awaitReason(has, v1alpha1.ReasonWaitingForSeat)
	w.change(pool, func() { pool.Spec.Capacity = new(int32(1)) })
	w.awaitActive(has)
	w.create(second)
	w.awaitReason(waits, v1alpha1.ReasonWaitingForSeat)

	w.delete(pool)
	w.awaitReason(waits, v1alpha1.ReasonPoolMissing)
	w.consistently(func(g Gomega) { g.Expect(w.taken(g)).To(HaveLen(1)) })
	w.awaitActive(has)
	// Without its pool a seat is still taken back.
	w.delete(first)
	w.awaitReason(has, v1alpha1.ReasonEnded)
	w.awaitTaken(map[string]string{})
}

func TestHandmadeGrantTakesASeatAndGivesItBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	grant := MakeGrant(w, "guest", 42).Seat("room").Obj()
	w.create(MakePool(w, "room", 1).Obj(), grant)
	w.awaitActive(grant)
	w.awaitTaken(map[string]string{"room-0": "guest"})
	w.delete(grant)
	w.awaitGone(grant)
	w.awaitTaken(map[string]string{})
}

// A seat goes with the access, not with the data.
func TestSeatIsFreedAtTheStartOfTheGrace(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	completion := MakeCompletion(w, 1).Expire("2026-03-20").Obj()
	next := MakeCompletion(w, 2).SendAt("2026-03-05 10:00:00").Obj()
	w.create(MakePool(w, "room", 1).Obj(), MakeLab(w, "lab").Seat("room").Grace(30).Obj(), completion)
	w.awaitActive(w.grantOf("lab", completion))
	w.create(next)
	w.awaitReason(w.grantOf("lab", next), v1alpha1.ReasonWaitingForSeat)
	w.step(11 * oneDay)
	w.awaitTaken(map[string]string{"room-0": "lab." + next.Name})
	w.awaitReason(w.grantOf("lab", completion), v1alpha1.ReasonAccessEnded)
	w.awaitActive(w.grantOf("lab", next))
	w.get(w.learner(1))
}

// A seat that is given while the rest is put in place is there once that is: nobody is told to wait for it.
func TestSeatThatComesWhileTheRestIsPutInPlaceIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	w, begun, given := makeWorld(t), make(chan struct{}, 1), make(chan struct{})
	w.wrap = func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(request *http.Request) (*http.Response, error) {
			if request.Method == http.MethodPatch && strings.Contains(request.URL.Path, "/"+w.prefix+"1/rolebindings/") {
				signal(begun)
				select {
				case <-given:
				case <-request.Context().Done():
				}
			}
			return next.RoundTrip(request)
		})
	}
	pool, completion := MakePool(w, "room", 0).Obj(), MakeCompletion(w, 1).Obj()
	w.create(MakeInstitution(w).Obj(), pool, MakeLab(w, "lab").Seat("room").Obj(), completion)
	w.start()
	NewWithT(t).Eventually(begun, soon).Should(Receive())
	w.change(pool, func() { pool.Spec.Capacity = new(int32(1)) })
	grant := w.grantOf("lab", completion)
	w.awaitTaken(map[string]string{"room-0": grant.Name})
	seat := &v1alpha1.Seat{ObjectMeta: w.meta("room-0")}
	w.get(seat)
	w.awaitSeen(seat)
	close(given)
	w.awaitActive(grant)
	// An event would tell of the wait, and another one of its end.
	w.consistently(func(g Gomega) {
		var events eventsv1.EventList
		g.Expect(admin.List(t.Context(), &events, client.InNamespace(w.namespace))).To(Succeed())
		var told []string
		for _, event := range events.Items {
			if event.Regarding.Name == grant.Name && event.Regarding.Kind == "Grant" {
				told = append(told, event.Reason)
			}
		}
		g.Expect(told).To(BeEmpty())
	})
}
