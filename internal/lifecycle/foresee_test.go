// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package lifecycle

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// What is foreseen is what the loop does once the institution can be worked with.
func TestForesee(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	in := func(hours int) *metav1.Time { return new(metav1.NewTime(now.Add(time.Duration(hours) * time.Hour))) }
	for name, tc := range map[string]struct {
		edit             func(*v1alpha1.Grant)
		provides, paused bool
		forward          bool
		dataGoes         bool
	}{
		"without an end":      {edit: func(*v1alpha1.Grant) {}, provides: true},
		"ends later":          {edit: func(g *v1alpha1.Grant) { g.Spec.AccessEndsAt = in(1) }, provides: true},
		"nothing to give yet": {edit: func(g *v1alpha1.Grant) { g.Spec.Namespaces = nil }, provides: true},
		"awaits approval":     {edit: func(g *v1alpha1.Grant) { g.Spec.Approval = v1alpha1.ApprovalManual }},
		"ended all of a sudden": {edit: func(g *v1alpha1.Grant) {
			g.Spec.AccessEndsAt, g.Spec.EndKnownAt = in(-1), new(metav1.NewMicroTime(now.Add(-time.Hour)))
		}, provides: true, paused: true},
		"a delivery brings its end forward": {edit: func(g *v1alpha1.Grant) {
			g.Spec.AccessEndsAt, g.Spec.EndKnownAt = in(7*24), new(metav1.NewMicroTime(now))
			g.Spec.EndBroughtForward = &v1alpha1.EndBroughtForward{At: metav1.NewMicroTime(now)}
			g.Status.Inventory = []v1alpha1.InventoryEntry{{Kind: "Namespace", Name: "grad-1"}}
		}, provides: true, forward: true},
		"its end waits, and it has data": {edit: func(g *v1alpha1.Grant) {
			g.Spec.AccessEndsAt, g.Spec.EndKnownAt = in(-1), new(metav1.NewMicroTime(now.Add(-time.Hour)))
			g.Spec.Lifetime.GraceDays = new(int32(0))
			g.Status.Inventory = []v1alpha1.InventoryEntry{{Kind: "Namespace", Name: "grad-1"}}
		}, provides: true, paused: true},
		"revoked by a person, within its grace days": {edit: func(g *v1alpha1.Grant) {
			g.Spec.Override.Revoked = new(true)
		}},
		"revoked by a person, without grace days": {edit: func(g *v1alpha1.Grant) {
			g.Spec.Override.Revoked, g.Spec.Lifetime.GraceDays = new(true), new(int32(0))
			g.Status.Inventory = []v1alpha1.InventoryEntry{{Kind: "Namespace", Name: "grad-1"}}
		}, dataGoes: true},
		"revoked by a person, and its data stays": {edit: func(g *v1alpha1.Grant) {
			g.Spec.Override.Revoked, g.Spec.Lifetime.GraceDays = new(true), new(int32(0))
			g.Spec.OnRevoke = v1alpha1.RemovalRetain
			g.Status.Inventory = []v1alpha1.InventoryEntry{{Kind: "Namespace", Name: "grad-1"}}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			grant := &v1alpha1.Grant{Spec: v1alpha1.GrantSpec{Policy: "graduates", OnRevoke: v1alpha1.RemovalDelete,
				Approval: v1alpha1.ApprovalAutomatic, Namespaces: []v1alpha1.GrantedNamespace{{Name: "grad-1"}}}}
			tc.edit(grant)
			foreseen := Foresee(grant, now)
			if got := foreseen.Provides(); got != tc.provides {
				t.Errorf("provides: %t, want %t", got, tc.provides)
			}
			if got := foreseen.Asks(v1alpha1.RevocationAccessEnd); got != tc.paused {
				t.Errorf("the brake is asked about the end: %t, want %t", got, tc.paused)
			}
			if got := foreseen.Asks(v1alpha1.RevocationEndForward); got != tc.forward {
				t.Errorf("the brake is asked about an end that is brought forward: %t, want %t", got, tc.forward)
			}
			if got := DataGoes(grant, nil, now); got != tc.dataGoes {
				t.Errorf("its data goes: %t, want %t", got, tc.dataGoes)
			}
		})
	}
}
