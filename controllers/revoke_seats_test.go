// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"testing"
	"time"

	. "github.com/onsi/gomega"
	eventsv1 "k8s.io/api/events/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// finishing is the course whose completion revokes something. Its completions lie in the real future, after
// everything that a test makes.
const (
	finishing = v1alpha1.PlatformID(900)
	finished  = "2030-06-01 10:00:00"
)

// Takes makes a policy take seats and namespaces away from whoever completes the course finishing.
func (p *PolicyWrapper) Revokes(seats []v1alpha1.LocalName, namespaces ...v1alpha1.Template) *PolicyWrapper {
	for _, pool := range seats {
		p.Spec.Revoke.Seats = append(p.Spec.Revoke.Seats, v1alpha1.RevokedSeat{Pool: pool})
	}
	for _, name := range namespaces {
		p.Spec.Revoke.Namespaces = append(p.Spec.Revoke.Namespaces, v1alpha1.RevokedNamespace{Name: name})
	}
	return p.Courses(finishing)
}

var room = []v1alpha1.LocalName{"room"}

// finish is the completion that takes from user 1.
func finish(w *world) *CompletionWrapper {
	return MakeCompletion(w, 1).Course(finishing).SendAt(finished)
}

// awaitEvent waits until people were told of something about an object.
func (w *world) awaitEvent(object client.Object, reason, note string) {
	w.t.Helper()
	w.eventually(func(g Gomega) {
		var list eventsv1.EventList
		g.Expect(admin.List(w.t.Context(), &list, client.InNamespace(w.namespace))).To(Succeed())
		var said []string
		for i := range list.Items {
			if e := &list.Items[i]; e.Regarding.Name == object.GetName() && e.Reason == reason {
				said = append(said, e.Note)
			}
		}
		g.Expect(said).To(ContainElement(ContainSubstring(note)))
	})
}

// An enrollment system gave the seat; completing the course takes it, and the next in line gets it.
func TestRevokedSeatOfAHandmadeGrantGoesToTheNextInLine(t *testing.T) {
	t.Parallel()
	w := newLateWorld(t)
	g := NewWithT(t)
	pool := MakePool(w, "room", 1).Obj()
	has, waiting := MakeGrant(w, "first", 1).Seat("room").Obj(), MakeGrant(w, "second", 2).Seat("room").Obj()
	w.create(pool, MakePolicy(w, "done").Revokes(room).Obj(), has)
	w.awaitActive(has)
	w.create(waiting)
	w.awaitReason(waiting, v1alpha1.ReasonWaitingForSeat)

	completion := finish(w).Obj()
	w.create(completion)
	w.awaitTaken(map[string]string{"room-0": "second"})
	w.awaitReason(has, v1alpha1.ReasonRevokedByCompletion)
	g.Expect(has.Status.Phase).To(Equal(v1alpha1.GrantEnded))
	g.Expect(has.Status.Seats).To(BeEmpty())
	g.Expect(ready(has).Message).To(
		ContainSubstring("completion " + completion.Name + " revoked the seat of SeatPool room"))
	w.awaitEvent(has, v1alpha1.ReasonRevokedByCompletion, completion.Name)
	w.awaitPool(pool, 1, 0)
	w.awaitActive(waiting)
	taker := w.grantOf("done", completion)
	w.awaitActive(taker)
	g.Expect(string(taker.Spec.Revokes.Completion)).To(Equal(completion.Name))
	w.awaitReason(completion, v1alpha1.ReasonGranted)

	// Nobody else's seat went, and nothing goes after a restart.
	w.stop()
	w.start()
	w.touch(pool)
	w.consistently(func(g Gomega) {
		g.Expect(w.taken(g)).To(Equal(map[string]string{"room-0": "second"}))
	})
}

func TestRevokedSeatComesBackWithAWithdrawal(t *testing.T) {
	t.Parallel()
	w := newLateWorld(t)
	has := MakeGrant(w, "first", 1).Seat("room").Obj()
	completion := finish(w).Obj()
	w.create(MakePool(w, "room", 1).Obj(), MakePolicy(w, "done").Revokes(room).Obj(), has)
	w.awaitActive(has)
	w.create(completion)
	w.awaitReason(has, v1alpha1.ReasonRevokedByCompletion)
	w.awaitTaken(map[string]string{})

	w.delete(completion)
	w.awaitTaken(map[string]string{"room-0": "first"})
	w.awaitActive(has)
	NewWithT(t).Expect(ready(has).Message).To(Equal("everything is in place"))

	// The same, repeated late, takes nothing again; a newer one does.
	again := finish(w).Obj()
	w.create(again)
	w.awaitReason(again, v1alpha1.ReasonEnded)
	w.consistently(func(g Gomega) { g.Expect(w.taken(g)).To(HaveLen(1)) })
	w.change(again, func() { sendAt(again, "2030-06-02 10:00:00") })
	w.awaitTaken(map[string]string{})
	w.awaitReason(has, v1alpha1.ReasonRevokedByCompletion)
}

// What comes later in the order keeps its seat, and gets it, whatever the order of arrival; what is older does not.
func TestRevokedSeatDependsOnTheOrderAndNotOnTheArrival(t *testing.T) {
	t.Parallel()
	const before, after = "2030-05-31 10:00:00", "2030-06-01 10:00:01"
	for _, tc := range []struct {
		name, sendAt string
		first        bool
		want         string
	}{
		{"an older completion that came first loses it", before, true, v1alpha1.ReasonRevokedByCompletion},
		{"an older completion that comes late gets none", before, false, v1alpha1.ReasonRevokedByCompletion},
		{"a later completion that came first keeps it", after, true, v1alpha1.ReasonActive},
		{"a later completion gets one again", after, false, v1alpha1.ReasonActive},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w := newLateWorld(t)
			w.create(MakePool(w, "room", 1).Obj(),
				MakePolicy(w, "done").Revokes(room).Obj(), MakePolicy(w, "seat").Seat("room").Obj())
			enrolled, taking := MakeCompletion(w, 1).SendAt(tc.sendAt).Obj(), finish(w).Obj()
			grant := w.grantOf("seat", enrolled)
			if tc.first {
				w.create(enrolled)
				w.awaitActive(grant)
				w.create(taking)
			} else {
				w.create(taking)
				w.awaitActive(w.grantOf("done", taking))
				w.create(enrolled)
			}
			w.awaitReason(taking, v1alpha1.ReasonGranted)
			w.awaitReason(grant, tc.want)
			seats := map[string]string{}
			if tc.want == v1alpha1.ReasonActive {
				seats["room-0"] = grant.Name
			}
			w.awaitTaken(seats)
			w.consistently(func(g Gomega) { g.Expect(w.taken(g)).To(Equal(seats)) })
		})
	}
}

// Several deliveries of one completion, each stored by another replica of the webhook server, end in the same state.
func TestRevokedSeatStaysWithARepetition(t *testing.T) {
	t.Parallel()
	w := newLateWorld(t)
	taking := finish(w).Obj()
	w.create(MakePool(w, "room", 1).Obj(), MakePolicy(w, "done").Revokes(room).Obj(),
		MakePolicy(w, "seat").Seat("room").Obj(), taking)
	w.awaitActive(w.grantOf("done", taking))
	again := MakeCompletion(w, 1).SendAt("2030-07-01 10:00:00").Obj()
	w.create(again)
	w.awaitActive(w.grantOf("seat", again))
	// The API takes it once more as it is.
	w.change(taking, func() { taking.Spec.Delivery.ID = "delivery-2" })
	w.awaitReason(taking, v1alpha1.ReasonGranted)
	w.consistently(func(g Gomega) { g.Expect(w.taken(g)).To(HaveLen(1)) })
}

func TestRevokedSeatIsTakenByWhatEntitlesToNothing(t *testing.T) {
	t.Parallel()
	for name, edit := range map[string]func(*CompletionWrapper){
		"an inactive enrollment": func(c *CompletionWrapper) { c.Inactive() },
		"an expired enrollment":  func(c *CompletionWrapper) { c.Expire("2026-01-01") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newLateWorld(t)
			has := MakeGrant(w, "first", 1).Seat("room").Obj()
			w.create(MakePool(w, "room", 1).Obj(), MakePolicy(w, "done").Revokes(room).Obj(), has)
			w.awaitActive(has)
			completion := finish(w)
			edit(completion)
			w.create(completion.Obj())
			w.awaitReason(has, v1alpha1.ReasonRevokedByCompletion)
			w.awaitTaken(map[string]string{})
		})
	}
}

// Only what the policy says is taken, as long as it says so.
func TestRevokedSeatFollowsThePolicy(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		edit func(w *world, policy *v1alpha1.CompletionPolicy)
		want string
	}{
		{"that takes another pool", func(w *world, p *v1alpha1.CompletionPolicy) {
			w.change(p, func() { p.Spec.Revoke.Seats = []v1alpha1.RevokedSeat{{Pool: "other"}} })
		}, v1alpha1.ReasonActive},
		{"that is faulty", func(w *world, p *v1alpha1.CompletionPolicy) {
			w.change(p, func() { p.Spec.Match.Expression = "nonsense(" })
			w.awaitReason(p, v1alpha1.ReasonInvalidPolicy)
		}, v1alpha1.ReasonRevokedByCompletion},
		{"that retains and is deleted", func(w *world, p *v1alpha1.CompletionPolicy) { w.delete(p) },
			v1alpha1.ReasonRevokedByCompletion},
		{"that deletes and is deleted", func(w *world, p *v1alpha1.CompletionPolicy) {
			w.change(p, func() { p.Spec.OnPolicyRemoval = v1alpha1.RemovalDelete })
			taker := w.grantOf("done", finish(w).Obj())
			w.eventually(func(g Gomega) {
				w.get(taker)
				g.Expect(taker.Spec.OnPolicyRemoval).To(Equal(v1alpha1.RemovalDelete))
			})
			w.delete(p)
		}, v1alpha1.ReasonActive},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w := newLateWorld(t)
			policy, has := MakePolicy(w, "done").Revokes(room).Obj(), MakeGrant(w, "first", 1).Seat("room").Obj()
			w.create(MakePool(w, "room", 1).Obj(), policy, has)
			w.awaitActive(has)
			w.create(finish(w).Obj())
			w.awaitReason(has, v1alpha1.ReasonRevokedByCompletion)
			tc.edit(w, policy)
			w.awaitReason(has, tc.want)
			w.consistently(func(g Gomega) {
				w.get(has)
				g.Expect(ready(has).Reason).To(Equal(tc.want), ready(has).Message)
			})
		})
	}
}

func TestRevokedSeatOfASuspendedInstitutionStays(t *testing.T) {
	t.Parallel()
	w := newLateWorld(t)
	institution := MakeInstitution(w).Obj()
	has := MakeGrant(w, "first", 1).Seat("room").Obj()
	w.create(MakePool(w, "room", 1).Obj(), MakePolicy(w, "done").Revokes(room).Obj(), has)
	w.awaitActive(has)
	w.change(institution, func() { institution.Spec.Suspend = new(true) })
	w.awaitReason(has, v1alpha1.ReasonSuspended)
	w.create(finish(w).Obj())
	w.consistently(func(g Gomega) { g.Expect(w.taken(g)).To(HaveLen(1)) })
	w.change(institution, func() { institution.Spec.Suspend = nil })
	w.awaitReason(has, v1alpha1.ReasonRevokedByCompletion)
}

// What was taken of several things leaves the others, and says so.
func TestRevokedSeatLeavesTheRestOfAGrant(t *testing.T) {
	t.Parallel()
	w := newLateWorld(t)
	g := NewWithT(t)
	enrolled, taking := MakeCompletion(w, 1).Obj(), finish(w).Obj()
	w.create(MakePool(w, "room", 1).Obj(), MakePool(w, "desk", 1).Obj(), MakePolicy(w, "done").Revokes(room).Obj(),
		MakeLab(w, "lab").Seat("room").Seat("desk").Obj(), enrolled)
	grant := w.grantOf("lab", enrolled)
	w.awaitActive(grant)
	g.Expect(grant.Status.Seats).To(HaveLen(2))
	w.create(taking)
	w.awaitTaken(map[string]string{"desk-0": grant.Name})
	w.eventually(func(g Gomega) {
		w.get(grant)
		g.Expect(grant.Status.Phase).To(Equal(v1alpha1.GrantActive))
		g.Expect(ready(grant).Message).To(And(HavePrefix("the rest is in place"),
			ContainSubstring("completion "+taking.Name+" revoked the seat of SeatPool room")))
		g.Expect(grant.Status.Seats).To(Equal([]v1alpha1.HeldSeat{{Pool: "desk", Number: new(int32(0))}}))
	})
	w.awaitEvent(grant, v1alpha1.ReasonActive, taking.Name)
	w.get(w.accessOf(1))
}

// A policy with approval takes nothing before a person says so.
func TestRevokedSeatWaitsForTheApproval(t *testing.T) {
	t.Parallel()
	w := newLateWorld(t)
	has := MakeGrant(w, "first", 1).Seat("room").Obj()
	policy := MakePolicy(w, "done").Revokes(room).Obj()
	policy.Spec.Approval = v1alpha1.ApprovalManual
	w.create(MakePool(w, "room", 1).Obj(), policy, has)
	w.awaitActive(has)
	completion := finish(w).Obj()
	w.create(completion)
	taker := w.grantOf("done", completion)
	w.awaitReason(taker, v1alpha1.ReasonAwaitingApproval)
	w.step(time.Minute)
	w.consistently(func(g Gomega) { g.Expect(w.taken(g)).To(HaveLen(1)) })
	w.change(taker, func() { taker.Spec.Override = v1alpha1.GrantOverride{Approved: new(true), Reason: "examined"} })
	w.awaitTaken(map[string]string{})
	w.awaitReason(has, v1alpha1.ReasonRevokedByCompletion)
}
