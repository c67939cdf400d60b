// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package planner

import (
	"context"
	"errors"
	"fmt"
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
	// Many completions are due at once, each of another person.
	current, err := r.kept.Read(ctx, tenant.UID, func(ctx context.Context) (*v1alpha1.Institution, error) {
		return kube.LiveInstitution(ctx, r.Live, tenant.Institution)
	})
	if err != nil {
		return fmt.Errorf("get the retention of completions: %w", err)
	}
	if current == nil || current.Generation != tenant.Generation {
		return kube.ErrBehind
	}
	var failed []error
	remove := func(kind string, object client.Object) {
		uid, version := object.GetUID(), object.GetResourceVersion()
		err := r.Client.Delete(ctx, object, client.Preconditions{UID: &uid, ResourceVersion: &version})
		if client.IgnoreNotFound(err) != nil {
			failed = append(failed, fmt.Errorf("delete expired %s %s: %w", kind, object.GetName(), err))
			return
		}
		ctrl.LoggerFrom(ctx).Info("Deleted expired object", "kind", kind, "name", object.GetName())
	}
	for _, completion := range planned.Expired {
		remove("completion", completion)
	}
	for _, grant := range planned.Over {
		remove("grant", grant)
	}
	return errors.Join(failed...)
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
