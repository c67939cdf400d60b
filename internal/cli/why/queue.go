// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package why

import (
	"context"
	"fmt"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/cli/cmdutil"
	"github.com/lxp-dev/course-completion-operator/internal/lifecycle"
	"github.com/lxp-dev/course-completion-operator/internal/seats"
)

// poolFacts are how a pool stands.
type poolFacts struct {
	name v1alpha1.LocalName
	// object is nil where there is no such pool.
	object *v1alpha1.SeatPool
	// seats are those that somebody has.
	seats map[string]*v1alpha1.Seat
	// planned and queue are worked out as the pool's loop does. Where exact is false, some of it may not be looked at, and
	// the queue is what the status of the pool names.
	planned seats.Plan
	queue   []v1alpha1.LocalName
	exact   bool
	// frees is when the first end of access is known that frees a seat; zero if none is.
	frees time.Time
}

// view is what is told of a pool.
func (p *poolFacts) view() *pool {
	told := &pool{Name: string(p.name), Missing: p.object == nil}
	if p.object == nil {
		return told
	}
	told.Capacity, told.Taken, told.Waiting = *p.object.Spec.Capacity, int32(len(p.seats)), int32(len(p.queue))
	if !p.exact {
		status := &p.object.Status
		told.Taken, told.Waiting = number(status.Taken), number(status.Waiting)
	}
	told.Queue = p.queue[:min(len(p.queue), 10)]
	return told
}

func number(n *int32) int32 {
	if n == nil {
		return 0
	}
	return *n
}

// pool works out how a pool stands. It reads all Grants of the namespace, and keeps those that concern the pool.
func (r *reader) pool(ctx context.Context, name v1alpha1.LocalName) (*poolFacts, error) {
	if known := r.pools[name]; known != nil {
		return known, nil
	}
	p := &poolFacts{name: name, seats: map[string]*v1alpha1.Seat{}}
	r.pools[name] = p
	object := &v1alpha1.SeatPool{}
	err := r.client.Get(ctx, client.ObjectKey{Namespace: r.namespace, Name: string(name)}, object)
	switch {
	case err == nil:
		p.object = object
	case !apierrors.IsNotFound(err):
		return p, err
	}
	gathered := seats.Pool{Name: string(name), Pool: p.object, Now: r.now, Gone: map[string]bool{},
		Frozen: map[string]bool{}}
	err = cmdutil.Each(ctx, r.client, &v1alpha1.SeatList{}, func(l *v1alpha1.SeatList) []v1alpha1.Seat { return l.Items },
		func(seat *v1alpha1.Seat) error {
			p.seats[seat.Name] = seat.DeepCopy()
			gathered.Seats = append(gathered.Seats, *seat)
			return nil
		}, client.InNamespace(r.namespace), client.MatchingFields{"spec.pool": string(name)})
	if err == nil {
		err = r.eachGrant(ctx, func(grant *v1alpha1.Grant) error {
			r.concerns(&gathered, grant)
			return nil
		})
	}
	if apierrors.IsForbidden(err) && p.object != nil {
		p.queue = p.object.Status.Queue
		r.unknown = append(r.unknown, fmt.Sprintf("pool %s: %v: the queue is as the status of the pool says", name, err))
		return p, nil
	}
	if err != nil {
		return p, err
	}
	p.planned, p.queue = seats.Queue(gathered)
	p.exact, p.frees = true, frees(&gathered)
	return p, nil
}

// concerns adds a Grant to what is known of a pool, if it asks for a seat of it, or takes one away.
func (r *reader) concerns(gathered *seats.Pool, grant *v1alpha1.Grant) {
	name := v1alpha1.LocalName(gathered.Name)
	asks := slices.Contains(grant.Spec.Seats, v1alpha1.GrantedSeat{Pool: name})
	revokes := slices.Contains(grant.Spec.Revokes.Seats, v1alpha1.RevokedSeat{Pool: name})
	if !asks && !revokes {
		return
	}
	slim(grant)
	if revokes {
		gathered.Revokers = append(gathered.Revokers, *grant)
	}
	if !asks {
		return
	}
	_, problem, _ := r.institutionOf(grant.Spec.Holder.InstitutionID)
	ordered := lifecycle.StateOf(grant, gathered.Now).Revoked || !grant.DeletionTimestamp.IsZero() && !grant.Planned()
	if problem != "" && !ordered {
		gathered.Frozen[grant.Name] = true
	}
	gathered.Restoring = gathered.Restoring || grant.Status.RestoredAt != nil
	gathered.Grants = append(gathered.Grants, *grant)
}

// slim takes out of a Grant what is large and says nothing about seats.
func slim(grant *v1alpha1.Grant) {
	grant.ManagedFields, grant.Labels, grant.Annotations = nil, nil, nil
	for i := range grant.Spec.Objects {
		grant.Spec.Objects[i].Object.Raw = nil
	}
	for i := range grant.Spec.Namespaces {
		ns := &grant.Spec.Namespaces[i]
		ns.Annotations, ns.Quota, ns.Limits, ns.Access = nil, nil, nil, nil
	}
}

// frees returns when the first end of access of one who has a seat is known.
func frees(gathered *seats.Pool) time.Time {
	seated := map[string]bool{}
	for i := range gathered.Seats {
		seated[string(gathered.Seats[i].Spec.Grant)] = true
	}
	var first time.Time
	for i := range gathered.Grants {
		grant := &gathered.Grants[i]
		at := lifecycle.StateOf(grant, gathered.Now)
		if seated[grant.Name] && at.Stage == lifecycle.Active && !at.Next.IsZero() &&
			(first.IsZero() || at.Next.Before(first)) {
			first = at.Next
		}
	}
	return first
}

// seatOf says how a Grant stands with a pool of which it has no seat.
func (r *reader) seatOf(ctx context.Context, g *v1alpha1.Grant, name v1alpha1.LocalName) (seat, error) {
	p, err := r.pool(ctx, name)
	told := seat{Pool: string(name)}
	switch {
	case err != nil:
		return told, err
	case p.object == nil:
		told.Message = fmt.Sprintf("there is no pool %s in this namespace: `kubectl course create seatpool` creates one",
			name)
		return told, nil
	}
	view := p.view()
	how := fmt.Sprintf("%d of %d seats are taken", view.Taken, view.Capacity)
	for _, given := range p.planned.Give {
		if string(given.Grant) == g.Name {
			told.Message = fmt.Sprintf("is being given seat %d; %s", *given.Number, how)
			return told, nil
		}
	}
	told.Place = slices.Index(p.queue, v1alpha1.LocalName(g.Name)) + 1
	switch {
	case told.Place > 0:
		told.Message = fmt.Sprintf("place %d of %d in the queue; %s", told.Place, view.Waiting, how)
	case !p.exact:
		told.Message = fmt.Sprintf("not among the first %d of %d in the queue; %s", len(p.queue), view.Waiting, how)
	default:
		told.Message = "is not in the queue, since it is refused, ends, or its institution is suspended; " + how
	}
	return told, nil
}
