// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/apply"
	"github.com/lxp-dev/course-completion-operator/internal/plan"
)

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
func (r *GrantReconciler) grantsThatWait(ctx context.Context, object client.Object) []reconcile.Request {
	now := r.Clock.Now()
	return r.requestsOf(ctx, func(grant *v1alpha1.Grant) bool { return plan.WaitsForBrake(grant, now) },
		client.InNamespace(object.GetNamespace()))
}

// admit asks the brake of the institution to let a revocation through, and writes down that it did ahead of the effect:
// a restart in between takes nothing that was not counted, and counts nothing twice. It reports false where the
// revocation has to wait; the Grant is looked at again when that changes.
func (r *GrantReconciler) admit(
	ctx context.Context, grant *v1alpha1.Grant, tenant *tenant, revocation plan.Revocation,
) (bool, error) {
	if plan.Admitted(grant, revocation) {
		return true, nil
	}
	answer, released, err := r.brakes.ask(ctx, tenant.Institution, grant, revocation)
	if err != nil || answer == plan.Paused {
		return false, err
	}
	admitted := grant.DeepCopy()
	plan.Admit(admitted, revocation, r.Clock.Now(), released)
	patch := client.MergeFromWithOptions(grant.DeepCopy(), client.MergeFromWithOptimisticLock{})
	err = r.Client.Status().Patch(ctx, admitted, patch, apply.FieldOwner)
	switch {
	case apierrors.IsConflict(err):
		r.brakes.unrecorded(tenant.Institution, grant, revocation)
		return false, errOutdated
	case apierrors.IsNotFound(err):
		r.brakes.takeBack(tenant.Institution, grant, revocation)
		return false, errOutdated
	}
	if err != nil {
		// It may have been written: it stays counted, and is written again.
		return false, err
	}
	grant.ResourceVersion, grant.Status.Admissions = admitted.ResourceVersion, admitted.Status.Admissions
	r.written.note(grant)
	return true, nil
}

// passed notes that nothing of a type waits for the brake in a Grant that was looked at.
func (r *GrantReconciler) passed(tenant *tenant, grant *v1alpha1.Grant, kind v1alpha1.RevocationType) {
	if tenant != nil {
		r.brakes.passed(tenant.Institution, grant.UID, kind)
	}
}

// hold keeps what the holder has of a Grant whose end waits for the brake, and corrects what drifts. What is recorded
// to have nothing gets nothing.
func (r *GrantReconciler) hold(ctx context.Context, grant *v1alpha1.Grant, tenant *tenant) (outcome, error) {
	ends := grant.Spec.AccessEndsAt.UTC().Format(time.RFC3339)
	verdict := paused("the end of access, " + ends + ", waits: " + errPaused.Error())
	if len(grant.Status.Inventory) == 0 && len(grant.Spec.Namespaces)+len(grant.Spec.Objects) > 0 {
		return outcome{phaseOrPending(grant), verdict, 0}, nil
	}
	kept, err := r.provision(ctx, grant, tenant)
	if err != nil {
		return kept, err
	}
	return outcome{kept.phase, verdict, kept.after}, nil
}

// errPaused means that the brake of the institution holds something back.
var errPaused = errors.New("more grants are to be revoked than the institution's budget; its condition " +
	v1alpha1.ConditionRevocationsPaused + " says how to let them go")

func paused(message string) plan.Verdict {
	return plan.Verdict{Reconciling: true, Reason: v1alpha1.ReasonRevocationPaused, Message: message}
}

// admitAbandoned puts to the brake what nobody ordered when a planned Grant was deleted that nobody plans again: its
// access goes with it. Where there is no institution there is no brake either, nor where nobody loses anything.
func (r *GrantReconciler) admitAbandoned(ctx context.Context, grant *v1alpha1.Grant, tenant *tenant) error {
	entitled := plan.EndOf(grant, r.Clock.Now()).Standing == plan.Entitled
	if tenant == nil || !entitled || !plan.HasAccess(grant) {
		return nil
	}
	deleted := grant.DeletionTimestamp.UTC()
	admitted, err := r.admit(ctx, grant, tenant, plan.Revocation{Type: v1alpha1.RevocationAccessEnd,
		Of: "deleted " + deleted.Format(time.RFC3339), Known: deleted})
	if err == nil && !admitted {
		return errPaused
	}
	return err
}

// beginToTake writes down that the taking away of namespaces begins, in the status that is about to be written. It does
// not begin for what is kept, nor for what somebody would lose while the brake holds that back: it returns what is to
// be told of those.
func (r *GrantReconciler) beginToTake(
	ctx context.Context, grant *v1alpha1.Grant, tenant *tenant,
) (takingAway, error) {
	beside, err := r.grantsBesideOf(ctx, grant, client.UnsafeDisableDeepCopy)
	if err != nil {
		return takingAway{}, err
	}
	var loses, kept []string
	var told takingAway
	for _, ns := range grant.Spec.Revokes.Namespaces {
		loss, away, err := r.loss(ctx, grant, beside, ns.Name)
		if err != nil {
			return takingAway{}, err
		}
		switch loss {
		case plan.Kept:
			kept = append(kept, ns.Name)
			told = worse(told, away)
		case plan.Loses:
			loses = append(loses, ns.Name)
		}
	}
	now := r.Clock.Now()
	if len(loses) > 0 {
		revocation := plan.TakesRevocation(grant, loses, now)
		admitted, err := r.admit(ctx, grant, tenant, revocation)
		if err != nil {
			return takingAway{}, err
		}
		if !admitted {
			grant.Status.RevocationsKnownAt = new(metav1.NewMicroTime(revocation.Known))
			grant.Status.Revocations = plan.TookBefore(grant, loses, kept, now)
			return takingAway{v1alpha1.ReasonRevocationPaused, "the taking away of namespace " +
				strings.Join(loses, ", ") + " waits: " + errPaused.Error(), told.after}, nil
		}
	}
	r.passed(tenant, grant, v1alpha1.RevocationNamespaces)
	grant.Status.Revocations, grant.Status.RevocationsKnownAt = plan.Took(grant, now, kept...), nil
	return told, nil
}

// loss looks what becomes of a namespace once taking it away begins, and what is to be told of one that is kept. What
// has begun is looked at by the cache alone before it is due.
func (r *GrantReconciler) loss(
	ctx context.Context, grant *v1alpha1.Grant, beside []v1alpha1.Grant, name string,
) (plan.Loss, takingAway, error) {
	now := r.Clock.Now()
	loss, keeper := plan.LossOf(grant, beside, name, now)
	if loss == plan.Kept {
		return loss, keptBy(keeper, name, now), nil
	}
	if plan.Begun(grant, name) {
		return plan.LosesNothing, takingAway{}, nil
	}
	namespace := &metav1.PartialObjectMetadata{}
	namespace.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Namespace"))
	err := r.Live.Get(ctx, client.ObjectKey{Name: name}, namespace)
	if apierrors.IsNotFound(err) {
		return loss, takingAway{}, nil
	}
	if err != nil {
		return loss, takingAway{}, fmt.Errorf("look at namespace %s: %w", name, err)
	}
	if why, err := r.untouchable(ctx, grant, namespace); err != nil || why != "" {
		return plan.Kept, refuse(name, why), err
	}
	if !namespace.DeletionTimestamp.IsZero() {
		return loss, takingAway{}, nil
	}
	begun := plan.AsIfBegun(grant, name, now)
	claim, err := r.claim(ctx, begun, namespace, begun.Status.Revocations[0])
	switch {
	case err != nil || claim.kept.reason != "":
		return plan.Kept, claim.kept, err
	case claim.from == nil && plan.TookOlder(grant, name, namespace.CreationTimestamp.Time):
		return plan.LosesNothing, takingAway{}, nil
	case claim.from != nil:
		if taking, _ := plan.NamespaceTaken(claim.from, grant, name, now); taking != nil {
			return plan.LosesNothing, takingAway{}, nil
		}
	}
	return plan.Loses, takingAway{}, nil
}

// admitForward puts to the brake that deliveries brought the end of a Grant forward, at once and not when it falls due.
// It reports whether that waits.
func (r *GrantReconciler) admitForward(
	ctx context.Context, grant *v1alpha1.Grant, tenant *tenant,
) (bool, error) {
	if tenant != nil && plan.ForwardWaits(grant) {
		admitted, err := r.admit(ctx, grant, tenant, plan.ForwardRevocation(grant))
		if err != nil || !admitted {
			return true, err
		}
	}
	r.passed(tenant, grant, v1alpha1.RevocationEndForward)
	return false, nil
}

// holdAccess puts to the brake what a change of a planned Grant would take from subjects that have access. Where it is
// held, their RoleBindings stay as they are.
func (r *GrantReconciler) holdAccess(
	ctx context.Context, grant *v1alpha1.Grant, tenant *tenant, applier *apply.Applier,
) error {
	if grant.Planned() {
		losing, err := applier.Losing(ctx, grant, grant.Status.AccessChangeDigest != "")
		if err != nil {
			return err
		}
		if len(losing) > 0 {
			change, err := plan.AccessChangeOf(grant, r.Clock.Now())
			if err != nil {
				return err
			}
			admitted, err := r.admit(ctx, grant, tenant, change.Revocation())
			if err != nil {
				return err
			}
			if !admitted {
				change.Record(&grant.Status)
				applier.Held = losing
				return nil
			}
		}
	}
	r.passed(tenant, grant, v1alpha1.RevocationAccessChange)
	plan.AccessChange{}.Record(&grant.Status)
	return nil
}
