// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	. "github.com/onsi/gomega"
	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// A standby has full caches when it takes over, and plans persons in any order. The only seat goes to the first of
// those who came while nobody led, all the same.
func TestSeatGoesToTheFirstAlsoAfterAFailover(t *testing.T) {
	t.Parallel()
	for round := range uint64(4) {
		t.Run(fmt.Sprintf("seed %d", round), func(t *testing.T) {
			t.Parallel()
			w := makeWorld(t)
			lease := &coordinationv1.Lease{ObjectMeta: w.meta("standby"), Spec: coordinationv1.LeaseSpec{
				HolderIdentity: new("one that hangs"), LeaseDurationSeconds: new(int32(3600)),
				AcquireTime: new(metav1.NowMicro()), RenewTime: new(metav1.NowMicro())}}
			w.create(lease, MakeInstitution(w).Obj(), MakePool(w, "room", 1).Obj(), MakePolicy(w, "seat").Seat("room").Obj())
			w.election = lease.Name
			w.start()
			completions := make([]*v1alpha1.CourseCompletion, 8)
			for i := range completions {
				completions[i] = MakeCompletion(w, v1alpha1.PlatformID(i+1)).Obj()
			}
			rand.New(rand.NewPCG(round, 8)).Shuffle(len(completions), func(i, j int) {
				completions[i], completions[j] = completions[j], completions[i]
			})
			for i, completion := range completions {
				sendAt(completion, fmt.Sprintf("2026-03-01 10:%02d:00", i))
			}
			for _, i := range rand.New(rand.NewPCG(round, 9)).Perm(len(completions)) {
				w.create(completions[i])
			}
			w.eventually(func(g Gomega) {
				var seen v1alpha1.CourseCompletionList
				g.Expect(w.cached.List(t.Context(), &seen, client.InNamespace(w.namespace))).To(Succeed())
				g.Expect(seen.Items).To(HaveLen(len(completions)))
			})
			w.delete(lease)
			NewWithT(t).Eventually(func() map[string]string { return w.taken(NewWithT(t)) }, 2*soon, often).
				Should(Equal(map[string]string{"room-0": "seat." + completions[0].Name}))
			w.consistently(func(g Gomega) {
				g.Expect(w.taken(g)).To(Equal(map[string]string{"room-0": "seat." + completions[0].Name}))
			})
		})
	}
}

// The policy comes after everybody: persons are planned in any order then, too.
func TestSeatGoesToTheFirstWhereThePolicyComesLast(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const people = 30
	w.create(MakePool(w, "room", 1).Obj())
	var first *v1alpha1.CourseCompletion
	for i := range people {
		// Neither the names nor the moments of creation have the order of the completions.
		completion := MakeCompletion(w, v1alpha1.PlatformID(i+1)).
			SendAt(fmt.Sprintf("2026-03-01 10:%02d:00", (i*7+11)%people)).Obj()
		if completion.Spec.Event.SendAt == "2026-03-01 10:00:00" {
			first = completion
		}
		w.create(completion)
	}
	for i := range people {
		w.awaitReason(MakeCompletion(w, v1alpha1.PlatformID(i+1)).Obj(), v1alpha1.ReasonNothingMatched)
	}
	w.create(MakePolicy(w, "seat").Seat("room").Obj())
	w.eventually(func(g Gomega) { g.Expect(w.taken(g)).To(HaveKeyWithValue("room-0", "seat."+first.Name)) })
}

// A pool whose Grants come by the hundred says how it stands meanwhile, and not with a write for each.
func TestPoolSaysHowItStandsWhileManyCome(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	pool := MakePool(w, "room", 40).Obj()
	w.create(pool, MakePolicy(w, "seat").Seat("room").Obj())
	for i := range 120 {
		w.create(MakeCompletion(w, v1alpha1.PlatformID(i+1)).SendAt(fmt.Sprintf("2026-03-01 10:%02d:%02d", i/60, i%60)).Obj())
	}
	w.eventually(func(g Gomega) {
		w.get(pool)
		g.Expect(pool.Status.Taken).To(HaveValue(Equal(int32(40))))
		g.Expect(pool.Status.Waiting).To(HaveValue(Equal(int32(80))))
	})
}
