// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package seatpool is the loop of SeatPools: who gets which seat, and who loses one. Who is next is for package seats;
// what is kept for somebody who is about to come back is in reservations.go, and who has to wait until others have been
// planned in queue.go.
package seatpool

import (
	"context"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/index"
	"github.com/lxp-dev/course-completion-operator/internal/kube"
	"github.com/lxp-dev/course-completion-operator/internal/lifecycle"
	"github.com/lxp-dev/course-completion-operator/internal/memory"
	"github.com/lxp-dev/course-completion-operator/internal/seats"
)

// Reconciler gives the seats of a pool and takes them back. It alone writes Seats. Two holders of one seat are
// impossible whatever it does: the API server does not create one name twice.
type Reconciler struct {
	Client client.Client
	Live   client.Reader
	Clock  clock.PassiveClock

	Witness  *memory.Witness
	Backlog  *memory.Backlog
	Patience memory.Patience

	ownMemory
}

// SetupWithManager registers the loop.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(mgr).
		Named("seatpool").
		For(&v1alpha1.SeatPool{}).
		Watches(&v1alpha1.Seat{}, poolsBy(index.PoolOfSeat)).
		Watches(&v1alpha1.Grant{}, poolsBy(index.PoolsOf)).
		Watches(&v1alpha1.Grant{}, poolsBy(index.PoolsRevokedBy)).
		Watches(&v1alpha1.Institution{}, &kube.FanOut[reconcile.Request]{Requests: r.poolsBeside},
			builder.WithPredicates(kube.WorkChanged)).
		WithOptions(kube.Fairly(mgr, kube.SideWorkers, kube.OneWorker, kube.NamespaceOf)).
		Complete(kube.Redact(r))
}

// poolsBy enqueues the pools that an object names.
func poolsBy(names client.IndexerFunc) handler.EventHandler {
	return handler.EnqueueRequestsFromMapFunc(func(_ context.Context, o client.Object) []reconcile.Request {
		return poolRequests(o.GetNamespace(), names(o))
	})
}

func poolRequests(namespace string, pools []string) []reconcile.Request {
	requests := make([]reconcile.Request, 0, len(pools))
	for _, pool := range pools {
		requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKey{Namespace: namespace, Name: pool}})
	}
	return requests
}

func (r *Reconciler) poolsBeside(ctx context.Context, object client.Object) []reconcile.Request {
	var pools v1alpha1.SeatPoolList
	if err := r.Client.List(ctx, &pools, client.InNamespace(object.GetNamespace())); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "Could not list pools")
		return nil
	}
	var names []string
	for i := range pools.Items {
		names = append(names, pools.Items[i].Name)
	}
	return poolRequests(object.GetNamespace(), names)
}

// Reconcile gathers, plans, takes back, gives, and writes how the pool stands. It also runs for a pool that has gone:
// its seats are still taken back.
func (r *Reconciler) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	behind, err := r.behind(ctx, req.NamespacedName)
	if err != nil {
		return reconcile.Result{}, err
	}
	if behind {
		return reconcile.Result{RequeueAfter: kube.StaleInterval}, nil
	}
	gathered, err := r.gather(ctx, req)
	if err != nil {
		return reconcile.Result{}, err
	}
	kept, err := r.gone(ctx, req.Namespace, gathered)
	if err != nil {
		return reconcile.Result{}, err
	}
	held, err := r.holdBack(ctx, gathered, req.NamespacedName)
	if err != nil {
		return reconcile.Result{}, err
	}
	planned := seats.For(*gathered)
	err = errors.Join(r.free(ctx, planned.Free), r.give(ctx, req.NamespacedName, planned.Give))
	result := reconcile.Result{RequeueAfter: kube.Sooner(kept, held)}
	if apierrors.IsAlreadyExists(err) {
		// The number was given already, and the cache has yet to show it.
		result.RequeueAfter, err = kube.StaleInterval, nil
	}
	if !planned.Next.IsZero() {
		result.RequeueAfter = kube.Sooner(result.RequeueAfter, max(time.Second, planned.Next.Sub(gathered.Now)))
	}
	if gathered.Pool == nil {
		r.forget(req.NamespacedName)
		return result, err
	}
	due, failed := r.tell(ctx, gathered.Pool, planned)
	result.RequeueAfter = kube.Sooner(result.RequeueAfter, due)
	return result, errors.Join(err, failed)
}

func (r *Reconciler) gather(ctx context.Context, req reconcile.Request) (*seats.Pool, error) {
	gathered := &seats.Pool{Name: req.Name, Now: r.Clock.Now(), Gone: map[string]bool{}, Frozen: map[string]bool{}}
	pool := &v1alpha1.SeatPool{}
	if err := r.Client.Get(ctx, req.NamespacedName, pool); err == nil {
		gathered.Pool = pool
	} else if !apierrors.IsNotFound(err) {
		return nil, fmt.Errorf("get pool: %w", err)
	}
	// Nothing here changes what it reads: copies of all of it, at every change, would be most of what a long queue costs.
	of := []client.ListOption{client.InNamespace(req.Namespace), client.MatchingFields{index.Pool: req.Name},
		client.UnsafeDisableDeepCopy}
	var given v1alpha1.SeatList
	var grants v1alpha1.GrantList
	if err := errors.Join(r.Client.List(ctx, &given, of...), r.Client.List(ctx, &grants, of...)); err != nil {
		return nil, fmt.Errorf("list seats and grants: %w", err)
	}
	var revokers v1alpha1.GrantList
	err := r.Client.List(ctx, &revokers, client.InNamespace(req.Namespace),
		client.MatchingFields{index.RevokedPool: req.Name}, client.UnsafeDisableDeepCopy)
	if err != nil {
		return nil, fmt.Errorf("list grants that revoke seats: %w", err)
	}
	gathered.Seats, gathered.Grants, gathered.Revokers = given.Items, grants.Items, revokers.Items
	return gathered, r.freeze(ctx, req.Namespace, gathered)
}

// freeze marks the Grants of institutions that are suspended or missing, unless a person revoked them.
func (r *Reconciler) freeze(ctx context.Context, namespace string, gathered *seats.Pool) error {
	frozen := map[v1alpha1.PlatformID]bool{}
	for i := range gathered.Grants {
		grant := &gathered.Grants[i]
		id := grant.Spec.Holder.InstitutionID
		is, known := frozen[id]
		if !known {
			tenant, err := kube.InstitutionOf(ctx, r.Client, namespace, id)
			_, problem := errors.AsType[*kube.InstitutionProblem](err)
			if err != nil && !problem {
				return err
			}
			is = problem || tenant.Suspended()
			frozen[id] = is
		}
		ordered := lifecycle.StateOf(grant, gathered.Now).Revoked || !grant.DeletionTimestamp.IsZero() && !grant.Planned()
		if is && !ordered {
			gathered.Frozen[grant.Name] = true
		}
	}
	return nil
}

// gone looks live for the Grants of seats that the cache does not show to ask for one. It returns when to look again
// for those that are not there and that are about to be made again, or restored; zero if there are none.
func (r *Reconciler) gone(
	ctx context.Context, namespace string, gathered *seats.Pool,
) (time.Duration, error) {
	known, after := map[string]bool{}, time.Duration(0)
	for i := range gathered.Grants {
		known[gathered.Grants[i].Name] = true
	}
	for i := range gathered.Seats {
		key := client.ObjectKey{Namespace: namespace, Name: string(gathered.Seats[i].Spec.Grant)}
		if known[key.Name] {
			r.absent.End(key)
			continue
		}
		grant := &v1alpha1.Grant{}
		err := r.Live.Get(ctx, key, grant)
		switch {
		case apierrors.IsNotFound(err):
			again, err := r.awaits(ctx, &gathered.Seats[i], key, gathered.Now)
			if err != nil {
				return 0, err
			}
			gathered.Gone[key.Name] = again == 0
			after = kube.Sooner(after, again)
		case err != nil:
			return 0, fmt.Errorf("get grant %s: %w", key.Name, err)
		default:
			r.absent.End(key)
			// It may have stopped asking for this pool.
			gathered.Gone[key.Name] = !asks(grant, gathered.Name)
		}
	}
	return after, nil
}

func asks(grant *v1alpha1.Grant, pool string) bool {
	for _, seat := range grant.Spec.Seats {
		if string(seat.Pool) == pool {
			return true
		}
	}
	return false
}

func (r *Reconciler) free(ctx context.Context, freed []v1alpha1.Seat) error {
	var failed []error
	for i := range freed {
		err := r.Client.Delete(ctx, &freed[i], client.Preconditions{UID: &freed[i].UID})
		if client.IgnoreNotFound(err) != nil {
			failed = append(failed, fmt.Errorf("free seat %s: %w", freed[i].Name, err))
			continue
		}
		ctrl.LoggerFrom(ctx).Info("Freed seat", "seat", freed[i].Name, "grant", freed[i].Spec.Grant)
	}
	return errors.Join(failed...)
}
