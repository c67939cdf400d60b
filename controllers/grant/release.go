// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package grant

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/apply"
	"github.com/lxp-dev/course-completion-operator/internal/condition"
	"github.com/lxp-dev/course-completion-operator/internal/kube"
	"github.com/lxp-dev/course-completion-operator/internal/lifecycle"
	"github.com/lxp-dev/course-completion-operator/internal/plan"
)

// release lets go of a Grant that is being deleted, and before that takes what nobody could take afterwards.
func (r *Reconciler) release(ctx context.Context, grant *v1alpha1.Grant) (reconcile.Result, error) {
	if !controllerutil.ContainsFinalizer(grant, v1alpha1.FinalizerGrant) {
		return reconcile.Result{}, nil
	}
	going, err := kube.Terminating(ctx, r.Live, grant.Namespace)
	if err == nil && !going {
		going, err = kube.Undefined(ctx, r.Live, kube.GrantsCRD)
	}
	if err != nil {
		return reconcile.Result{}, err
	}
	l, err := r.gather(ctx, grant)
	if err != nil {
		return reconcile.Result{}, err
	}
	decision, err := r.decideRelease(ctx, l, going)
	if err != nil {
		return r.tell(ctx, l, outcome{}, err)
	}
	switch decision.Release {
	case lifecycle.ReleaseWaits:
		return r.tell(ctx, l, outcome{poll: true, verdict: condition.Verdict{
			Reconciling: true, Reason: decision.Reason, Message: decision.Message}}, nil)
	case lifecycle.Detach:
		r.Recorder.Eventf(grant, nil, corev1.EventTypeNormal, "Detached", "Release",
			"the namespace or the CRD of the grant is being deleted; everything it provisioned stays")
	case lifecycle.Abandon:
		if err := r.abandon(ctx, l); err != nil {
			return r.tell(ctx, l, outcome{}, err)
		}
	case lifecycle.RevokeForGood:
		gone, err := r.revokeForGood(ctx, l)
		if err != nil {
			return r.tell(ctx, l, outcome{}, err)
		}
		if !gone {
			return reconcile.Result{RequeueAfter: kube.MinWait}, nil
		}
	}
	read := grant.DeepCopy()
	controllerutil.RemoveFinalizer(grant, v1alpha1.FinalizerGrant)
	patch := client.MergeFromWithOptions(read, client.MergeFromWithOptimisticLock{})
	if err := r.Client.Patch(ctx, grant, patch, apply.FieldOwner); client.IgnoreNotFound(err) != nil {
		return reconcile.Result{}, fmt.Errorf("remove the finalizer: %w", err)
	}
	return reconcile.Result{}, nil
}

// decideRelease decides how a Grant is let go of, and asks the brake where that is needed.
func (r *Reconciler) decideRelease(ctx context.Context, l *look, going bool) (lifecycle.ReleaseDecision, error) {
	grant := l.Grant
	facts := lifecycle.ReleaseFacts{Grant: grant, NamespaceGoing: going, Institution: l.Institution, Now: l.Now}
	if !going && grant.Planned() {
		var err error
		if facts.Policy, err = kube.LivePolicy(ctx, r.Live, grant.Namespace, string(grant.Spec.Policy)); err != nil {
			return lifecycle.ReleaseDecision{}, err
		}
		if facts.Completions, err = r.completionsOf(ctx, grant); err != nil {
			return lifecycle.ReleaseDecision{}, err
		}
		facts.Entitles = func(counts func(*v1alpha1.GrantCause) bool) bool {
			return plan.Entitles(grant, facts.Now, counts)
		}
	}
	for {
		decision := lifecycle.DecideRelease(facts)
		if decision.Release != lifecycle.ReleaseAsksBrake {
			return decision, nil
		}
		admitted, err := r.admit(ctx, l, decision.Revocation)
		if err != nil {
			return decision, err
		}
		facts.Admitted = &admitted
	}
}

// completionsOf returns which of the completions that a Grant comes from are there.
func (r *Reconciler) completionsOf(
	ctx context.Context, grant *v1alpha1.Grant,
) (map[v1alpha1.LocalName]bool, error) {
	there := map[v1alpha1.LocalName]bool{}
	for i := range grant.Spec.Causes {
		name := grant.Spec.Causes[i].Completion
		err := r.Client.Get(ctx, client.ObjectKey{Namespace: grant.Namespace, Name: string(name)},
			&v1alpha1.CourseCompletion{})
		if client.IgnoreNotFound(err) != nil {
			return nil, fmt.Errorf("get completion %s: %w", name, err)
		}
		there[name] = err == nil
	}
	return there, nil
}

// revokeForGood revokes everything that a Grant provisioned, without grace days, and reports whether it has gone.
func (r *Reconciler) revokeForGood(ctx context.Context, l *look) (bool, error) {
	seats, err := r.endAccess(ctx, l)
	if err != nil || seats > 0 {
		return false, err
	}
	if l.Grant.Spec.OnRevoke == v1alpha1.RemovalRetain {
		return true, nil
	}
	err = r.endData(ctx, l.Grant)
	return len(l.Grant.Status.Inventory) == 0, err
}

// abandon takes the access of a planned Grant that will not be planned again.
func (r *Reconciler) abandon(ctx context.Context, l *look) error {
	left, err := l.applier.EndAccess(ctx, l.Grant)
	if err != nil {
		return fmt.Errorf("revoke access: %w", err)
	}
	if shared := l.applier.AwaitedBy(left); shared != nil {
		return shared
	}
	if len(left) > 0 {
		r.Recorder.Eventf(l.Grant, nil, corev1.EventTypeWarning, "Abandoned", "Release",
			"the grant was deleted and will not be planned again: access was revoked, %d remaining objects are no longer "+
				"managed",
			len(left))
	}
	return nil
}
