// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// A Grant that is to take namespaces away is not forgotten before they have gone, whoever made them.
func TestAGrantThatHasYetToTakeOutstaysItsHistory(t *testing.T) {
	t.Parallel()
	revoked := func(status metav1.ConditionStatus, reason string, behind int64) func(*v1alpha1.Grant) {
		return func(g *v1alpha1.Grant) {
			g.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionRevocationsComplete, Status: status,
				Reason:             reason,
				ObservedGeneration: g.Generation - behind}}
		}
	}
	for name, tc := range map[string]struct {
		edit func(*v1alpha1.Grant)
		want bool
	}{
		"nothing is said":        {func(*v1alpha1.Grant) {}, false},
		"in its grace days":      {revoked(metav1.ConditionFalse, v1alpha1.ReasonAccessEnded, 0), false},
		"held by the brake":      {revoked(metav1.ConditionFalse, v1alpha1.ReasonRevocationPaused, 0), false},
		"gone":                   {revoked(metav1.ConditionTrue, v1alpha1.ReasonNamespacesDeleted, 0), true},
		"gone, by what it was":   {revoked(metav1.ConditionTrue, v1alpha1.ReasonNamespacesDeleted, 1), false},
		"it waits for approval":  {func(g *v1alpha1.Grant) { g.Spec.Approval = v1alpha1.ApprovalManual }, true},
		"it takes no namespaces": {func(g *v1alpha1.Grant) { g.Spec.Revokes.Namespaces = nil }, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, namespacePolicy())
			w.deliver(delivered("2024-01-10 10:00:00"))
			w.retained()
			clear(w.completions)
			w.retained()
			grant := &w.grants[0]
			grant.Generation, grant.Status.ObservedGeneration = 2, 2
			grant.Status.Phase = v1alpha1.GrantEnded
			grant.Spec.Revokes.SendAt, grant.Spec.Revokes.Completion = "2024-01-10 10:00:00", "1-7-11-5"
			grant.Spec.Revokes.Namespaces = []v1alpha1.GrantRevokedNamespace{{Name: "lab-5"}}
			tc.edit(grant)
			if got := finished(grant); got != tc.want {
				t.Errorf("finished: got %v, want %v", got, tc.want)
			}
		})
	}
}
