// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"testing"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// What a Grant that retains leaves to people stays in its inventory for ever. That must not keep its history, which
// names a person, for ever too.
func TestAGrantThatRetainsGoesAfterItsHistory(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		action v1alpha1.RemovalAction
		want   int
	}{
		"what is left belongs to people":  {v1alpha1.RemovalRetain, 1},
		"what is left is yet to be taken": {v1alpha1.RemovalDelete, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, namespacePolicy(func(s *v1alpha1.CompletionPolicySpec) { s.OnRevoke = tc.action }))
			w.deliver(delivered("2024-01-10 10:00:00"))
			w.retained()
			clear(w.completions)
			w.retained()
			w.grants[0].Status.Phase = v1alpha1.GrantEnded
			w.grants[0].Status.Inventory = []v1alpha1.InventoryEntry{{Kind: "Namespace", Name: "grad-5-7"}}
			w.now = w.now.Add(retain)
			if got := w.retained().Over; len(got) != tc.want {
				t.Errorf("got %d grants to delete, want %d", len(got), tc.want)
			}
		})
	}
}
