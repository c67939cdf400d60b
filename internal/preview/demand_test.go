// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package preview

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// Of a policy that begins to give seats and namespaces, all that is new is asked for; once it goes, seats come back.
func TestRoom(t *testing.T) {
	w := newWorld(t, 1)
	w.policies, w.grants = map[string]*v1alpha1.CompletionPolicy{}, map[string]v1alpha1.Grant{}
	w.completions, w.has = map[string]v1alpha1.CourseCompletion{}, map[string]map[string]bool{}
	for user := range v1alpha1.PlatformID(3) {
		spec := w.delivery()
		spec.User.ID, spec.Course.ID, spec.Enrollment.CourseID = user+1, 7, 7
		spec.Enrollment.ID, spec.Enrollment.Status, spec.Enrollment.DateExpire = 100+user, new(int32(1)), ""
		w.deliver(spec)
	}
	policy := w.policy("seat")
	policy.Spec.Match = v1alpha1.PolicyMatch{CourseIDs: []v1alpha1.PlatformID{7}, Require: v1alpha1.MatchAny}
	policy.Spec.Suspend, policy.Spec.Approval = nil, v1alpha1.ApprovalAutomatic
	policy.Spec.Lifetime, policy.Spec.OnPolicyRemoval = v1alpha1.Lifetime{GraceDays: new(int32(0))}, v1alpha1.RemovalDelete
	policy.Spec.Seats = []v1alpha1.SeatTemplate{{Pool: "a"}}
	policy.Spec.Namespaces = []v1alpha1.NamespaceTemplate{{Name: "grad-${user.id}"}}

	after := w.clone()
	after.policies["seat"] = policy
	_, summary := previewed(t, w, after, nil)
	if diff := cmp.Diff(map[v1alpha1.LocalName]*Room{"a": {Asks: 3}}, summary.Rooms); diff != "" {
		t.Errorf("rooms (-want +got):\n%s", diff)
	}
	if got := summary.Namespaces[1]; got != 3 {
		t.Errorf("%d namespaces more", got)
	}

	after.settle()
	gone := after.clone()
	delete(gone.policies, "seat")
	_, summary = previewed(t, after, gone, nil)
	if diff := cmp.Diff(map[v1alpha1.LocalName]*Room{"a": {Frees: 3}}, summary.Rooms); diff != "" {
		t.Errorf("rooms once the policy goes (-want +got):\n%s", diff)
	}
	if got := summary.Namespaces[1]; got != 0 {
		t.Errorf("%d namespaces more once the policy goes", got)
	}
}

// Who waits already goes first.
func TestRoomWaits(t *testing.T) {
	pool := func(capacity, taken, waiting int32) *v1alpha1.SeatPool {
		return &v1alpha1.SeatPool{Spec: v1alpha1.SeatPoolSpec{Capacity: &capacity},
			Status: v1alpha1.SeatPoolStatus{Taken: &taken, Waiting: &waiting}}
	}
	for _, tc := range []struct {
		room Room
		pool *v1alpha1.SeatPool
		want int
	}{
		{Room{Asks: 3}, pool(3, 0, 0), 0}, {Room{Asks: 3}, pool(3, 2, 0), 2}, {Room{Asks: 3}, pool(3, 3, 1), 3},
		{Room{Asks: 3, Frees: 2}, pool(3, 3, 1), 2}, {Room{Asks: 1}, pool(1, 4, 0), 1}, {Room{Asks: 2}, nil, 2},
		{Room{Asks: 2}, &v1alpha1.SeatPool{}, 2},
	} {
		if got := tc.room.Waits(tc.pool); got != tc.want {
			t.Errorf("%+v waits %d, want %d", tc.room, got, tc.want)
		}
	}
}
