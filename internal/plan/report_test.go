// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// stand sets how the Grants of a world stand, by the condition Ready.
func (w *world) stand(status metav1.ConditionStatus, reason string) {
	for i := range w.grants {
		w.grants[i].Status.Conditions = []metav1.Condition{
			{Type: v1alpha1.ConditionReady, Status: status, Reason: reason}}
	}
}

func suspended(s *v1alpha1.CompletionPolicySpec)   { s.Suspend = new(true) }
func everyCourse(s *v1alpha1.CompletionPolicySpec) { s.Match.CourseIDs = nil }

func matching(text string) func(*v1alpha1.CompletionPolicySpec) {
	return func(s *v1alpha1.CompletionPolicySpec) { s.Match.Expression = text }
}

func broken(s *v1alpha1.CompletionPolicySpec) { s.Namespaces[0].Name = "grad-${user.nobody}" }

func TestAPolicyTellsWhomItConcerns(t *testing.T) {
	t.Parallel()
	none := v1alpha1.PolicyResult{}
	granted := v1alpha1.PolicyResult{Outcome: v1alpha1.OutcomeGranted, Reason: v1alpha1.ReasonActive}
	for name, tc := range map[string]struct {
		policy []func(*v1alpha1.CompletionPolicySpec)
		course v1alpha1.PlatformID
		edit   func(*v1alpha1.CourseCompletionSpec)
		want   v1alpha1.PolicyResult
		// wantGranted is the row where the completion has a Grant of the policy from before.
		wantGranted v1alpha1.PolicyResult
		wantFaults  int
	}{
		"it matches": {want: v1alpha1.PolicyResult{Outcome: v1alpha1.OutcomeGranted, Reason: v1alpha1.ReasonProgressing},
			wantGranted: granted},
		"another course":              {course: 8, want: none, wantGranted: granted},
		"an expression that is false": {policy: edits(matching("course.id == 1")), want: none, wantGranted: granted},
		"suspended":                   {policy: edits(suspended), want: notGranted("Suspended"), wantGranted: granted},
		"suspended, another course":   {policy: edits(suspended), course: 8, want: none, wantGranted: granted},
		"suspended, and nothing to grant": {policy: edits(suspended), edit: inactive,
			want: notGranted("EnrollmentInactive")},
		"not ready":                       {policy: edits(broken), want: failedBy("InvalidPolicy"), wantGranted: granted},
		"not ready, another course":       {policy: edits(broken), course: 8, want: none, wantGranted: granted},
		"not ready, and nothing to grant": {policy: edits(broken), edit: inactive, want: notGranted("EnrollmentInactive")},
		"not ready, an expression is false": {policy: edits(broken, matching("course.id == 1")), want: none,
			wantGranted: granted},
		"an expression does not compile": {policy: edits(matching("(")), want: failedBy("InvalidPolicy"),
			wantGranted: granted},
		"only an expression, it is broken": {policy: edits(everyCourse, matching("(")), want: none, wantGranted: granted},
		"only an expression, and not ready": {policy: edits(everyCourse, matching("true"), broken), want: none,
			wantGranted: granted},
		"an expression fails": {policy: edits(matching("1 / (user.id - 5) == 1")), want: failedBy("PolicyFailed"),
			wantGranted: granted, wantFaults: 1},
		"only an expression, and it fails": {policy: edits(everyCourse, matching("1 / (user.id - 5) == 1")), want: none,
			wantGranted: granted, wantFaults: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			edit := func(s *v1alpha1.CourseCompletionSpec) {
				if tc.edit != nil {
					tc.edit(s)
				}
				if tc.course != 0 {
					s.Course.ID = tc.course
				}
			}
			row := func(w *world) v1alpha1.PolicyResult {
				w.last = For(w.person())
				rows := w.last.Completions[0].Policies
				if len(rows) == 0 {
					return none
				}
				got := rows[0]
				got.Policy, got.Grant, got.Message = "", "", ""
				return got
			}
			w := newWorld(t, namespacePolicy(tc.policy...))
			w.deliver(delivered("2024-01-10 10:00:00", edit))
			if diff := cmp.Diff(tc.want, row(w)); diff != "" {
				t.Errorf("without a grant (-want +got):\n%s", diff)
			}
			if tc.wantGranted == none {
				return
			}
			w = newWorld(t, namespacePolicy(func(s *v1alpha1.CompletionPolicySpec) { s.Match.CourseIDs[0] = max(tc.course, 7) }))
			w.deliver(delivered("2024-01-10 10:00:00", edit))
			w.plan()
			w.policies["graduates"] = namespacePolicy(tc.policy...)
			w.plan()
			w.stand(metav1.ConditionTrue, v1alpha1.ReasonActive)
			if diff := cmp.Diff(tc.wantGranted, row(w)); diff != "" {
				t.Errorf("with a grant (-want +got):\n%s", diff)
			}
			if got := len(w.last.Faults); got != tc.wantFaults {
				t.Errorf("got %d faults for the author of the policy, want %d", got, tc.wantFaults)
			}
		})
	}
}

func edits(all ...func(*v1alpha1.CompletionPolicySpec)) []func(*v1alpha1.CompletionPolicySpec) {
	return all
}

func notGranted(reason string) v1alpha1.PolicyResult {
	return v1alpha1.PolicyResult{Outcome: v1alpha1.OutcomeNotGranted, Reason: reason}
}

func failedBy(reason string) v1alpha1.PolicyResult {
	return v1alpha1.PolicyResult{Outcome: v1alpha1.OutcomeFailed, Reason: reason}
}

func TestThereIsNothingToTellYet(t *testing.T) {
	t.Parallel()
	const isFalse = metav1.ConditionFalse
	for name, tc := range map[string]struct {
		status metav1.ConditionStatus
		reason string
		edit   func(w *world)
		// untold is a completion without a status.
		untold bool
		want   time.Duration
	}{
		"in place":                   {status: metav1.ConditionTrue, reason: v1alpha1.ReasonActive},
		"being put in place":         {status: isFalse, reason: v1alpha1.ReasonProgressing, want: patience},
		"the first attempt failed":   {status: isFalse, reason: v1alpha1.ReasonProgressingWithRetry, want: shortPatience},
		"a seat may be free":         {status: isFalse, reason: v1alpha1.ReasonWaitingForSeat, want: shortPatience},
		"something is being deleted": {status: isFalse, reason: v1alpha1.ReasonTerminating, want: shortPatience},
		"what it gave is being deleted": {status: isFalse, reason: v1alpha1.ReasonTerminating, want: patience,
			edit: func(w *world) { w.grants[0].Status.Phase = v1alpha1.GrantEnded }},
		"refused":     {status: isFalse, reason: v1alpha1.ReasonRefused},
		"in conflict": {status: isFalse, reason: v1alpha1.ReasonConflict},
		"not seen since it was edited": {status: metav1.ConditionTrue, reason: v1alpha1.ReasonActive, want: longPatience,
			edit: func(w *world) { w.grants[0].Generation++ }},
		"rendered anew": {status: metav1.ConditionTrue, reason: v1alpha1.ReasonActive, want: longPatience,
			edit: func(w *world) {
				w.policies["graduates"].Spec.Namespaces[0].Labels = map[string]v1alpha1.Template{"team": "blue"}
			}},
		"rendered anew for a completion that says nothing yet": {
			status: metav1.ConditionTrue, reason: v1alpha1.ReasonActive, want: patience,
			edit: func(w *world) { w.grants[0].Generation++ }, untold: true},
		"another policy failed": {status: isFalse, reason: v1alpha1.ReasonProgressing, edit: func(w *world) {
			w.policies["other"] = namespacePolicy(broken)
			w.policies["other"].Name = "other"
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, namespacePolicy())
			w.deliver(delivered("2024-01-10 10:00:00"))
			w.plan()
			w.stand(tc.status, tc.reason)
			w.grants[0].Status.Phase = v1alpha1.GrantActive
			if tc.edit != nil {
				tc.edit(w)
			}
			person := w.person()
			if !tc.untold {
				person.Completions[0].Status.Conditions = []metav1.Condition{
					{Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonGranted}}
			}
			if got := For(person).Completions[0].Patience; got != tc.want {
				t.Errorf("got %v, want %v", got, tc.want)
			}
		})
	}
}
