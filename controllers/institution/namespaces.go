// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package institution

import (
	"context"
	"fmt"
	"maps"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/kube"
)

// NamespaceCache holds what the namespaces of the cluster say about Institutions. The manager's own cache holds one
// view of each kind, and of namespaces that is those that Grants made, which this one leaves out: an Institution is
// allowed in none of them.
type NamespaceCache struct{ cache.Cache }

// GetCache has the manager start it, and wait for it, as it does with its own.
func (c *NamespaceCache) GetCache() cache.Cache { return c.Cache }

// NewNamespaceCache returns the cache, which the manager has yet to start.
func NewNamespaceCache(ctx context.Context, mgr ctrl.Manager) (*NamespaceCache, error) {
	granted, err := labels.NewRequirement(v1alpha1.LabelGrant, selection.DoesNotExist, nil)
	utilruntime.Must(err)
	namespaces, err := cache.New(mgr.GetConfig(), cache.Options{
		HTTPClient: mgr.GetHTTPClient(), Scheme: mgr.GetScheme(), Mapper: mgr.GetRESTMapper(),
		DefaultLabelSelector: labels.NewSelector().Add(*granted),
		DefaultTransform:     claimsOnly,
	})
	if err != nil {
		return nil, fmt.Errorf("create the cache of namespaces: %w", err)
	}
	if _, err := namespaces.GetInformer(ctx, kube.NamespaceMetadata(), cache.BlockUntilSynced(false)); err != nil {
		return nil, fmt.Errorf("cache namespaces: %w", err)
	}
	return &NamespaceCache{namespaces}, nil
}

// claimsOnly leaves of a namespace what is asked for: whose it is to be.
func claimsOnly(object any) (any, error) {
	namespace, ok := object.(*metav1.PartialObjectMetadata)
	if !ok {
		// The last known state of what has gone comes wrapped.
		return object, nil
	}
	namespace.ManagedFields, namespace.Labels, namespace.OwnerReferences = nil, nil, nil
	namespace.Annotations = claimOf(namespace)
	return namespace, nil
}

func claimOf(namespace client.Object) map[string]string {
	claim := map[string]string{}
	for _, key := range []string{v1alpha1.AnnotationInstitutionID, v1alpha1.AnnotationNamespacePrefix} {
		if value, found := namespace.GetAnnotations()[key]; found {
			claim[key] = value
		}
	}
	return claim
}

// claimChanged passes namespaces that say something else about Institutions than before.
var claimChanged = predicate.TypedFuncs[*metav1.PartialObjectMetadata]{
	UpdateFunc: func(e event.TypedUpdateEvent[*metav1.PartialObjectMetadata]) bool {
		return !maps.Equal(claimOf(e.ObjectOld), claimOf(e.ObjectNew))
	},
}

// institutionsIn returns the Institutions of a namespace, and those that may have to give way to them, or no longer.
func (r *Reconciler) institutionsIn(
	ctx context.Context, namespace *metav1.PartialObjectMetadata,
) []reconcile.Request {
	var list v1alpha1.InstitutionList
	if err := r.Client.List(ctx, &list, client.InNamespace(namespace.Name)); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "Could not list institutions", "namespace", namespace.Name)
		return nil
	}
	var requests []reconcile.Request
	for i := range list.Items {
		requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&list.Items[i])})
		requests = append(requests, r.others(ctx, &list.Items[i])...)
	}
	return requests
}
