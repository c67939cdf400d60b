// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package grant

import (
	"context"
	"slices"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/index"
	"github.com/lxp-dev/course-completion-operator/internal/lifecycle"
)

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
