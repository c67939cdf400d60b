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

func TestDecideRelease(t *testing.T) {
	t.Parallel()
	ready := &v1alpha1.CompletionPolicy{ObjectMeta: metav1.ObjectMeta{Name: "lab"}}
	ready.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue}}
	suspended, broken := ready.DeepCopy(), ready.DeepCopy()
	suspended.Spec.Suspend = new(true)
	broken.Status.Conditions[0].Status = metav1.ConditionFalse
	missing := Institution{Reason: v1alpha1.ReasonInstitutionMissing, Message: "there is none"}
	notAllowed := Institution{Reason: v1alpha1.ReasonNotAllowed, Message: "ask an administrator"}
	withoutAccess := func(g *v1alpha1.Grant) { g.Status.AccessEndedAt = new(metav1.NewTime(noon)) }
	byHand := func(g *v1alpha1.Grant) { g.Spec.Policy = "" }
	for name, tc := range map[string]struct {
		grant       *v1alpha1.Grant
		going       bool
		institution Institution
		policy      *v1alpha1.CompletionPolicy
		there       bool
		admitted    *bool
		want        Release
		wantReason  string
		wantSays    string
	}{
		"its namespace is being deleted": {grant: granted(), going: true, policy: ready, want: Detach},
		"by hand, its namespace goes":    {grant: granted(byHand), going: true, want: Detach},
		"a person's Grant":               {grant: granted(byHand), want: RevokeForGood},
		"a person's Grant, suspended": {
			grant: granted(byHand), institution: Institution{Suspended: true}, want: RevokeForGood},
		"it is planned again":       {grant: granted(), policy: ready, there: true, want: LetGo},
		"its completions have gone": {grant: granted(), policy: ready, want: ReleaseAsksBrake},
		"its policy has gone":       {grant: granted(), there: true, want: ReleaseAsksBrake},
		"its policy does not work": {
			grant: granted(), policy: broken, there: true, want: ReleaseAsksBrake},
		"the brake lets it through": {grant: granted(), admitted: new(true), want: Abandon},
		"the brake holds it": {
			grant: granted(), admitted: new(false),
			want: ReleaseWaits, wantReason: v1alpha1.ReasonRevocationPaused, wantSays: "budget"},
		"its end has come":      {grant: granted(endedLongAgo), want: Abandon},
		"a person revoked it":   {grant: granted(revokedByPerson), want: Abandon},
		"nobody loses anything": {grant: granted(withoutAccess), want: Abandon},
		"the institution is suspended": {
			grant: granted(), institution: Institution{Suspended: true}, policy: ready, there: true,
			want: ReleaseWaits, wantReason: v1alpha1.ReasonSuspended, wantSays: "the institution is suspended"},
		"suspended, and nobody has anything": {
			grant: granted(withoutAccess), institution: Institution{Suspended: true}, policy: ready, there: true, want: LetGo},
		"the institution is not allowed": {
			grant: granted(), institution: notAllowed, policy: ready, there: true,
			want: ReleaseWaits, wantReason: v1alpha1.ReasonNotAllowed, wantSays: "administrator"},
		"not allowed, and a person revoked it": {
			grant: granted(revokedByPerson), institution: notAllowed, want: Abandon},
		"not allowed, and nobody has anything": {
			grant: granted(withoutAccess), institution: notAllowed, want: Abandon},
		"without an institution there is no brake": {grant: granted(), institution: missing, want: Abandon},
		"the policy is suspended": {
			grant: granted(), policy: suspended, there: true,
			want: ReleaseWaits, wantReason: v1alpha1.ReasonSuspended, wantSays: "policy lab is suspended"},
		"the policy is suspended, and nobody has anything": {
			grant: granted(withoutAccess), policy: suspended, there: true, want: Abandon},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tc.grant.DeletionTimestamp = new(metav1.NewTime(noon.Add(-time.Minute)))
			tc.grant.Spec.Causes = []v1alpha1.GrantCause{{Completion: "c"}}
			got := DecideRelease(ReleaseFacts{
				Grant: tc.grant, NamespaceGoing: tc.going, Institution: tc.institution, Policy: tc.policy,
				Completions: map[v1alpha1.LocalName]bool{"c": tc.there}, Admitted: tc.admitted, Now: noon,
				Entitles: func(counts func(*v1alpha1.GrantCause) bool) bool { return counts(&tc.grant.Spec.Causes[0]) },
			})
			if got.Release != tc.want || got.Reason != tc.wantReason || !strings.Contains(got.Message, tc.wantSays) {
				t.Errorf("got %+v", got)
			}
			if known := tc.grant.DeletionTimestamp.Time; got.Release == ReleaseAsksBrake && !got.Revocation.Known.Equal(known) {
				t.Errorf("the brake is asked since %s, want since the deletion, %s", got.Revocation.Known, known)
			}
		})
	}
}
