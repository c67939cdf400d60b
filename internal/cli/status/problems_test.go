// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package status

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

var noon = time.Date(2026, 10, 1, 12, 0, 0, 0, time.UTC)

// notReady is what a condition says that has been False for some time.
func notReady(reason string, since time.Duration) []metav1.Condition {
	return []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: metav1.ConditionFalse, Reason: reason,
		Message: "because", LastTransitionTime: metav1.NewTime(noon.Add(-since))}}
}

func TestProblemsOfGrants(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		conditions []metav1.Condition
		age        time.Duration
		severity   severity
		command    string
	}{
		"just made":       {age: time.Minute, severity: -1},
		"never looked at": {age: time.Hour, severity: outage, command: "doctor"},
		"under way": {conditions: notReady(v1alpha1.ReasonProgressing, time.Minute), age: time.Hour,
			severity: -1},
		"under way for long": {conditions: notReady(v1alpha1.ReasonProgressing, time.Hour), severity: warning,
			command: "why grant/lab.1-2 -n school"},
		"conflict": {conditions: notReady(v1alpha1.ReasonConflict, time.Second), severity: failure,
			command: "why grant/lab.1-2"},
		"waits for a person": {conditions: notReady(v1alpha1.ReasonAwaitingApproval, 0), severity: decision,
			command: "approve --policy lab"},
		"said of the pool":        {conditions: notReady(v1alpha1.ReasonWaitingForSeat, time.Hour), severity: -1},
		"said of the institution": {conditions: notReady(v1alpha1.ReasonRevocationPaused, time.Hour), severity: -1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			grant := &v1alpha1.Grant{
				ObjectMeta: metav1.ObjectMeta{Namespace: "school", Name: "lab.1-2",
					CreationTimestamp: metav1.NewTime(noon.Add(-tc.age))},
				Spec:   v1alpha1.GrantSpec{Policy: "lab"},
				Status: v1alpha1.GrantStatus{Conditions: tc.conditions},
			}
			var p problems
			p.ofGrant(grant, noon)
			found := p.sorted()
			if tc.severity < 0 {
				if len(found) > 0 {
					t.Errorf("got %+v, want nothing", found)
				}
				return
			}
			if len(found) != 1 || found[0].Severity != tc.severity || !strings.Contains(found[0].Command, tc.command) {
				t.Errorf("got %+v, want %s with %q", found, severityNames[tc.severity], tc.command)
			}
		})
	}
}

// A thousand Grants with the same problem are one line, the worst problem stands first.
func TestProblemsAreGroupedAndSorted(t *testing.T) {
	t.Parallel()
	var p problems
	for range 1000 {
		p.ofGrant(&v1alpha1.Grant{Status: v1alpha1.GrantStatus{
			Conditions: notReady(v1alpha1.ReasonAwaitingApproval, 0)}}, noon)
	}
	p.ofInstitution(&v1alpha1.Institution{Status: v1alpha1.InstitutionStatus{
		Conditions: notReady(v1alpha1.ReasonNotAllowed, 0)}})
	p.ofGrant(&v1alpha1.Grant{Status: v1alpha1.GrantStatus{Conditions: notReady(v1alpha1.ReasonConflict, 0)}}, noon)
	found := p.sorted()
	if len(found) != 3 || found[0].Severity != outage || found[1].Severity != failure || found[2].Count != 1000 {
		t.Errorf("got %+v", found)
	}
}

// An end counts that a person set, and only while there is access.
func TestEndsSoon(t *testing.T) {
	t.Parallel()
	at := func(days int) *metav1.Time { return new(metav1.NewTime(noon.AddDate(0, 0, days))) }
	for name, tc := range map[string]struct {
		phase v1alpha1.GrantPhase
		end   *metav1.Time
		until *metav1.Time
		want  bool
	}{
		"soon":               {v1alpha1.GrantActive, at(3), nil, true},
		"later":              {v1alpha1.GrantActive, at(8), nil, false},
		"never":              {v1alpha1.GrantActive, nil, nil, false},
		"extended":           {v1alpha1.GrantActive, at(3), at(30), false},
		"ended":              {v1alpha1.GrantEnded, at(3), nil, false},
		"shortened to soon":  {v1alpha1.GrantActive, at(30), at(1), true},
		"over, and held yet": {v1alpha1.GrantActive, at(-1), nil, false},
	} {
		grant := &v1alpha1.Grant{Spec: v1alpha1.GrantSpec{AccessEndsAt: tc.end}}
		grant.Spec.Override.Until, grant.Status.Phase = tc.until, tc.phase
		if got := endsSoon(grant, noon); got != tc.want {
			t.Errorf("%s: got %t", name, got)
		}
	}
}
