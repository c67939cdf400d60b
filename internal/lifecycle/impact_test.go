// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package lifecycle

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/moment"
)

func TestImpactOf(t *testing.T) {
	t.Parallel()
	const after = "2026-03-01 12:00:01"
	unbegun := func(g *v1alpha1.Grant) { g.Status.Revocations = nil }
	newer := func(g *v1alpha1.Grant) {
		g.Spec.Revokes.SendAt, g.Spec.Revokes.SentAt = "2026-03-09 12:00:00", metav1.NewTime(noon.Add(8*moment.Day))
	}
	has := func(g *v1alpha1.Grant) {
		g.Status.Inventory = []v1alpha1.InventoryEntry{{Kind: "Namespace", Name: "lab-5"}}
	}
	for name, tc := range map[string]struct {
		revoker, grant v1alpha1.Grant
		want           Impact
		wantUntil      time.Time
	}{
		"an older completion loses":   {revoker: revoker(unbegun), grant: losing(has), want: Lost},
		"what is taken is taken once": {revoker: revoker(), grant: losing(has), want: NoImpact},
		"a newer delivery takes no more": {
			revoker: revoker(newer), grant: losing(has), want: NoImpact,
		},
		"a newer delivery takes what came in between": {
			revoker: revoker(newer), grant: losing(has, causedAlso(after, "a", 0)), want: Lost,
		},
		"a newer delivery takes what people made in between": {
			revoker: revoker(newer), grant: losing(has, made(time.Hour)), want: Lost,
		},
		"a later completion keeps": {
			revoker: revoker(unbegun), grant: losing(has, causedAlso(after, "a", 0)), want: Retained,
		},
		"a later completion keeps what was begun": {
			revoker: revoker(), grant: losing(has, causedAlso(after, "a", time.Hour)),
			want: Retained, wantUntil: noon.Add(time.Hour),
		},
		"what does not say the label keeps": {
			revoker: revoker(unbegun), want: Retained,
			grant: losing(has, func(g *v1alpha1.Grant) { g.Spec.Namespaces[0].Labels = nil }),
		},
		"what is not there keeps nothing": {
			revoker: revoker(unbegun), grant: losing(causedAlso(after, "a", 0)), want: NoImpact,
		},
		"what has ended loses nothing": {revoker: revoker(unbegun), want: NoImpact,
			grant: losing(func(g *v1alpha1.Grant) { g.Status.AccessEndedAt = new(metav1.NewTime(noon)) })},
		"somebody else loses nothing": {
			revoker: revoker(unbegun), grant: losing(has, func(g *v1alpha1.Grant) { g.Spec.Holder.UserID = 6 }), want: NoImpact,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, retainer := ImpactOf(&tc.revoker, []v1alpha1.Grant{tc.revoker, tc.grant}, "lab-5", noon)
			if got != tc.want || !retainer.Until.Equal(tc.wantUntil) {
				t.Errorf("got %d until %s, want %d until %s", got, retainer.Until, tc.want, tc.wantUntil)
			}
		})
	}
}

// The release of an older trip lets nothing pass that nobody would have lost when it was released.
func TestRevocationsAreKnownFromWhenTheyWouldBeLost(t *testing.T) {
	t.Parallel()
	planned, before, looked := noon.Add(-9*moment.Day), noon.Add(-time.Hour),
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
			grant := revoker(func(g *v1alpha1.Grant) { g.Spec.Revokes.KnownAt = new(metav1.NewMicroTime(planned)) }, tc.edit)
			first := NamespacesRevocation(&grant, []string{"a", "b"}, noon)
			if !first.Known.Equal(tc.want) {
				t.Errorf("known since %s, want %s", first.Known, tc.want)
			}
			if again := NamespacesRevocation(&grant, []string{"b", "a"}, noon); again.Of != first.Of {
				t.Errorf("the same is told as %q and as %q", first.Of, again.Of)
			}
			if other := NamespacesRevocation(&grant, []string{"a"}, noon); other.Of == first.Of {
				t.Errorf("another list is told alike: %q", other.Of)
			}
		})
	}
}
