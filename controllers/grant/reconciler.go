// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package grant is the loop of Grants: it puts what a Grant says into the cluster, takes it out again, and deletes what
// a completion revokes. It reads in this order: reconciler.go gathers (gather.go), has package lifecycle decide, acts
// (provision.go, end.go, revoke.go; release.go for a Grant that is being deleted), and tells what came of it
// (status.go).
package grant

import (
	"context"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/apply"
	"github.com/lxp-dev/course-completion-operator/internal/budget"
	"github.com/lxp-dev/course-completion-operator/internal/installation"
	"github.com/lxp-dev/course-completion-operator/internal/kube"
	"github.com/lxp-dev/course-completion-operator/internal/lifecycle"
	"github.com/lxp-dev/course-completion-operator/internal/memory"
	"github.com/lxp-dev/course-completion-operator/internal/policies"
)

// Reconciler puts a Grant into effect and takes it out of effect. It decides nothing: what the holder is to have
// is in the Grant, and what is to become of that, and of what it revokes, is for package lifecycle.
type Reconciler struct {
	Client   client.Client
	Live     client.Reader
	Limits   policies.Limits
	Recorder events.EventRecorder
	Clock    clock.PassiveClock
	Accounts *apply.Accounts
	Label    *apply.OwnerLabel
	// Namespaces is what the installation puts into every granted namespace.
	Namespaces installation.Namespaces

	Plans  *memory.Plans
	Counts *memory.NamespaceCounts
	Brakes *budget.Brakes
	// Witness and Patience tell what was restored from a backup, and how long the rest of it is waited for.
	Witness  *memory.Witness
	Patience memory.Patience

	ownMemory
}

// Reconcile brings the cluster to where the Grant stands, and writes down what is there.
func (r *Reconciler) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	grant := &v1alpha1.Grant{}
	if err := r.Client.Get(ctx, req.NamespacedName, grant); err != nil {
		if apierrors.IsNotFound(err) {
			r.forget(req.NamespacedName)
		}
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	if r.written.Behind(grant) {
		return reconcile.Result{RequeueAfter: kube.StaleInterval}, nil
	}
	if !grant.DeletionTimestamp.IsZero() {
		return r.release(ctx, grant)
	}
	foreign := r.Witness.Foreign(grant)
	if err := r.adopt(ctx, grant); err != nil {
		return reconcile.Result{}, err
	}
	l, err := r.gather(ctx, grant)
	if err != nil {
		return reconcile.Result{}, err
	}
	l.aside(r.restored(ctx, l, foreign))
	if l.Institution.Usable() {
		l.aside(r.revokeNamespaces(ctx, l))
	}
	var result outcome
	decision, err := r.decide(ctx, l)
	if err == nil {
		result, err = r.act(ctx, l, decision)
	}
	return r.tell(ctx, l, result, err)
}

// decide decides what is to become of the Grant, and asks the brake where that is needed. It is asked once about each
// type of revocation.
func (r *Reconciler) decide(ctx context.Context, l *look) (lifecycle.Decision, error) {
	for {
		decision := lifecycle.Decide(l.Facts)
		for _, kind := range decision.Passed {
			r.passed(l, kind)
		}
		if decision.Action != lifecycle.AskBrake {
			return decision, nil
		}
		admitted, err := r.admit(ctx, l, decision.Revocation)
		if err != nil {
			return decision, err
		}
		l.Admitted[decision.Revocation.Type] = admitted
	}
}

// admit asks the brake of the institution to let a revocation through, and writes down that it did ahead of the effect:
// a restart in between takes nothing that was not counted, and counts nothing twice. It reports false where the
// revocation has to wait; the Grant is looked at again when that changes.
func (r *Reconciler) admit(ctx context.Context, l *look, revocation lifecycle.Revocation) (bool, error) {
	if lifecycle.Admitted(l.Grant, revocation) {
		return true, nil
	}
	answer, released, err := r.Brakes.Ask(ctx, l.tenant.Institution, l.Grant, revocation)
	if err != nil || answer == lifecycle.Paused {
		return false, err
	}
	var admissions []v1alpha1.RevocationAdmission
	err = r.recordAhead(ctx, l.Grant, func(admitted *v1alpha1.Grant) {
		lifecycle.Admit(admitted, revocation, r.Clock.Now(), released)
		admissions = admitted.Status.Admissions
	})
	switch {
	case apierrors.IsConflict(err):
		r.Brakes.Unrecorded(l.tenant.Institution, l.Grant, revocation)
		return false, errOutdated
	case apierrors.IsNotFound(err):
		r.Brakes.TakeBack(l.tenant.Institution, l.Grant, revocation)
		return false, errOutdated
	}
	if err != nil {
		// It may have been written: it stays counted, and is written again.
		return false, err
	}
	l.Grant.Status.Admissions = admissions
	return true, nil
}

// passed notes that nothing of a type waits for the brake in a Grant that was looked at.
func (r *Reconciler) passed(l *look, kind v1alpha1.RevocationType) {
	if l.tenant != nil {
		r.Brakes.Passed(l.tenant.Institution, l.Grant.UID, kind)
	}
}

// act does what was decided.
func (r *Reconciler) act(ctx context.Context, l *look, decision lifecycle.Decision) (result outcome, err error) {
	if decision.ResetEnd {
		l.Grant.Status.AccessEndedAt = nil
	}
	switch decision.Action {
	case lifecycle.Provide:
		result, err = r.provide(ctx, l)
		result.paused = decision.Verdict
		if result.verdict.Ready {
			result.verdict.Message += decision.Note
		}
	case lifecycle.EndAccess:
		result, err = r.end(ctx, l, decision)
	case lifecycle.WaitUntold:
		err = kube.ErrNotLookedAt
	default:
		result = outcome{phase: decision.Phase, verdict: decision.Verdict}
	}
	result.after = kube.Sooner(result.after, r.until(decision.Next))
	return result, err
}
