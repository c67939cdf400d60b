// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package grant

import (
	"context"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/apifault"
	"github.com/lxp-dev/course-completion-operator/internal/apply"
	"github.com/lxp-dev/course-completion-operator/internal/condition"
	"github.com/lxp-dev/course-completion-operator/internal/kube"
	"github.com/lxp-dev/course-completion-operator/internal/lifecycle"
)

// outcome is what came of one look at a Grant.
type outcome struct {
	phase   v1alpha1.GrantPhase
	verdict condition.Verdict
	// after is when to look again; zero if a watch will tell.
	after time.Duration
}

// told turns an error into what is told of it, unless there is something to tell already: that a Grant waits, or that
// it is tried again, for which the error is returned. When to look again stays, if it is sooner.
func (r *Reconciler) told(grant *v1alpha1.Grant, result outcome, err error) (outcome, error) {
	if err == nil || result.phase != "" {
		return result, err
	}
	told, err := r.waiting(grant, err)
	told.after = kube.Sooner(told.after, result.after)
	return told, err
}

// pending tells of an attempt that failed and is repeated. What was forbidden is waited for, since people have to act;
// everything else is repeated with backoff.
func (r *Reconciler) pending(grant *v1alpha1.Grant, err error) (outcome, error) {
	told := outcome{lifecycle.PhaseOrPending(grant),
		condition.Verdict{Reconciling: true, Reason: v1alpha1.ReasonProgressingWithRetry, Message: apifault.Describe(err)}, 0}
	switch {
	case apifault.MayNotBind(err):
		told.verdict.Message += ": " + apply.MayNotBind
		fallthrough
	case apierrors.IsForbidden(err):
		told.verdict.Reason, told.after = v1alpha1.ReasonForbidden, r.lookAgain(grant)
		return told, nil
	case apierrors.IsInvalid(err):
		// Asking again at once changes nothing; but a policy of the cluster may change, or go.
		told.verdict.Reason, told.after = v1alpha1.ReasonRefused, r.lookAgain(grant)
		told.verdict.Reconciling, told.verdict.Stalled = false, true
		return told, nil
	}
	return told, err
}

// waiting tells apart what a Grant waits for and what is an error to repeat.
func (r *Reconciler) waiting(grant *v1alpha1.Grant, err error) (outcome, error) {
	if conflict, ok := errors.AsType[*apply.ConflictError](err); ok {
		return outcome{v1alpha1.GrantWaiting, condition.Verdict{Reconciling: true, Reason: v1alpha1.ReasonConflict,
			Message: conflict.Error()}, r.lookAgain(grant)}, nil
	}
	if going, ok := errors.AsType[*apply.TerminatingError](err); ok {
		return outcome{v1alpha1.GrantPending, condition.Verdict{Reconciling: true, Reason: v1alpha1.ReasonTerminating,
			Message: going.Error()}, r.lookAgain(grant)}, nil
	}
	if shared, ok := errors.AsType[*apply.SharedError](err); ok {
		return outcome{lifecycle.PhaseOrPending(grant), condition.Verdict{Reconciling: true,
			Reason:  v1alpha1.ReasonWaitingForGrant,
			Message: shared.Error()}, r.lookAgain(grant)}, nil
	}
	if full, ok := errors.AsType[*apply.FullError](err); ok {
		return outcome{lifecycle.PhaseOrPending(grant), condition.Verdict{Stalled: true, Reason: v1alpha1.ReasonRefused,
			Message: full.Error()}, r.lookAgain(grant)}, nil
	}
	if problem, ok := errors.AsType[*kube.InstitutionProblem](err); ok {
		return outcome{lifecycle.PhaseOrPending(grant), condition.Verdict{
			Reconciling: true, Reason: problem.Reason, Message: problem.Message}, r.lookAgain(grant)}, nil
	}
	if lacking, ok := errors.AsType[*apply.AccountError](err); ok {
		return r.lacking(grant, lacking), nil
	}
	return r.pending(grant, err)
}

// lacking tells of what only people can give: a ServiceAccount, or rights of it. It is looked for again with patience.
func (r *Reconciler) lacking(grant *v1alpha1.Grant, lacking *apply.AccountError) outcome {
	refused := lacking.Reason == v1alpha1.ReasonRefused
	return outcome{lifecycle.PhaseOrPending(grant), condition.Verdict{Reconciling: !refused, Stalled: refused,
		Reason: lacking.Reason, Message: lacking.Message}, r.lookAgain(grant)}
}

// lookAgain returns when to look again for what no watch tells of.
func (r *Reconciler) lookAgain(grant *v1alpha1.Grant) time.Duration {
	ready := meta.FindStatusCondition(grant.Status.Conditions, v1alpha1.ConditionReady)
	if ready == nil || ready.Status == metav1.ConditionTrue {
		return kube.MinWait
	}
	return kube.LookAgain(r.Clock.Since(ready.LastTransitionTime.Time), kube.MaxWait)
}

// until returns how long it is until a moment: a second at least, so that nothing is looked at in the very moment.
func (r *Reconciler) until(at time.Time) time.Duration {
	return max(time.Second, at.Sub(r.Clock.Now()))
}

// errOutdated means that a Grant was worked on as it no longer is. The cache catches up within moments.
var errOutdated = errors.New("the grant has changed in the meantime")

// recordAhead writes what has to be durable before its effect: a restart in between takes nothing that was not counted,
// and loses sight of nothing that was made. Of the change only the version comes back.
func (r *Reconciler) recordAhead(
	ctx context.Context, grant *v1alpha1.Grant, change func(*v1alpha1.Grant),
) error {
	written := grant.DeepCopy()
	change(written)
	patch := client.MergeFromWithOptions(grant.DeepCopy(), client.MergeFromWithOptimisticLock{})
	if err := r.Client.Status().Patch(ctx, written, patch, apply.FieldOwner); err != nil {
		return err
	}
	grant.ResourceVersion = written.ResourceVersion
	r.written.Note(grant)
	return nil
}

// conclude writes down what came of a look at a Grant.
func (r *Reconciler) conclude(
	ctx context.Context, grant, before *v1alpha1.Grant, result outcome, failed error,
) (reconcile.Result, error) {
	if errors.Is(failed, errOutdated) {
		return reconcile.Result{RequeueAfter: kube.StaleInterval}, nil
	}
	if errors.Is(failed, kube.ErrNotLookedAt) {
		// Nothing is known, and nothing told: the Institution's status will set the Grant off again.
		return reconcile.Result{}, nil
	}
	grant.Status.ObservedGeneration = grant.Generation
	grant.Status.Phase = result.phase
	kube.SetConditions(&grant.Status.Conditions, result.verdict, grant.Generation, r.Clock.Now())
	// What was recorded on the way has made a newer version, and is part of what is written now.
	before.ResourceVersion = grant.ResourceVersion
	changed, err := r.writeStatus(ctx, before, grant)
	if err != nil {
		r.checks.forget(client.ObjectKeyFromObject(grant))
		if apierrors.IsConflict(err) && failed == nil {
			return reconcile.Result{RequeueAfter: kube.StaleInterval}, nil
		}
		return reconcile.Result{}, errors.Join(failed, fmt.Errorf("write the status: %w", err))
	}
	if changed {
		r.written.Note(grant)
		r.tell(grant, before, result)
	}
	return reconcile.Result{RequeueAfter: result.after}, failed
}

// writeStatus writes the status of a Grant if it has changed. The inventory of templated objects is found nowhere else,
// so it is never written over on an outdated view of the Grant.
func (r *Reconciler) writeStatus(ctx context.Context, before, grant *v1alpha1.Grant) (bool, error) {
	if !hasObjects(before) && !hasObjects(grant) {
		return kube.PatchStatus(ctx, r.Client, before, grant)
	}
	return kube.PatchStatus(ctx, r.Client, before, grant, client.MergeFromWithOptimisticLock{})
}

// tell emits an event for a change that a person would ask about.
func (r *Reconciler) tell(grant, before *v1alpha1.Grant, result outcome) {
	r.tellOf(v1alpha1.ConditionRevocationsComplete, grant, before)
	was := meta.FindStatusCondition(before.Status.Conditions, v1alpha1.ConditionReady)
	same := was != nil && was.Reason == result.verdict.Reason && before.Status.Phase == result.phase
	// Something was revoked of what is in place, or given back.
	if same && (result.verdict.Reason != v1alpha1.ReasonActive || was.Message == result.verdict.Message) {
		return
	}
	kube.Emit(r.Recorder, grant, result.verdict, "Reconcile")
}

// tellOf emits an event where the reason of a condition other than Ready has changed.
func (r *Reconciler) tellOf(kind string, grant, before *v1alpha1.Grant) {
	is := meta.FindStatusCondition(grant.Status.Conditions, kind)
	was := meta.FindStatusCondition(before.Status.Conditions, kind)
	if is == nil || was != nil && was.Reason == is.Reason {
		return
	}
	kube.Emit(r.Recorder, grant, condition.Verdict{Reason: is.Reason, Message: is.Message}, "Revoke")
}
