// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/apply"
	"github.com/lxp-dev/course-completion-operator/internal/plan"
)

// awaitApproval gives nothing. Where an approval was taken back, access goes, and data stays.
func (r *GrantReconciler) awaitApproval(ctx context.Context, grant *v1alpha1.Grant) (outcome, error) {
	if _, err := r.endAccess(ctx, grant); err != nil {
		return r.waiting(grant, err)
	}
	return outcome{v1alpha1.GrantAwaitingApproval, plan.Verdict{Reconciling: true,
		Reason:  v1alpha1.ReasonAwaitingApproval,
		Message: "approve it by setting spec.override: {approved: true, reason: ...}"}, 0}, nil
}

// revoke takes access and seats, and after the grace days the data.
func (r *GrantReconciler) revoke(
	ctx context.Context, grant *v1alpha1.Grant, tenant *tenant, end plan.End,
) (outcome, error) {
	phase, reason := v1alpha1.GrantEnded, v1alpha1.ReasonAccessEnded
	if end.Revoked {
		phase, reason = v1alpha1.GrantRevoked, v1alpha1.ReasonRevoked
	}
	left, err := r.endAccess(ctx, grant)
	if err != nil {
		return r.waiting(grant, err)
	}
	if left > 0 {
		return outcome{phase, plan.Verdict{Reconciling: true, Reason: v1alpha1.ReasonTerminating,
			Message: fmt.Sprintf("%d seats are being freed", left)}, r.patience(grant)}, nil
	}
	if grant.Status.AccessEndedAt == nil {
		grant.Status.AccessEndedAt = new(metav1.NewTime(r.Clock.Now().UTC().Truncate(time.Second)))
		// The grace days count from now, if they did not before.
		end = plan.EndOf(grant, r.Clock.Now())
	}
	if len(grant.Status.Inventory) > 0 && end.Standing != plan.DataOver {
		return outcome{phase, plan.Verdict{Ready: true, Reason: reason,
			Message: "access has been taken away; data stays until " + end.Next.UTC().Format(time.RFC3339)},
			max(time.Second, end.Next.Sub(r.Clock.Now()))}, nil
	}
	if grant.Spec.OnRevoke != v1alpha1.RemovalRetain {
		return r.endData(ctx, grant, tenant, phase)
	}
	return over(phase, "access has been taken away; namespaces and objects are left to people (onRevoke: Retain)"), nil
}

func over(phase v1alpha1.GrantPhase, message string) outcome {
	reason := v1alpha1.ReasonEnded
	if phase == v1alpha1.GrantRevoked {
		reason = v1alpha1.ReasonRevoked
	}
	return outcome{phase, plan.Verdict{Ready: true, Reason: reason, Message: message}, 0}
}

// endAccess takes away access at once, and returns how many seats are still to be freed by their pools.
func (r *GrantReconciler) endAccess(ctx context.Context, grant *v1alpha1.Grant) (int, error) {
	r.checks.forget(client.ObjectKeyFromObject(grant))
	applier, err := r.applier(ctx, grant)
	if err != nil {
		return 0, err
	}
	inventory, err := applier.EndAccess(ctx, grant)
	grant.Status.Inventory = inventory
	if err != nil {
		return 0, err
	}
	held, err := r.held(ctx, grant)
	if err != nil {
		return 0, err
	}
	if len(held) == 0 {
		grant.Status.Seats = nil
	}
	return len(held), nil
}

func (r *GrantReconciler) endData(
	ctx context.Context, grant *v1alpha1.Grant, tenant *tenant, phase v1alpha1.GrantPhase,
) (outcome, error) {
	if len(grant.Status.Inventory) == 0 {
		return r.gone(ctx, grant, phase)
	}
	if phase != v1alpha1.GrantRevoked && grant.Planned() {
		doubt, err := r.doubt(ctx, grant, tenant)
		if err != nil {
			return r.pending(grant, err)
		}
		if doubt != "" {
			return outcome{phase, plan.Verdict{Reconciling: true, Reason: v1alpha1.ReasonAccessEnded,
				Message: "access has been taken away; data stays: " + doubt}, r.patience(grant)}, nil
		}
	}
	applier, err := r.applier(ctx, grant)
	if err != nil {
		return r.pending(grant, err)
	}
	inventory, err := applier.EndData(ctx, grant)
	grant.Status.Inventory = inventory
	if err != nil {
		result, err := r.waiting(grant, err)
		result.phase = phase
		return result, err
	}
	if left := applier.Left(inventory); left != nil {
		result, err := r.waiting(grant, left)
		result.phase = phase
		return result, err
	}
	if len(inventory) > 0 {
		return outcome{phase, plan.Verdict{Reconciling: true, Reason: v1alpha1.ReasonTerminating,
			Message: fmt.Sprintf("%d objects are being deleted, %s %s among them", len(inventory), inventory[0].Kind,
				inventory[0].Name)}, r.patience(grant)}, nil
	}
	return r.gone(ctx, grant, phase)
}

// gone is the end of a Grant of which nothing is left.
func (r *GrantReconciler) gone(ctx context.Context, grant *v1alpha1.Grant, phase v1alpha1.GrantPhase) (outcome, error) {
	beside, err := r.grantsBesideOf(ctx, grant, client.UnsafeDisableDeepCopy)
	if err != nil {
		return r.pending(grant, err)
	}
	message := "everything that was provisioned has gone"
	entitled := func(s plan.Sharer) bool { return s.Entitled }
	if slices.ContainsFunc(plan.SharersOf(grant, beside, r.Clock.Now()), entitled) {
		message += ", except for what other grants of the user share"
	}
	return over(phase, message), nil
}

// doubt looks at everything that may bring a planned Grant back, live, right before its data is deleted. It returns
// why the end that the Grant records may no longer hold; empty if it does. Whether the person was planned is asked
// first, and what was planned is read afterwards: the other way round, a plan that is written in between is missed.
func (r *GrantReconciler) doubt(ctx context.Context, grant *v1alpha1.Grant, tenant *tenant) (string, error) {
	if doubt, err := r.awaitsPlan(ctx, grant, tenant); err != nil || doubt != "" {
		return doubt, err
	}
	var now v1alpha1.Grant
	if err := r.Live.Get(ctx, client.ObjectKeyFromObject(grant), &now); err != nil {
		return "", fmt.Errorf("look at the grant: %w", err)
	}
	if now.UID != grant.UID || now.Generation != grant.Generation {
		return "the grant has changed", nil
	}
	return r.sharersChanged(ctx, grant)
}

// awaitsPlan returns what the planner has yet to look at before the end that a Grant records counts; empty if there is
// nothing.
func (r *GrantReconciler) awaitsPlan(ctx context.Context, grant *v1alpha1.Grant, tenant *tenant) (string, error) {
	policy := &v1alpha1.CompletionPolicy{}
	err := r.Client.Get(ctx, client.ObjectKey{Namespace: grant.Namespace, Name: string(grant.Spec.Policy)}, policy)
	if apierrors.IsNotFound(err) {
		policy = nil
	} else if err != nil {
		return "", fmt.Errorf("look at the policy: %w", err)
	}
	if !r.plans.current(client.ObjectKeyFromObject(grant), basisOf(tenant.Institution, policy)) {
		return "the person is about to be planned", nil
	}
	var completions v1alpha1.CourseCompletionList
	err = r.Live.List(ctx, &completions, client.InNamespace(grant.Namespace), client.MatchingFields{
		"spec.institution.id": grant.Spec.Holder.InstitutionID.String(),
		"spec.user.id":        grant.Spec.Holder.UserID.String(),
	})
	if err != nil {
		return "", fmt.Errorf("look at the completions: %w", err)
	}
	withdrawn := plan.TakesBecauseOf(grant)
	for i := range completions.Items {
		completion := &completions.Items[i]
		if completion.Status.ObservedGeneration != completion.Generation {
			return "completion " + completion.Name + " is about to be planned", nil
		}
		if completion.Name == withdrawn {
			withdrawn = ""
		}
	}
	if withdrawn != "" {
		return "the withdrawal of completion " + withdrawn + " is about to be planned", nil
	}
	return "", nil
}

// release lets go of a Grant that is being deleted. Deleting a planned Grant is no order to take anything: the planner
// makes it again, and it finds its objects; where nobody would make it again, access goes, which nobody could take
// otherwise, and data is left to people. Nor is the deletion of its namespace an order. Deleting a Grant that a person
// made revokes it.
func (r *GrantReconciler) release(ctx context.Context, grant *v1alpha1.Grant) (reconcile.Result, error) {
	if !controllerutil.ContainsFinalizer(grant, v1alpha1.FinalizerGrant) {
		return reconcile.Result{}, nil
	}
	going, err := terminating(ctx, r.Live, grant.Namespace)
	if err == nil && !going {
		going, err = undefined(ctx, r.Live, grantsCRD)
	}
	if err != nil {
		return reconcile.Result{}, err
	}
	before := grant.DeepCopy()
	switch {
	case going:
		r.Recorder.Eventf(grant, nil, corev1.EventTypeNormal, "Detached", "Release",
			"the namespace or the kind of the grant is being deleted; what the grant provisioned stays")
	case grant.Planned():
		if err := r.abandon(ctx, grant); err != nil {
			return r.heldUp(ctx, grant, before, err)
		}
	default:
		gone, err := r.revokeForGood(ctx, grant)
		if err != nil {
			return r.heldUp(ctx, grant, before, err)
		}
		if !gone {
			return reconcile.Result{RequeueAfter: minWait}, nil
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

// heldUp says what a Grant that is being deleted waits for.
func (r *GrantReconciler) heldUp(
	ctx context.Context, grant, before *v1alpha1.Grant, failed error,
) (reconcile.Result, error) {
	result, err := r.waiting(grant, failed)
	return r.conclude(ctx, grant, before, result, err)
}

// revokeForGood takes away everything that a Grant provisioned, without grace days, and reports whether it has gone.
func (r *GrantReconciler) revokeForGood(ctx context.Context, grant *v1alpha1.Grant) (bool, error) {
	seats, err := r.endAccess(ctx, grant)
	if err != nil || seats > 0 {
		return false, err
	}
	if grant.Spec.OnRevoke == v1alpha1.RemovalRetain {
		return true, nil
	}
	applier, err := r.applier(ctx, grant)
	if err != nil {
		return false, err
	}
	inventory, err := applier.EndData(ctx, grant)
	grant.Status.Inventory = inventory
	return len(inventory) == 0, err
}

// abandon takes the access of a planned Grant that will not be planned again.
func (r *GrantReconciler) abandon(ctx context.Context, grant *v1alpha1.Grant) error {
	tenant, err := r.letsTake(ctx, grant)
	if err != nil {
		return err
	}
	again, err := r.plannedAgain(ctx, grant)
	if err != nil || again {
		return err
	}
	if err := r.admitAbandoned(ctx, grant, tenant); err != nil {
		return err
	}
	applier, err := r.applier(ctx, grant)
	if err != nil {
		return err
	}
	left, err := applier.EndAccess(ctx, grant)
	if err != nil {
		return fmt.Errorf("take the access of a grant that nobody plans again: %w", err)
	}
	if shared := applier.AwaitedBy(left); shared != nil {
		return shared
	}
	if len(left) > 0 {
		r.Recorder.Eventf(grant, nil, corev1.EventTypeWarning, "Abandoned", "Release",
			"the grant was deleted and will not be planned again: access has been taken away, %d objects are left to people",
			len(left))
	}
	return nil
}

// letsTake returns the institution of a planned Grant that is being deleted, nil where there is none, or, as an
// institutionProblem, why neither its access may be taken now nor the Grant be let go of: nobody would make it again
// for as long as that lasts, and its seat would go to somebody else.
func (r *GrantReconciler) letsTake(ctx context.Context, grant *v1alpha1.Grant) (*tenant, error) {
	tenant, err := institutionOf(ctx, r.Client, grant.Namespace, grant.Spec.Holder.InstitutionID)
	problem, ok := errors.AsType[*institutionProblem](err)
	switch {
	case err != nil && !ok:
		return nil, err
	case !ok && tenant.suspended() && plan.HasAccess(grant):
		return nil, &institutionProblem{v1alpha1.ReasonSuspended,
			"the grant is being deleted; the institution is suspended: nothing is given and nothing is taken"}
	case !ok:
		return tenant, nil
	case problem.reason == v1alpha1.ReasonInstitutionMissing || !plan.HasAccess(grant):
		return nil, nil
	case plan.EndOf(grant, r.Clock.Now()).Revoked:
		return nil, nil
	}
	return nil, problem
}

// plannedAgain reports whether the planner makes a Grant again that is being deleted: its policy is there and works,
// and one of its completions still entitles. While the policy is suspended that is not known, and an institutionProblem
// says so where something would be lost.
func (r *GrantReconciler) plannedAgain(ctx context.Context, grant *v1alpha1.Grant) (bool, error) {
	policy, err := livePolicy(ctx, r.Live, grant.Namespace, string(grant.Spec.Policy))
	if err != nil || policy == nil {
		return false, err
	}
	if suspended := policy.Spec.Suspend != nil && *policy.Spec.Suspend; suspended && plan.HasAccess(grant) {
		return false, &institutionProblem{v1alpha1.ReasonSuspended, fmt.Sprintf(
			"the grant is being deleted; policy %s is suspended: nothing is given and nothing is taken", policy.Name)}
	} else if suspended || !meta.IsStatusConditionTrue(policy.Status.Conditions, v1alpha1.ConditionReady) {
		return false, nil
	}
	var failed error
	entitles := plan.Entitles(grant, r.Clock.Now(), func(cause *v1alpha1.GrantCause) bool {
		key := client.ObjectKey{Namespace: grant.Namespace, Name: string(cause.Completion)}
		err := r.Client.Get(ctx, key, &v1alpha1.CourseCompletion{})
		failed = errors.Join(failed, client.IgnoreNotFound(err))
		return err == nil
	})
	return entitles && failed == nil, failed
}

// livePolicy returns a policy, nil if there is none. It is read live, since a policy is often deleted together with its
// Grants; by a list, which needs no other right.
func livePolicy(
	ctx context.Context, live client.Reader, namespace, name string,
) (*v1alpha1.CompletionPolicy, error) {
	var policies v1alpha1.CompletionPolicyList
	err := live.List(ctx, &policies, client.InNamespace(namespace), client.MatchingFields{"metadata.name": name})
	if err != nil {
		return nil, fmt.Errorf("look at the policy: %w", err)
	}
	if len(policies.Items) == 0 {
		return nil, nil
	}
	return &policies.Items[0], nil
}
