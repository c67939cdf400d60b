// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/lifecycle"
)

// look plays the loop of the Grants: it notes that it has looked, and takes what is over.
func (w *world) look() {
	for i := range w.grants {
		grant := &w.grants[i]
		grant.Status.ObservedGeneration = grant.Generation
		if lifecycle.StateOf(grant, w.now).Paused {
			lifecycle.Admit(grant, lifecycle.EndRevocation(grant), w.now, "")
		}
		end := lifecycle.StateOf(grant, w.now)
		switch {
		case end.Stage == lifecycle.Active:
			grant.Status.AccessEndedAt = nil
			grant.Status.Inventory = []v1alpha1.InventoryEntry{{Kind: "Namespace", Name: "grad-5-7"}}
		case end.Stage != lifecycle.AwaitingApproval && grant.Status.AccessEndedAt == nil:
			grant.Status.AccessEndedAt = new(metav1.NewTime(w.now))
		}
		if lifecycle.StateOf(grant, w.now).Stage == lifecycle.DataExpired && grant.Spec.OnRevoke == v1alpha1.RemovalDelete {
			grant.Status.Inventory = nil
		}
	}
}

// settle has both loops follow each other until neither changes anything.
func (w *world) settle() {
	w.t.Helper()
	for range 5 {
		w.look()
		w.plan()
		if !w.last.Grants[0].Changed() {
			return
		}
		w.grants[0].Generation++
	}
	w.t.Fatal("the grant is written again and again")
}

func override(edit func(*v1alpha1.GrantOverride)) func(*world) {
	return func(w *world) {
		w.grants[0].Spec.Override = v1alpha1.GrantOverride{Reason: "a test"}
		edit(&w.grants[0].Spec.Override)
		w.grants[0].Generation++
	}
}

// What a Grant gives is there no sooner and no longer than it is needed, and never comes and goes.
func TestGrantSaysWhatItGivesOnlyWhileThatIsNeeded(t *testing.T) {
	t.Parallel()
	const completion = "1-7-11-5"
	manual := func(s *v1alpha1.CompletionPolicySpec) { s.Approval = v1alpha1.ApprovalManual }
	retain := func(s *v1alpha1.CompletionPolicySpec) { s.OnRevoke = v1alpha1.RemovalRetain }
	approve := override(func(o *v1alpha1.GrantOverride) { o.Approved = new(true) })
	revoke := override(func(o *v1alpha1.GrantOverride) { o.Revoked = new(true) })
	takeBack := override(func(o *v1alpha1.GrantOverride) { *o = v1alpha1.GrantOverride{} })
	withdraw := func(w *world) { delete(w.completions, completion) }
	repeat := func(w *world) { w.deliver(delivered("2024-01-10 10:00:00")) }
	again := func(w *world) { w.deliver(delivered("2024-01-10 11:00:00")) }
	wait := func(w *world) { w.now = w.now.Add(31 * 24 * time.Hour) }
	prolong := func(w *world) {
		override(func(o *v1alpha1.GrantOverride) { o.Until = new(metav1.NewTime(w.now.Add(time.Hour))) })(w)
	}
	restored := func(w *world) { w.grants[0].Status.RestoredAt = new(metav1.NewTime(w.now)) }
	for name, tc := range map[string]struct {
		policy func(*v1alpha1.CompletionPolicySpec)
		play   []func(*world)
		blank  bool
	}{
		"while the holder is entitled":              {play: nil},
		"during the grace days":                     {play: []func(*world){withdraw}},
		"once everything has gone":                  {play: []func(*world){withdraw, wait}, blank: true},
		"after a late repetition of what was over":  {play: []func(*world){withdraw, wait, repeat}, blank: true},
		"after a newer delivery of what was over":   {play: []func(*world){withdraw, wait, again}},
		"once a person has revoked it":              {play: []func(*world){revoke, wait}, blank: true},
		"once a person has let it go on":            {play: []func(*world){revoke, wait, takeBack}},
		"once a person has prolonged it":            {play: []func(*world){withdraw, wait, prolong}, blank: true},
		"once a person has prolonged what is there": {play: []func(*world){revoke, wait, prolong}},
		"before it is approved":                     {policy: manual, blank: true},
		"once it is approved":                       {policy: manual, play: []func(*world){approve}},
		"once an approval was taken back":           {policy: manual, play: []func(*world){approve, takeBack}},
		"where it was revoked instead":              {policy: manual, play: []func(*world){revoke, wait}, blank: true},
		"where it ended before it was approved":     {policy: manual, play: []func(*world){withdraw, wait}, blank: true},
		"where what is left is left to people":      {policy: retain, play: []func(*world){withdraw, wait}},
		"where it came from a backup":               {play: []func(*world){withdraw, restored, wait}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if tc.policy == nil {
				tc.policy = func(*v1alpha1.CompletionPolicySpec) {}
			}
			w := newWorld(t, namespacePolicy(tc.policy))
			w.deliver(delivered("2024-01-10 10:00:00"))
			w.settle()
			for _, step := range tc.play {
				step(w)
				w.settle()
			}
			if got := Blank(&w.grants[0]); got != tc.blank {
				t.Errorf("blank: %v, want %v; spec %+v", got, tc.blank, w.grants[0].Spec)
			}
			if len(w.grants[0].Spec.Causes) == 0 {
				t.Error("it has lost its causes")
			}
		})
	}
}

// What is about to be given again is not taken out, nor what the loop of the Grants has not looked at as it is.
func TestGrantKeepsWhatItGivesWhereItMayBeGivenAgain(t *testing.T) {
	t.Parallel()
	for name, play := range map[string]func(*world){
		"a newer delivery came": func(w *world) { w.deliver(delivered("2024-01-10 11:00:00")) },
		"it changed meanwhile":  func(w *world) { w.grants[0].Generation++ },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, namespacePolicy())
			w.deliver(delivered("2024-01-10 10:00:00"))
			w.settle()
			delete(w.completions, "1-7-11-5")
			w.settle()
			w.now = w.now.Add(31 * 24 * time.Hour)
			w.look()
			play(w)
			w.plan()
			if Blank(&w.grants[0]) {
				t.Error("it is blank")
			}
		})
	}
}
