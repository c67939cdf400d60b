// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package seatpool

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// givenInParallel is how many seats are written at the same time.
const givenInParallel = 8

// givenSeats remember the seats that were given until the cache shows them: a plan without them would give their
// holders a second one. A restart reads all seats anew and needs none of it.
type givenSeats struct {
	mu     sync.Mutex
	unseen map[client.ObjectKey]map[string]bool
}

func (g *givenSeats) note(pool client.ObjectKey, seat string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.unseen == nil {
		g.unseen = map[client.ObjectKey]map[string]bool{}
	}
	if g.unseen[pool] == nil {
		g.unseen[pool] = map[string]bool{}
	}
	g.unseen[pool][seat] = true
}

func (g *givenSeats) seen(pool client.ObjectKey, seat string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if delete(g.unseen[pool], seat); len(g.unseen[pool]) == 0 {
		delete(g.unseen, pool)
	}
}

func (g *givenSeats) forget(pool client.ObjectKey) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.unseen, pool)
}

func (g *givenSeats) of(pool client.ObjectKey) []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Sorted(maps.Keys(g.unseen[pool]))
}

// behind reports whether the cache lacks some of the seats that were given. Of those, one is looked for live: somebody
// may have taken it back before it was seen.
func (r *Reconciler) behind(ctx context.Context, pool client.ObjectKey) (bool, error) {
	looked := false
	for _, name := range r.given.of(pool) {
		key := client.ObjectKey{Namespace: pool.Namespace, Name: name}
		err := r.Client.Get(ctx, key, &v1alpha1.Seat{})
		if apierrors.IsNotFound(err) && !looked {
			looked = true
			if err = r.Live.Get(ctx, key, &v1alpha1.Seat{}); err == nil {
				continue
			}
			if apierrors.IsNotFound(err) {
				r.given.seen(pool, name)
				continue
			}
		}
		switch {
		case err == nil:
			r.given.seen(pool, name)
		case !apierrors.IsNotFound(err):
			return false, fmt.Errorf("get seat %s: %w", name, err)
		}
	}
	return len(r.given.of(pool)) > 0, nil
}

// give writes seats, some at the same time. They were planned together, so each has a holder and a number of its own.
func (r *Reconciler) give(ctx context.Context, pool client.ObjectKey, specs []v1alpha1.SeatSpec) error {
	var group errgroup.Group
	group.SetLimit(givenInParallel)
	for i := range specs {
		group.Go(func() error {
			seat := &v1alpha1.Seat{
				ObjectMeta: metav1.ObjectMeta{
					Namespace: pool.Namespace, Name: v1alpha1.SeatName(string(specs[i].Pool), *specs[i].Number),
					Labels: map[string]string{v1alpha1.LabelPool: string(specs[i].Pool)},
				},
				Spec: specs[i],
			}
			if err := r.Client.Create(ctx, seat); err != nil {
				return fmt.Errorf("create seat %s: %w", seat.Name, err)
			}
			r.given.note(pool, seat.Name)
			ctrl.LoggerFrom(ctx).Info("Assigned seat", "seat", seat.Name, "grant", seat.Spec.Grant)
			return nil
		})
	}
	return group.Wait()
}
