// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package lifecycle

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// granted is a planned Grant that is active and has a namespace; its end was known for long, where it has one.
func granted(edit ...func(*v1alpha1.Grant)) *v1alpha1.Grant {
	grant := &v1alpha1.Grant{
		ObjectMeta: metav1.ObjectMeta{Name: "lab.5", Namespace: "school", UID: "lab.5", Generation: 2},
		Spec: v1alpha1.GrantSpec{
			Policy: "lab", Approval: v1alpha1.ApprovalAutomatic, Holder: v1alpha1.GrantHolder{InstitutionID: 1, UserID: 5},
			Lifetime:   v1alpha1.Lifetime{GraceDays: new(int32(30))},
			Namespaces: []v1alpha1.GrantedNamespace{{Name: "lab-5"}},
		},
	}
	grant.Status.Phase = v1alpha1.GrantActive
	grant.Status.Inventory = []v1alpha1.InventoryEntry{{Group: new(""), Kind: "Namespace", Name: "lab-5", UID: "ns"}}
	for _, e := range edit {
		e(grant)
	}
	return grant
}

// endedAt lets access end so long after noon, which was known for so long before that.
func endedAt(ends, known time.Duration) func(*v1alpha1.Grant) {
	return func(g *v1alpha1.Grant) {
		g.Spec.AccessEndsAt = new(metav1.NewTime(noon.Add(ends)))
		g.Spec.EndKnownAt = new(metav1.NewMicroTime(noon.Add(ends - known)))
	}
}

// endedLongAgo lets access and the grace days be over.
func endedLongAgo(g *v1alpha1.Grant) {
	endedAt(-100*24*time.Hour, 100*24*time.Hour)(g)
	g.Status.AccessEndedAt = new(metav1.NewTime(g.Spec.AccessEndsAt.Time))
}

func emptied(g *v1alpha1.Grant) { g.Status.Inventory = nil }

func revokedByPerson(g *v1alpha1.Grant) { g.Spec.Override.Revoked = new(true) }

func blank(g *v1alpha1.Grant) { g.Spec.Namespaces, g.Status.Inventory = nil, nil }

func broughtForward(g *v1alpha1.Grant) {
	endedAt(48*time.Hour, 48*time.Hour)(g)
	g.Spec.EndBroughtForward = &v1alpha1.EndBroughtForward{At: metav1.NewMicroTime(noon)}
}

func TestDecide(t *testing.T) {
	t.Parallel()
	missing := Institution{Reason: v1alpha1.ReasonInstitutionMissing, Message: "there is none"}
	admitted := func(kind v1alpha1.RevocationType, answer bool) map[v1alpha1.RevocationType]bool {
		return map[v1alpha1.RevocationType]bool{kind: answer}
	}
	end, forward := v1alpha1.RevocationAccessEnd, v1alpha1.RevocationEndForward
	for name, tc := range map[string]struct {
		grant       *v1alpha1.Grant
		institution Institution
		admitted    map[v1alpha1.RevocationType]bool
		want        Action
		wantPhase   v1alpha1.GrantPhase
		wantReason  string
		wantAsk     v1alpha1.RevocationType
		wantPassed  []v1alpha1.RevocationType
		wantNote    bool
		wantReset   bool
	}{
		"what the holder is to have is provided": {
			grant: granted(), want: Provide, wantPassed: []v1alpha1.RevocationType{end, forward}, wantReset: true},
		"nothing is told while nothing is known of the institution": {
			grant: granted(), institution: Institution{Unknown: true, Reason: "x"}, want: WaitUntold},
		"without an institution everything stays": {
			grant: granted(), institution: missing, want: Wait, wantPhase: v1alpha1.GrantActive,
			wantReason: v1alpha1.ReasonInstitutionMissing},
		"without an institution, a Grant that has no phase is pending": {
			grant:       granted(func(g *v1alpha1.Grant) { g.Status.Phase = "" }),
			institution: missing, want: Wait, wantPhase: v1alpha1.GrantPending, wantReason: v1alpha1.ReasonInstitutionMissing},
		"an end that has come waits for an institution": {
			grant: granted(endedLongAgo), institution: missing, want: Wait, wantPhase: v1alpha1.GrantActive,
			wantReason: v1alpha1.ReasonInstitutionMissing},
		"what a person revoked goes without an institution": {
			grant: granted(revokedByPerson), institution: missing, want: EndAccess, wantPhase: v1alpha1.GrantRevoked,
			wantPassed: []v1alpha1.RevocationType{end, forward}},
		"what a person revoked goes while the institution is unknown": {
			grant: granted(revokedByPerson), institution: Institution{Unknown: true, Reason: "x"}, want: EndAccess,
			wantPhase: v1alpha1.GrantRevoked, wantPassed: []v1alpha1.RevocationType{end, forward}},
		"a suspended institution gives nothing": {
			grant: granted(), institution: Institution{Suspended: true}, want: Wait, wantPhase: v1alpha1.GrantSuspended,
			wantReason: v1alpha1.ReasonSuspended},
		"a suspended institution takes nothing, whatever a person revoked": {
			grant: granted(revokedByPerson), institution: Institution{Suspended: true}, want: Wait,
			wantPhase: v1alpha1.GrantSuspended, wantReason: v1alpha1.ReasonSuspended},
		"the brake is asked about a sudden end": {
			grant: granted(endedAt(-time.Second, time.Second)), want: AskBrake, wantAsk: end},
		"what the brake holds is kept in place": {
			grant: granted(endedAt(-time.Second, time.Second)), admitted: admitted(end, false), want: Provide,
			wantReason: v1alpha1.ReasonRevocationPaused},
		"what the brake holds gives nothing to who has nothing": {
			grant:    granted(endedAt(-time.Second, time.Second), emptied),
			admitted: admitted(end, false), want: Wait, wantPhase: v1alpha1.GrantActive,
			wantReason: v1alpha1.ReasonRevocationPaused},
		"an end that was known for long asks nobody": {
			grant: granted(endedAt(-time.Second, 30*24*time.Hour)), want: EndAccess, wantPhase: v1alpha1.GrantEnded,
			wantPassed: []v1alpha1.RevocationType{end, forward}},
		"what has yet to be approved has no access": {
			grant: granted(func(g *v1alpha1.Grant) { g.Spec.Approval = v1alpha1.ApprovalManual }),
			want:  EndAccess, wantPhase: v1alpha1.GrantAwaitingApproval, wantReason: v1alpha1.ReasonAwaitingApproval,
			wantPassed: []v1alpha1.RevocationType{end}},
		"the brake is asked about an end that was brought forward": {
			grant: granted(broughtForward), want: AskBrake, wantAsk: forward, wantPassed: []v1alpha1.RevocationType{end}},
		"what was brought forward and waits is noted": {
			grant: granted(broughtForward), admitted: admitted(forward, false), want: Provide, wantNote: true,
			wantPassed: []v1alpha1.RevocationType{end}, wantReset: true},
		"a Grant that says nothing waits for its policy": {
			grant: granted(blank), want: Wait, wantPhase: v1alpha1.GrantPending, wantReason: v1alpha1.ReasonProgressing,
			wantPassed: []v1alpha1.RevocationType{end, forward}, wantReset: true},
		"a Grant that says nothing any more loses what it has": {
			grant: granted(func(g *v1alpha1.Grant) { g.Spec.Namespaces = nil }), want: Provide,
			wantPassed: []v1alpha1.RevocationType{end, forward}, wantReset: true},
		"a Grant that only revokes is in place": {
			grant: granted(blank, func(g *v1alpha1.Grant) {
				g.Spec.Revokes.Completion, g.Spec.Revokes.Seats = "c", []v1alpha1.RevokedSeat{{Pool: "lab"}}
			}),
			want: Provide, wantPassed: []v1alpha1.RevocationType{end, forward}, wantReset: true},
		"a Grant that a person made says what it says": {
			grant: granted(blank, func(g *v1alpha1.Grant) { g.Spec.Policy = "" }), want: Provide,
			wantPassed: []v1alpha1.RevocationType{end, forward}, wantReset: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if tc.admitted == nil {
				tc.admitted = map[v1alpha1.RevocationType]bool{}
			}
			got := Decide(Facts{Grant: tc.grant, Institution: tc.institution, Admitted: tc.admitted, Now: noon})
			for what, diff := range map[string]string{
				"action": cmp.Diff(tc.want, got.Action), "phase": cmp.Diff(tc.wantPhase, got.Phase),
				"reason": cmp.Diff(tc.wantReason, got.Verdict.Reason), "asks": cmp.Diff(tc.wantAsk, got.Revocation.Type),
				"passed": cmp.Diff(tc.wantPassed, got.Passed), "note": cmp.Diff(tc.wantNote, got.Note != ""),
				"reset": cmp.Diff(tc.wantReset, got.ResetEnd),
			} {
				if diff != "" {
					t.Errorf("%s differs (-want +got):\n%s", what, diff)
				}
			}
		})
	}
}

func TestDecisionSaysWhenTheStateChanges(t *testing.T) {
	t.Parallel()
	ends := granted(endedAt(48*time.Hour, 48*time.Hour))
	for name, institution := range map[string]Institution{"usable": {}, "suspended": {Suspended: true}} {
		next := Decide(Facts{Grant: ends, Institution: institution, Now: noon}).Next
		if !next.Equal(noon.Add(48 * time.Hour)) {
			t.Errorf("the institution is %s: the state changes at %s", name, next)
		}
	}
	if next := Decide(Facts{Grant: granted(), Now: noon}).Next; !next.IsZero() {
		t.Errorf("a Grant without an end changes at %s", next)
	}
}
