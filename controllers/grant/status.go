// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package grant

import (
	"cmp"
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
	// phase is empty where the Grant stays in the one that it is in.
	phase   v1alpha1.GrantPhase
	verdict condition.Verdict
	// paused is told rather than the verdict, unless something has to be repeated: that the brake holds something back
	// matters more.
	paused condition.Verdict
	// after is when to look again; zero if a watch will tell.
	after time.Duration
	// poll reports that nothing will tell when what is waited for has come.
	poll bool
}

// told adds to an outcome what is told of an error, unless there is something to tell already. It returns the error if
// that has to be repeated; what a Grant waits for, and what people have to act upon, is looked for again with patience.
func told(result outcome, err error) (outcome, error) {
	if err == nil {
		return result, nil
	}
	of, waits := waiting(err)
	if result.verdict.Reason == "" {
		result.verdict, result.poll = of.verdict, of.poll
		result.phase = cmp.Or(result.phase, of.phase)
	}
	if waits {
		return result, nil
	}
	return result, err
}

// waiting returns what is told of an error, and whether it is something to wait for rather than to repeat.
func waiting(err error) (outcome, bool) {
	waits := func(phase v1alpha1.GrantPhase, verdict condition.Verdict) (outcome, bool) {
		return outcome{phase: phase, poll: true, verdict: verdict}, true
	}
	if conflict, ok := errors.AsType[*apply.ConflictError](err); ok {
		return waits(v1alpha1.GrantWaiting, condition.Verdict{
			Reconciling: true, Reason: v1alpha1.ReasonConflict, Message: conflict.Error()})
	}
	if going, ok := errors.AsType[*apply.TerminatingError](err); ok {
		return waits(v1alpha1.GrantPending, condition.Verdict{
			Reconciling: true, Reason: v1alpha1.ReasonTerminating, Message: going.Error()})
	}
	if shared, ok := errors.AsType[*apply.SharedError](err); ok {
		return waits("", condition.Verdict{
			Reconciling: true, Reason: v1alpha1.ReasonWaitingForGrant, Message: shared.Error()})
	}
	if full, ok := errors.AsType[*apply.FullError](err); ok {
		return waits("", condition.Verdict{Stalled: true, Reason: v1alpha1.ReasonRefused, Message: full.Error()})
	}
	// Only people can give a ServiceAccount, or rights of it.
	if lacking, ok := errors.AsType[*apply.AccountError](err); ok {
		refused := lacking.Reason == v1alpha1.ReasonRefused
		return waits("", condition.Verdict{
			Reconciling: !refused, Stalled: refused, Reason: lacking.Reason, Message: lacking.Message})
	}
	message := apifault.Describe(err)
	switch {
	case apifault.MayNotBind(err):
		return waits("", condition.Verdict{
			Reconciling: true, Reason: v1alpha1.ReasonForbidden, Message: message + ": " + apply.MayNotBind})
	case apierrors.IsForbidden(err):
		return waits("", condition.Verdict{Reconciling: true, Reason: v1alpha1.ReasonForbidden, Message: message})
	case apierrors.IsInvalid(err):
		// Asking again at once changes nothing; but a policy of the cluster may change, or go.
		return waits("", condition.Verdict{Stalled: true, Reason: v1alpha1.ReasonRefused, Message: message})
	}
	return outcome{verdict: condition.Verdict{
		Reconciling: true, Reason: v1alpha1.ReasonProgressingWithRetry, Message: message}}, false
}

// lookAgain returns when to look again for what no watch tells of.
func (r *Reconciler) lookAgain(grant *v1alpha1.Grant) time.Duration {
	ready := meta.FindStatusCondition(grant.Status.Conditions, v1alpha1.ConditionReady)
	if ready == nil || ready.Status == metav1.ConditionTrue {
		return kube.MinWait
	}
	return kube.LookAgain(r.Clock.Since(ready.LastTransitionTime.Time), kube.MaxWait)
}

// until returns how long it is until a moment: a second at least, so that nothing is looked at in the very moment; zero
// where there is none.
func (r *Reconciler) until(at time.Time) time.Duration {
	if at.IsZero() {
		return 0
	}
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

// tell writes down what came of a look at a Grant, and emits an event where that has changed.
func (r *Reconciler) tell(ctx context.Context, l *look, result outcome, err error) (reconcile.Result, error) {
	result, err = told(result, err)
	if err == nil && result.paused.Reason != "" {
		result.verdict = result.paused
	}
	failed := errors.Join(err, l.failed)
	if errors.Is(failed, errOutdated) {
		return reconcile.Result{RequeueAfter: kube.StaleInterval}, nil
	}
	if errors.Is(failed, kube.ErrNotLookedAt) {
		// Nothing is known, and nothing told: the Institution's status will set the Grant off again.
		return reconcile.Result{}, nil
	}
	grant := l.Grant
	after := kube.Sooner(result.after, l.after)
	if result.poll {
		after = kube.Sooner(after, r.lookAgain(grant))
	}
	grant.Status.ObservedGeneration = grant.Generation
	grant.Status.Phase = cmp.Or(result.phase, lifecycle.PhaseOrPending(grant))
	kube.SetConditions(&grant.Status.Conditions, result.verdict, grant.Generation, r.Clock.Now())
	// What was recorded on the way has made a newer version, and is part of what is written now.
	l.before.ResourceVersion = grant.ResourceVersion
	changed, err := r.writeStatus(ctx, l.before, grant)
	if err != nil {
		r.checks.forget(client.ObjectKeyFromObject(grant))
		if apierrors.IsConflict(err) && failed == nil {
			return reconcile.Result{RequeueAfter: kube.StaleInterval}, nil
		}
		return reconcile.Result{}, errors.Join(failed, fmt.Errorf("write the status: %w", err))
	}
	if changed {
		r.written.Note(grant)
		r.emit(grant, l.before, result.verdict)
	}
	return reconcile.Result{RequeueAfter: after}, failed
}

// writeStatus writes the status of a Grant if it has changed. The inventory of templated objects is found nowhere else,
// so it is never written over on an outdated view of the Grant.
func (r *Reconciler) writeStatus(ctx context.Context, before, grant *v1alpha1.Grant) (bool, error) {
	if !hasObjects(before) && !hasObjects(grant) {
		return kube.PatchStatus(ctx, r.Client, before, grant)
	}
	return kube.PatchStatus(ctx, r.Client, before, grant, client.MergeFromWithOptimisticLock{})
}

// emit emits an event for a change that a person would ask about. A Grant that is Active at its first status is none:
// its conditions tell the same, and an event is one more write for each graduate.
func (r *Reconciler) emit(grant, before *v1alpha1.Grant, verdict condition.Verdict) {
	revoked := meta.FindStatusCondition(grant.Status.Conditions, v1alpha1.ConditionRevocationsComplete)
	had := meta.FindStatusCondition(before.Status.Conditions, v1alpha1.ConditionRevocationsComplete)
	if revoked != nil && (had == nil || had.Reason != revoked.Reason) {
		kube.Emit(r.Recorder, grant, condition.Verdict{Reason: revoked.Reason, Message: revoked.Message}, "Revoke")
	}
	was := meta.FindStatusCondition(before.Status.Conditions, v1alpha1.ConditionReady)
	if was == nil && verdict.Ready {
		return
	}
	same := was != nil && was.Reason == verdict.Reason && before.Status.Phase == grant.Status.Phase
	// Something was revoked of what is in place, or given back.
	if same && (verdict.Reason != v1alpha1.ReasonActive || was.Message == verdict.Message) {
		return
	}
	kube.Emit(r.Recorder, grant, verdict, "Reconcile")
}
