// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package lifecycle

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// certain is a confirmation that confirms.
func certain(grant *v1alpha1.Grant, edit ...func(*Confirmation)) *Confirmation {
	c := &Confirmation{Planned: true, Current: grant.DeepCopy(), Known: []v1alpha1.Grant{*grant.DeepCopy()},
		Alike: []v1alpha1.Grant{*grant.DeepCopy()}}
	for _, e := range edit {
		e(c)
	}
	return c
}

func TestDecideData(t *testing.T) {
	t.Parallel()
	retain := func(g *v1alpha1.Grant) { g.Spec.OnRevoke = v1alpha1.RemovalRetain }
	byHand := func(g *v1alpha1.Grant) { g.Spec.Policy = "" }
	atOnce := func(g *v1alpha1.Grant) { g.Spec.Lifetime.GraceDays = new(int32(0)) }
	justEnded := func(g *v1alpha1.Grant) {
		endedAt(-time.Hour, 30*24*time.Hour)(g)
		g.Status.AccessEndedAt = new(metav1.NewTime(noon))
	}
	shared := granted(func(g *v1alpha1.Grant) { g.Name, g.UID = "lab.6", "lab.6" })
	for name, tc := range map[string]struct {
		grant  *v1alpha1.Grant
		seats  int
		beside []v1alpha1.Grant
		others bool
		// confirm makes the confirmation from the Grant.
		confirm    func(*v1alpha1.Grant) *Confirmation
		want       Action
		wantReason string
		wantSays   string
		wantAt     time.Time
		wantPoll   bool
	}{
		"seats are freed first": {grant: granted(endedLongAgo), seats: 2, want: Wait,
			wantReason: v1alpha1.ReasonTerminating, wantSays: "2 seats", wantPoll: true},
		"data stays for the grace days": {grant: granted(justEnded), want: Wait, wantReason: v1alpha1.ReasonAccessEnded,
			wantSays: "data is kept until", wantAt: noon.Add(30 * 24 * time.Hour)},
		"so does what a person revoked": {grant: granted(justEnded, revokedByPerson), want: Wait,
			wantReason: v1alpha1.ReasonRevoked, wantAt: noon.Add(30 * 24 * time.Hour)},
		"where nothing is left, nothing is waited for": {grant: granted(justEnded, emptied), want: Wait,
			wantReason: v1alpha1.ReasonEnded, wantSays: "everything that was provisioned is gone"},
		"what others share stays": {grant: granted(justEnded, emptied), beside: []v1alpha1.Grant{*shared}, want: Wait,
			wantReason: v1alpha1.ReasonEnded, wantSays: "except for what is shared"},
		"what is to be retained is left to people": {grant: granted(endedLongAgo, retain), want: Wait,
			wantReason: v1alpha1.ReasonEnded, wantSays: "are kept (onRevoke: Retain)"},
		"what is due is confirmed first": {grant: granted(endedLongAgo), want: Confirm},
		"what is due and certain goes": {grant: granted(endedLongAgo),
			confirm: func(g *v1alpha1.Grant) *Confirmation { return certain(g) }, want: EndData},
		"what is due and in doubt stays": {grant: granted(endedLongAgo), want: Wait,
			confirm: func(g *v1alpha1.Grant) *Confirmation {
				return certain(g, func(c *Confirmation) { c.Planned = false })
			},
			wantReason: v1alpha1.ReasonAccessEnded, wantSays: "not been planned yet", wantPoll: true},
		"what is due waits while access is taken from others": {grant: granted(endedLongAgo), others: true, want: Wait,
			confirm: func(g *v1alpha1.Grant) *Confirmation { return certain(g) }, wantReason: v1alpha1.ReasonTerminating,
			wantSays: "objects are being deleted", wantAt: noon.Add(AccessFirstInterval)},
		"what is not due waits for that": {grant: granted(justEnded), others: true, want: Wait,
			wantReason: v1alpha1.ReasonAccessEnded, wantAt: noon.Add(30 * 24 * time.Hour)},
		"what a person revoked without grace days goes": {grant: granted(revokedByPerson, atOnce), want: EndData},
		"what a person granted goes":                    {grant: granted(endedLongAgo, byHand), want: EndData},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			facts := DataFacts{Grant: tc.grant, Seats: tc.seats, Beside: tc.beside, AccessFirst: tc.others, Now: noon}
			if tc.confirm != nil {
				facts.Confirmation = tc.confirm(tc.grant)
			}
			got := DecideData(facts)
			if got.Action != tc.want || got.Verdict.Reason != tc.wantReason || got.Poll != tc.wantPoll ||
				!got.At.Equal(tc.wantAt) || !strings.Contains(got.Verdict.Message, tc.wantSays) {
				t.Errorf("got %+v", got)
			}
		})
	}
}

// Each reason to doubt is one by itself, and none is doubted without one.
func TestDoubt(t *testing.T) {
	t.Parallel()
	revoking := func(g *v1alpha1.Grant) {
		g.Spec.Revokes.Completion = "c"
		g.Spec.Causes = []v1alpha1.GrantCause{{Completion: "c"}}
	}
	completion := func(name string, observed int64) func(*Confirmation) {
		return func(c *Confirmation) {
			c.Completions = append(c.Completions, v1alpha1.CourseCompletion{
				ObjectMeta: metav1.ObjectMeta{Name: name, Generation: 2},
				Status:     v1alpha1.CourseCompletionStatus{ObservedGeneration: observed}})
		}
	}
	other := func(generation int64) v1alpha1.Grant {
		return *granted(func(g *v1alpha1.Grant) { g.Name, g.UID, g.Generation = "lab.6", "lab.6", generation })
	}
	for name, tc := range map[string]struct {
		grant *v1alpha1.Grant
		edit  []func(*Confirmation)
		want  string
	}{
		"certain": {grant: granted(), edit: []func(*Confirmation){completion("c", 2)}},
		"not planned": {
			granted(), []func(*Confirmation){func(c *Confirmation) { c.Planned = false }}, "the person"},
		"a completion is not planned":  {granted(), []func(*Confirmation){completion("c", 1)}, "completion c has not"},
		"what it revokes for is there": {grant: granted(revoking), edit: []func(*Confirmation){completion("c", 2)}},
		"what it revokes for has gone": {
			granted(revoking), []func(*Confirmation){completion("d", 2)}, "the withdrawal of completion c"},
		"what it revokes for was kept by retention only": {grant: granted(revoking, func(g *v1alpha1.Grant) {
			g.Spec.Causes[0].ArchivedAt = new(metav1.NewTime(noon))
		})},
		"the Grant has gone": {
			granted(), []func(*Confirmation){func(c *Confirmation) { c.Current = nil }}, "the grant has changed"},
		"the Grant was replaced": {
			granted(), []func(*Confirmation){func(c *Confirmation) { c.Current.UID = "x" }}, "the grant has changed"},
		"the Grant was edited": {
			granted(), []func(*Confirmation){func(c *Confirmation) { c.Current.Generation++ }}, "the grant has changed"},
		"a Grant beside it is not known": {
			granted(), []func(*Confirmation){func(c *Confirmation) { c.Alike = append(c.Alike, other(2)) }}, "grant lab.6"},
		"a Grant beside it was edited": {granted(), []func(*Confirmation){func(c *Confirmation) {
			c.Known, c.Alike = append(c.Known, other(2)), append(c.Alike, other(3))
		}}, "grant lab.6"},
		"a Grant beside it is as it was": {grant: granted(), edit: []func(*Confirmation){func(c *Confirmation) {
			c.Known, c.Alike = append(c.Known, other(2)), append(c.Alike, other(2))
		}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := certain(tc.grant, tc.edit...).Doubt(tc.grant)
			if (got == "") != (tc.want == "") || !strings.Contains(got, tc.want) {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}
