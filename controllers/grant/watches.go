// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package grant

import (
	"context"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/apply"
	"github.com/lxp-dev/course-completion-operator/internal/index"
	"github.com/lxp-dev/course-completion-operator/internal/kube"
	"github.com/lxp-dev/course-completion-operator/internal/lifecycle"
)

// SetupWithManager registers the loop. A change of anything that was provisioned sets off its Grant: drift is
// corrected at once, and after a start also what happened before.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager, workers int) error {
	b := ctrl.NewControllerManagedBy(mgr).
		Named("grant").
		For(&v1alpha1.Grant{}).
		Watches(&v1alpha1.Grant{}, kube.NewFirst()).
		// What one Grant revokes, another one of the same holder loses.
		Watches(&v1alpha1.Grant{}, handler.EnqueueRequestsFromMapFunc(r.grantsOfHolder),
			builder.WithPredicates(stageChanged())).
		Watches(&v1alpha1.Seat{}, handler.EnqueueRequestsFromMapFunc(grantOfSeat)).
		Watches(&v1alpha1.Institution{}, &kube.FanOut[reconcile.Request]{Requests: r.grantsBeside},
			builder.WithPredicates(kube.WorkChanged)).
		Watches(&v1alpha1.Institution{}, &kube.FanOut[reconcile.Request]{Requests: r.grantsThatWait},
			builder.WithPredicates(brakeChanged)).
		Watches(&v1alpha1.CourseCompletion{}, handler.EnqueueRequestsFromMapFunc(r.restoredFrom),
			builder.WithPredicates(created)).
		Watches(&v1alpha1.CompletionPolicy{}, &kube.FanOut[reconcile.Request]{Requests: r.restoredFrom},
			builder.WithPredicates(created)).
		// Whether a pool is there is what those who wait for it are told.
		Watches(&v1alpha1.SeatPool{}, &kube.FanOut[reconcile.Request]{Requests: r.grantsOfPool},
			builder.WithPredicates(predicate.Funcs{UpdateFunc: func(event.UpdateEvent) bool { return false }})).
		WithOptions(kube.Fairly(mgr, workers, kube.ShareOf(workers), kube.NamespaceOf))
	for _, kind := range apply.Kinds() {
		b = b.Watches(kind, handler.EnqueueRequestsFromMapFunc(r.grantOfObject))
	}
	return b.Complete(kube.Redact(r))
}

func grantOfSeat(_ context.Context, object client.Object) []reconcile.Request {
	seat := object.(*v1alpha1.Seat)
	holder := client.ObjectKey{Namespace: seat.Namespace, Name: string(seat.Spec.Grant)}
	return []reconcile.Request{{NamespacedName: holder}}
}

func (r *Reconciler) grantOfObject(ctx context.Context, object client.Object) []reconcile.Request {
	return r.requests(ctx, client.MatchingFields{index.OwnerDigest: object.GetLabels()[v1alpha1.LabelGrant]})
}

func (r *Reconciler) grantsBeside(ctx context.Context, object client.Object) []reconcile.Request {
	return r.requests(ctx, client.InNamespace(object.GetNamespace()))
}

func (r *Reconciler) grantsOfPool(ctx context.Context, object client.Object) []reconcile.Request {
	return r.requests(ctx, client.InNamespace(object.GetNamespace()), client.MatchingFields{index.Pool: object.GetName()})
}

// restoredFrom returns the restored Grants that a completion or a policy may be the last missing part of.
func (r *Reconciler) restoredFrom(ctx context.Context, object client.Object) []reconcile.Request {
	var of client.MatchingFields
	switch o := object.(type) {
	case *v1alpha1.CourseCompletion:
		of = client.MatchingFields{index.GrantHolder: index.HolderOf(o)[0]}
	case *v1alpha1.CompletionPolicy:
		of = client.MatchingFields{index.Policy: o.Name}
	default:
		ctrl.LoggerFrom(ctx).Error(nil, "Unexpected kind of object", "type", fmt.Sprintf("%T", object))
		return nil
	}
	return r.requestsOf(ctx, func(grant *v1alpha1.Grant) bool { return grant.Status.RestoredAt != nil },
		client.InNamespace(object.GetNamespace()), of)
}

func (r *Reconciler) requests(ctx context.Context, opts ...client.ListOption) []reconcile.Request {
	return r.requestsOf(ctx, func(*v1alpha1.Grant) bool { return true }, opts...)
}

func (r *Reconciler) requestsOf(
	ctx context.Context, wanted func(*v1alpha1.Grant) bool, opts ...client.ListOption,
) []reconcile.Request {
	var grants v1alpha1.GrantList
	if err := r.Client.List(ctx, &grants, append(opts, client.UnsafeDisableDeepCopy)...); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "Could not list grants")
		return nil
	}
	requests := make([]reconcile.Request, 0, len(grants.Items))
	for i := range grants.Items {
		if grant := &grants.Items[i]; wanted(grant) {
			requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(grant)})
		}
	}
	return requests
}

// grantsOfHolder returns all the Grants of a Grant's holder, if one of them revokes something: it may revoke it from
// any of the others. Otherwise it returns those that share something with it.
func (r *Reconciler) grantsOfHolder(ctx context.Context, object client.Object) []reconcile.Request {
	changed := object.(*v1alpha1.Grant)
	beside, err := r.grantsBesideOf(ctx, changed)
	if err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "Could not list grants of a holder")
		return nil
	}
	revokes := changed.Revokes() || slices.ContainsFunc(beside, func(g v1alpha1.Grant) bool { return g.Revokes() })
	requests := make([]reconcile.Request, 0, len(beside))
	for i := range beside {
		if revokes || mayShare(changed, &beside[i]) {
			requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&beside[i])})
		}
	}
	return requests
}

// created passes what has just come, and not what was there at the start.
var created = predicate.Funcs{
	CreateFunc:  func(e event.CreateEvent) bool { return !e.IsInInitialList },
	UpdateFunc:  func(event.UpdateEvent) bool { return false },
	DeleteFunc:  func(event.DeleteEvent) bool { return false },
	GenericFunc: func(event.GenericEvent) bool { return false },
}

// stageChanged lets through what may change what one Grant revokes from another: its spec, what it has begun to revoke,
// and what came of that.
func stageChanged() predicate.Funcs {
	return predicate.Funcs{
		UpdateFunc: func(e event.UpdateEvent) bool {
			before, after := e.ObjectOld.(*v1alpha1.Grant), e.ObjectNew.(*v1alpha1.Grant)
			said := func(g *v1alpha1.Grant) string {
				if ready := meta.FindStatusCondition(g.Status.Conditions, v1alpha1.ConditionReady); ready != nil {
					return ready.Message
				}
				return ""
			}
			// That a generation was observed says that its labels are in place.
			return before.Generation != after.Generation || before.Status.Phase != after.Status.Phase ||
				before.Status.ObservedGeneration != after.Status.ObservedGeneration || said(before) != said(after) ||
				!equality.Semantic.DeepEqual(before.Status.Revocations, after.Status.Revocations)
		},
	}
}

// mayShare reports whether a change of one Grant may change what another one has: both are of one holder and policy,
// and name a namespace alike, or both have objects. What it no longer says it may still have.
func mayShare(changed, other *v1alpha1.Grant) bool {
	if !lifecycle.Alike(changed, other) || changed.Name == other.Name {
		return false
	}
	if hasObjects(changed) && hasObjects(other) {
		return true
	}
	names := namespaceNames(other)
	return slices.ContainsFunc(namespaceNames(changed), func(name string) bool { return slices.Contains(names, name) })
}

func namespaceNames(grant *v1alpha1.Grant) []string {
	var names []string
	for i := range grant.Spec.Namespaces {
		names = append(names, grant.Spec.Namespaces[i].Name)
	}
	for _, entry := range grant.Status.Inventory {
		if entry.Kind == "Namespace" && *entry.Group == "" {
			names = append(names, entry.Name)
		}
	}
	return names
}

// brakeChanged passes what may let Grants go that wait for the brake.
var brakeChanged = predicate.Funcs{
	UpdateFunc: func(e event.UpdateEvent) bool {
		before, _ := e.ObjectOld.(*v1alpha1.Institution)
		after, ok := e.ObjectNew.(*v1alpha1.Institution)
		return ok && before != nil && (before.Status.Brake.Trip != after.Status.Brake.Trip ||
			before.Status.Brake.ReleasedTrip != after.Status.Brake.ReleasedTrip)
	},
	CreateFunc: func(event.CreateEvent) bool { return false },
	DeleteFunc: func(event.DeleteEvent) bool { return false },
}

// grantsThatWait returns the Grants beside an institution that wait for its brake.
func (r *Reconciler) grantsThatWait(ctx context.Context, object client.Object) []reconcile.Request {
	now := r.Clock.Now()
	return r.requestsOf(ctx, func(grant *v1alpha1.Grant) bool { return lifecycle.WaitsForBrake(grant, now) },
		client.InNamespace(object.GetNamespace()))
}
