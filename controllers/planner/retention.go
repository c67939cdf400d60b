// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package planner

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/kube"
	"github.com/lxp-dev/course-completion-operator/internal/plan"
)

// expire deletes what retention no longer keeps, each only if it still is the object that was planned with: a delivery
// that came meanwhile saves its completion. For how long it is kept is read anew, since nothing brings back what has
// gone.
func (r *Reconciler) expire(ctx context.Context, tenant *kube.Tenant, planned plan.Plan) error {
	if len(planned.Expired)+len(planned.Over) == 0 {
		return nil
	}
	institutions, err := r.liveInstitutions(ctx, tenant.Namespace)
	if err != nil {
		return fmt.Errorf("look for how long completions are kept: %w", err)
	}
	if !slices.ContainsFunc(institutions, func(i v1alpha1.Institution) bool {
		return i.UID == tenant.UID && i.Generation == tenant.Generation
	}) {
		return kube.ErrBehind
	}
	var failed []error
	remove := func(kind string, object client.Object) {
		uid, version := object.GetUID(), object.GetResourceVersion()
		err := r.Client.Delete(ctx, object, client.Preconditions{UID: &uid, ResourceVersion: &version})
		if client.IgnoreNotFound(err) != nil {
			failed = append(failed, fmt.Errorf("delete %s %s, which retention no longer keeps: %w", kind, object.GetName(), err))
			return
		}
		ctrl.LoggerFrom(ctx).Info("Retention deleted an object", "kind", kind, "name", object.GetName())
	}
	for _, completion := range planned.Expired {
		remove("completion", completion)
	}
	for _, grant := range planned.Over {
		remove("grant", grant)
	}
	return errors.Join(failed...)
}

// liveInstitutions reads the Institutions of a namespace. Workers that ask at the same time share an answer: many
// completions are due at once, each of another person.
func (r *Reconciler) liveInstitutions(ctx context.Context, namespace string) ([]v1alpha1.Institution, error) {
	read, err, _ := r.reading.Do(namespace, func() (any, error) {
		var institutions v1alpha1.InstitutionList
		err := r.Live.List(ctx, &institutions, client.InNamespace(namespace))
		return institutions.Items, err
	})
	if err != nil {
		return nil, err
	}
	return read.([]v1alpha1.Institution), nil
}

// next lets the person be planned again when retention asks for it.
func (r *Reconciler) next(result reconcile.Result, gathered *plan.Person, planned plan.Plan) reconcile.Result {
	if planned.Next.IsZero() {
		return result
	}
	wait := max(time.Second, planned.Next.Sub(gathered.Now))
	if result.RequeueAfter == 0 || wait < result.RequeueAfter {
		result.RequeueAfter = wait
	}
	return result
}
