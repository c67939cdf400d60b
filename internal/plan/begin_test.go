// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

func TestLossOf(t *testing.T) {
	t.Parallel()
	const after = "2026-03-01 12:00:01"
	unbegun := func(g *v1alpha1.Grant) { g.Status.Revocations = nil }
	newer := func(g *v1alpha1.Grant) {
		g.Spec.Revokes.SendAt, g.Spec.Revokes.SentAt = "2026-03-09 12:00:00", metav1.NewTime(noon.Add(8*day))
	}
	has := func(g *v1alpha1.Grant) {
		g.Status.Inventory = []v1alpha1.InventoryEntry{{Kind: "Namespace", Name: "lab-5"}}
	}
	for name, tc := range map[string]struct {
		taker, grant v1alpha1.Grant
		want         Loss
		wantUntil    time.Time
	}{
		"an older completion loses":   {taker: taker(unbegun), grant: losing(has), want: Loses},
		"what is taken is taken once": {taker: taker(), grant: losing(has), want: LosesNothing},
		"a newer delivery takes no more": {
			taker: taker(newer), grant: losing(has), want: LosesNothing,
		},
		"a newer delivery takes what came in between": {
			taker: taker(newer), grant: losing(has, causedAlso(after, "a", 0)), want: Loses,
		},
		"a newer delivery takes what people made in between": {
			taker: taker(newer), grant: losing(has, made(time.Hour)), want: Loses,
		},
		"a later completion keeps": {
			taker: taker(unbegun), grant: losing(has, causedAlso(after, "a", 0)), want: Kept,
		},
		"a later completion keeps what was begun": {
			taker: taker(), grant: losing(has, causedAlso(after, "a", time.Hour)), want: Kept, wantUntil: noon.Add(time.Hour),
		},
		"what does not say the label keeps": {
			taker: taker(unbegun), want: Kept,
			grant: losing(has, func(g *v1alpha1.Grant) { g.Spec.Namespaces[0].Labels = nil }),
		},
		"what is not there keeps nothing": {
			taker: taker(unbegun), grant: losing(causedAlso(after, "a", 0)), want: LosesNothing,
		},
		"what has ended loses nothing": {taker: taker(unbegun), want: LosesNothing,
			grant: losing(func(g *v1alpha1.Grant) { g.Status.AccessEndedAt = new(metav1.NewTime(noon)) })},
		"somebody else loses nothing": {
			taker: taker(unbegun), grant: losing(has, func(g *v1alpha1.Grant) { g.Spec.Holder.UserID = 6 }), want: LosesNothing,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, keeper := LossOf(&tc.taker, []v1alpha1.Grant{tc.taker, tc.grant}, "lab-5", noon)
			if got != tc.want || !keeper.Until.Equal(tc.wantUntil) {
				t.Errorf("got %d until %s, want %d until %s", got, keeper.Until, tc.want, tc.wantUntil)
			}
		})
	}
}

// The release of an older trip lets nothing pass that nobody would have lost when it was released.
func TestTakesAreKnownFromWhenTheyWouldBeLost(t *testing.T) {
	t.Parallel()
	planned, before, looked := noon.Add(-9*day), noon.Add(-time.Hour),
		metav1.Condition{Type: v1alpha1.ConditionRevocationsComplete}
	for name, tc := range map[string]struct {
		edit func(*v1alpha1.Grant)
		want time.Time
	}{
		"at the first look": {func(*v1alpha1.Grant) {}, planned},
		"where it was looked at in vain": {func(g *v1alpha1.Grant) {
			g.Status.Conditions = []metav1.Condition{looked}
		}, noon},
		"where it has waited for the brake": {func(g *v1alpha1.Grant) {
			g.Status.Conditions, g.Status.RevocationsKnownAt = []metav1.Condition{looked}, new(metav1.NewMicroTime(before))
		}, before},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			grant := taker(func(g *v1alpha1.Grant) { g.Spec.Revokes.KnownAt = new(metav1.NewMicroTime(planned)) }, tc.edit)
			first := TakesRevocation(&grant, []string{"a", "b"}, noon)
			if !first.Known.Equal(tc.want) {
				t.Errorf("known since %s, want %s", first.Known, tc.want)
			}
			if again := TakesRevocation(&grant, []string{"b", "a"}, noon); again.Of != first.Of {
				t.Errorf("the same is told as %q and as %q", first.Of, again.Of)
			}
			if other := TakesRevocation(&grant, []string{"a"}, noon); other.Of == first.Of {
				t.Errorf("another list is told alike: %q", other.Of)
			}
		})
	}
}
