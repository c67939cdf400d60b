// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package lifecycle

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

func forwarded(ends time.Duration) *v1alpha1.Grant {
	return &v1alpha1.Grant{Spec: v1alpha1.GrantSpec{
		Policy: "lab", Causes: []v1alpha1.GrantCause{{Completion: "1-2-3-4"}},
		Namespaces:   []v1alpha1.GrantedNamespace{{Name: "grad-4"}},
		AccessEndsAt: new(metav1.NewTime(brakeNoon.Add(ends))), EndKnownAt: new(metav1.NewMicroTime(brakeNoon)),
		EndBroughtForward: &v1alpha1.EndBroughtForward{At: metav1.NewMicroTime(brakeNoon)},
	}}
}

func TestEndThatWasBroughtForwardWaitsUntilItIsLetThrough(t *testing.T) {
	grant := forwarded(48 * time.Hour)
	due := brakeNoon.Add(49 * time.Hour)
	if !ForwardWaits(grant) {
		t.Error("it does not wait")
	}
	if end := StateOf(grant, due); !end.Paused {
		t.Errorf("due, it is %+v: that it was known for two days lets it through", end)
	}
	Admit(grant, ForwardRevocation(grant), brakeNoon, "")
	if end := StateOf(grant, due); ForwardWaits(grant) || end.Paused || end.Stage == Active {
		t.Errorf("let through, it is %+v", end)
	}
	grant.Spec.AccessEndsAt = new(metav1.NewTime(brakeNoon.Add(47 * time.Hour)))
	if !ForwardWaits(grant) {
		t.Error("another end was let through with the first")
	}
	for name, free := range map[string]func(g *v1alpha1.Grant){
		"a person's order":   func(g *v1alpha1.Grant) { g.Spec.Override.Until = g.Spec.AccessEndsAt },
		"a person's Grant":   func(g *v1alpha1.Grant) { g.Spec.Policy = "" },
		"no access":          func(g *v1alpha1.Grant) { g.Status.AccessEndedAt = new(metav1.NewTime(brakeNoon)) },
		"not approved":       func(g *v1alpha1.Grant) { g.Spec.Approval = v1alpha1.ApprovalManual },
		"not brought closer": func(g *v1alpha1.Grant) { g.Spec.EndBroughtForward = nil },
		"an end within a day": func(g *v1alpha1.Grant) {
			g.Spec.AccessEndsAt = new(metav1.NewTime(brakeNoon.Add(23 * time.Hour)))
		},
	} {
		other := forwarded(48 * time.Hour)
		free(other)
		if ForwardWaits(other) {
			t.Errorf("%s: it waits", name)
		}
	}
}

func TestEndsThatAreBroughtForwardHaveABudgetOfTheirOwn(t *testing.T) {
	b := &Brake{}
	ask := func(grant string, kind v1alpha1.RevocationType) Answer {
		return b.Ask(grant, Revocation{Type: kind, Of: "x", Known: brakeNoon}, 2, brakeNoon)
	}
	for _, grant := range []string{"a", "b"} {
		if got := ask(grant, v1alpha1.RevocationEndForward); got != Counted {
			t.Errorf("forward %s: %v, want counted", grant, got)
		}
	}
	if got := ask("c", v1alpha1.RevocationAccessEnd); got != Counted {
		t.Errorf("an end: %v, want counted", got)
	}
	if got := ask("d", v1alpha1.RevocationAccessChange); got != Counted {
		t.Errorf("a change of access: %v, want counted", got)
	}
	if got := ask("e", v1alpha1.RevocationEndForward); got != Exhausted {
		t.Errorf("the third forward: %v, want exhausted", got)
	}
	if got := ask("e", v1alpha1.RevocationAccessEnd); got != Exhausted {
		t.Errorf("the third end: %v, want exhausted", got)
	}
}

func TestAccessChangeIsKnownSinceItWasFirst(t *testing.T) {
	grant := forwarded(0)
	grant.Spec.Namespaces[0].Access = []v1alpha1.GrantedAccess{{ClusterRole: "completion-learner"}}
	first, err := AccessChangeOf(grant, brakeNoon)
	if err != nil {
		t.Fatal(err)
	}
	first.Record(&grant.Status)
	again, err := AccessChangeOf(grant, brakeNoon.Add(time.Hour))
	if err != nil || again != first {
		t.Errorf("the same change: %+v, %v, want %+v", again, err, first)
	}
	grant.Spec.Namespaces[0].Access[0].ClusterRole = "view"
	other, err := AccessChangeOf(grant, brakeNoon.Add(time.Hour))
	if err != nil || other.Digest == first.Digest || other.Known.Equal(first.Known) {
		t.Errorf("another change: %+v, %v", other, err)
	}
}
