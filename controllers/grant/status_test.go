// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package grant

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/apply"
	"github.com/lxp-dev/course-completion-operator/internal/condition"
)

func TestErrorIsToldAndRepeatedOnlyWhereThatHelps(t *testing.T) {
	t.Parallel()
	roles := schema.GroupResource{Group: "rbac.authorization.k8s.io", Resource: "rolebindings"}
	forbidden := apierrors.NewForbidden(roles, "b", errors.New("no"))
	progressing := outcome{verdict: condition.Verdict{Reconciling: true, Reason: v1alpha1.ReasonProgressing}}
	for _, tc := range []struct {
		name   string
		result outcome
		err    error
		// repeated reports whether the error is returned.
		repeated    bool
		wantPhase   v1alpha1.GrantPhase
		wantReason  string
		wantStalled bool
		wantPoll    bool
	}{
		{name: "nothing failed", result: progressing, wantReason: v1alpha1.ReasonProgressing},
		{name: "somebody else's object", err: fmt.Errorf("apply: %w", &apply.ConflictError{Kind: "Namespace", Name: "n"}),
			wantPhase: v1alpha1.GrantWaiting, wantReason: v1alpha1.ReasonConflict, wantPoll: true},
		{name: "an object that goes", err: &apply.TerminatingError{Kind: "Namespace", Name: "n"},
			wantPhase: v1alpha1.GrantPending, wantReason: v1alpha1.ReasonTerminating, wantPoll: true},
		{name: "another Grant's turn", err: &apply.SharedError{Kind: "Namespace", Name: "n", Grant: "g"},
			wantReason: v1alpha1.ReasonWaitingForGrant, wantPoll: true},
		{name: "too many objects", err: &apply.FullError{Entries: 257},
			wantReason: v1alpha1.ReasonRefused, wantStalled: true, wantPoll: true},
		{name: "a missing ServiceAccount", err: &apply.AccountError{Reason: v1alpha1.ReasonServiceAccountNotOptedIn},
			wantReason: v1alpha1.ReasonServiceAccountNotOptedIn, wantPoll: true},
		{name: "an object that its ServiceAccount may never make", err: &apply.AccountError{Reason: v1alpha1.ReasonRefused},
			wantReason: v1alpha1.ReasonRefused, wantStalled: true, wantPoll: true},
		{name: "missing rights", err: forbidden, wantReason: v1alpha1.ReasonForbidden, wantPoll: true},
		{name: "an invalid object", err: apierrors.NewInvalid(schema.GroupKind{Kind: "RoleBinding"}, "b", nil),
			wantReason: v1alpha1.ReasonRefused, wantStalled: true, wantPoll: true},
		{name: "anything else", err: errors.New("the line is cut"), repeated: true,
			wantReason: v1alpha1.ReasonProgressingWithRetry},
		{name: "what is told already stays", result: progressing, err: forbidden,
			wantReason: v1alpha1.ReasonProgressing},
		{name: "and is repeated all the same", result: progressing, err: errors.New("the line is cut"), repeated: true,
			wantReason: v1alpha1.ReasonProgressing},
		{name: "the phase that is known stays", result: outcome{phase: v1alpha1.GrantEnded},
			err: &apply.ConflictError{Kind: "Namespace", Name: "n"}, wantPhase: v1alpha1.GrantEnded,
			wantReason: v1alpha1.ReasonConflict, wantPoll: true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			got, err := told(tc.result, tc.err)
			if (err != nil) != tc.repeated {
				t.Errorf("repeated because of %v, want %t", err, tc.repeated)
			}
			for what, diff := range map[string]string{
				"phase": cmp.Diff(tc.wantPhase, got.phase), "reason": cmp.Diff(tc.wantReason, got.verdict.Reason),
				"stalled": cmp.Diff(tc.wantStalled, got.verdict.Stalled), "poll": cmp.Diff(tc.wantPoll, got.poll),
			} {
				if diff != "" {
					t.Errorf("%s differs (-want +got):\n%s", what, diff)
				}
			}
			if got.verdict.Reconciling == got.verdict.Stalled {
				t.Errorf("it is told that it goes on (%t) and that it does not (%t)",
					got.verdict.Reconciling, got.verdict.Stalled)
			}
		})
	}
}
