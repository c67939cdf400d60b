// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/lifecycle"
)

// The order of the queue holds among those who are yet to join it too, and outlasts a backup.
func TestSeatsWaitForThoseWhoComeFirst(t *testing.T) {
	t.Parallel()
	requested := func(minutes int) func(*v1alpha1.Grant) {
		return func(g *v1alpha1.Grant) {
			handMade(g)
			g.Spec.RequestedAt = new(metav1.NewTime(noon.Add(-time.Duration(minutes) * time.Minute)))
		}
	}
	for name, tc := range map[string]struct {
		grants      []v1alpha1.Grant
		restoring   bool
		unplanned   int
		wantGive    []v1alpha1.LocalName
		wantWaiting int32
	}{
		"nobody is to be planned": {
			grants: []v1alpha1.Grant{asking("a", 3), asking("b", 1)}, wantGive: []v1alpha1.LocalName{"a", "b"}},
		"who comes before the one to be planned has a seat, and who comes after it none": {
			grants: []v1alpha1.Grant{asking("a", 3), asking("b", 1)}, unplanned: 2,
			wantGive: []v1alpha1.LocalName{"a"}, wantWaiting: 1},
		"at the same moment the name decides, which is not known": {
			grants: []v1alpha1.Grant{asking("a", 2)}, unplanned: 2, wantWaiting: 1},
		"seats may be about to be restored": {
			grants: []v1alpha1.Grant{asking("a", 3)}, restoring: true, wantWaiting: 1},
		"a grant made by hand counts from when it was requested, and not from its creation": {
			grants:   []v1alpha1.Grant{asking("a", 3), asking("z", 0, requested(9))},
			wantGive: []v1alpha1.LocalName{"z", "a"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pool := Pool{Name: "lab", Pool: seatPoolOf(5), Grants: tc.grants, Restoring: tc.restoring, Now: noon}
			if tc.unplanned > 0 {
				pool.Unplanned = noon.Add(-time.Duration(tc.unplanned) * time.Minute)
			}
			planned := SeatsOf(pool)
			var got []v1alpha1.LocalName
			for _, seat := range planned.Give {
				got = append(got, seat.Grant)
			}
			if diff := cmp.Diff(tc.wantGive, got); diff != "" || planned.Waiting != tc.wantWaiting {
				t.Errorf("waiting: %d, want %d; given (-want +got):\n%s", planned.Waiting, tc.wantWaiting, diff)
			}
		})
	}
}

// A policy that is being replaced is not there for a moment. Nothing ends because of that.
func TestPolicyThatIsAwaitedEndsNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, namespacePolicy(removeWithPolicy))
	w.deliver(delivered("2024-01-10 10:00:00"))
	w.plan()
	delete(w.policies, "graduates")
	for _, step := range []struct {
		awaited bool
		want    lifecycle.Stage
	}{{true, lifecycle.Active}, {false, lifecycle.AccessExpired}} {
		person := w.person()
		person.Awaited = map[string]bool{"graduates": step.awaited}
		w.grants = adopt(For(person))
		if got := stateLettingGo(&w.grants[0], w.now).Stage; got != step.want {
			t.Errorf("awaited %t: got %v, want %v", step.awaited, got, step.want)
		}
	}
}
