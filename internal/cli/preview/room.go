// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package preview

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"

	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/apifault"
	"github.com/lxp-dev/course-completion-operator/internal/apply"
	"github.com/lxp-dev/course-completion-operator/internal/cli/cmdutil"
	"github.com/lxp-dev/course-completion-operator/internal/preview"
)

// controllerManager is who gives people their roles.
const controllerManager = "system:serviceaccount:completion-system:completion-controller-manager"

// room is whether there is a seat for everybody who asks for one.
type room struct {
	Pool string `json:"pool"`
	// Missing reports that there is no such pool.
	Missing  bool  `json:"missing,omitempty"`
	Capacity int32 `json:"capacity"`
	Taken    int32 `json:"taken"`
	Waiting  int32 `json:"waiting"`
	// Asks is how many Grants ask for a seat that did not, Frees how many seats come back, and Waits how many of those
	// who ask would wait.
	Asks  int `json:"asks"`
	Frees int `json:"frees,omitempty"`
	Waits int `json:"waits"`
}

// pools reads the pools of the namespace; where they cannot be read nothing is said of them.
func (w *world) readPools(ctx context.Context, o *options) error {
	w.pools = map[string]*v1alpha1.SeatPool{}
	return cmdutil.Each(ctx, w.client, &v1alpha1.SeatPoolList{},
		func(l *v1alpha1.SeatPoolList) []v1alpha1.SeatPool { return l.Items },
		func(pool *v1alpha1.SeatPool) error { w.pools[pool.Name] = pool.DeepCopy(); return nil },
		client.InNamespace(o.namespace))
}

// reach adds what of an edited policy no Grant could have, as the condition AccessReady would say: pools that do not
// exist, quotas that the API server refuses, and roles that the installation gives nobody. What one may not ask is left
// out.
func (w *world) reach(ctx context.Context, o *options, one *edit, bounds []v1alpha1.GrantedNamespace, report *report) {
	if one.policy == nil {
		return
	}
	spec := &one.policy.Spec
	for i, seat := range spec.Seats {
		if w.pools != nil && w.pools[string(seat.Pool)] == nil {
			report.addFault(&report.Warnings, one.fault(fmt.Sprintf("spec.seats[%d].pool", i), fmt.Sprintf(
				"SeatPool %s does not exist: `kubectl course create seatpool %s --capacity N -n %s` creates it",
				seat.Pool, seat.Pool, o.namespace)))
		}
	}
	if w.client == nil {
		return
	}
	for i := range bounds {
		if err := apply.TryBounds(ctx, w.client, o.namespace, &bounds[i]); apierrors.IsInvalid(err) {
			report.addFault(&report.Warnings, one.fault(fmt.Sprintf("spec.namespaces[%d]", i), apifault.Describe(err)))
		}
	}
	for i := range spec.Namespaces {
		for j, access := range spec.Namespaces[i].Access {
			if w.mayBind(ctx, access.ClusterRole) == no {
				report.addFault(&report.Warnings, one.fault(fmt.Sprintf("spec.namespaces[%d].access[%d].clusterRole", i, j),
					fmt.Sprintf("this installation does not let the operator bind the ClusterRole %s: see docs/security.md",
						access.ClusterRole)))
			}
		}
	}
}

// answer is yes, no, or not known.
type answer int

const (
	unknown answer = iota
	yes
	no
)

// mayBind asks whether the operator may give people a role.
func (w *world) mayBind(ctx context.Context, role string) answer {
	if known, asked := w.roles[role]; asked {
		return known
	}
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User:   controllerManager,
		Groups: []string{"system:serviceaccounts", "system:serviceaccounts:completion-system", "system:authenticated"},
		ResourceAttributes: &authorizationv1.ResourceAttributes{
			Verb: "bind", Group: rbacv1.GroupName, Resource: "clusterroles", Name: role,
		}}}
	found := unknown
	if err := w.client.Create(ctx, review); err == nil {
		found = no
		if review.Status.Allowed {
			found = yes
		}
	}
	if w.roles == nil {
		w.roles = map[string]answer{}
	}
	w.roles[role] = found
	return found
}

// rooms says whether there are seats and namespaces for everybody.
func (r *report) rooms(w *world, summary *preview.Summary) {
	for _, name := range slices.Sorted(maps.Keys(summary.Rooms)) {
		asked, pool := summary.Rooms[name], w.pools[string(name)]
		if w.pools == nil {
			continue
		}
		one := room{Pool: string(name), Missing: pool == nil, Asks: asked.Asks, Frees: asked.Frees, Waits: asked.Waits(pool)}
		if pool != nil {
			one.Capacity = value(pool.Spec.Capacity)
			one.Taken, one.Waiting = value(pool.Status.Taken), value(pool.Status.Waiting)
		}
		r.Rooms = append(r.Rooms, one)
	}
	for i := range w.institutions {
		institution := &w.institutions[i]
		more, has := summary.Namespaces[institution.Spec.ID], int(value(institution.Status.Namespaces))
		if most := int(institution.Spec.NamespacesAtMost()); more > 0 && has+more > most {
			r.note("institution %s has %d of at most %d namespaces and would need %d more: %d would wait until "+
				"spec.maxNamespaces is raised", institution.Name, has, most, more, has+more-most)
		}
	}
}

func value(number *int32) int32 {
	if number == nil {
		return 0
	}
	return *number
}

func (r *report) printRooms(out io.Writer) {
	for _, one := range r.Rooms {
		switch {
		case one.Missing:
			fmt.Fprintf(out, "\nSeats of %s: the pool does not exist. %s, and would wait.\n", one.Pool, asks(one.Asks))
			continue
		case one.Asks == 0 && one.Frees == 0:
			continue
		}
		fmt.Fprintf(out, "\nSeats of %s: %d of %d taken, %d waiting.", one.Pool, one.Taken, one.Capacity, one.Waiting)
		if one.Frees > 0 {
			fmt.Fprintf(out, " %d would be freed.", one.Frees)
		}
		if one.Asks > 0 {
			fmt.Fprintf(out, " %s; %d of them would wait.", asks(one.Asks), one.Waits)
		}
		fmt.Fprintln(out)
	}
}

func asks(n int) string {
	if n == 1 {
		return "1 more grant would request one"
	}
	return fmt.Sprintf("%d more grants would request one", n)
}
