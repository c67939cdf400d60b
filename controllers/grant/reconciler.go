// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package grant is the loop of Grants: it puts what a Grant says into the cluster, takes it out again, and deletes what
// a completion revokes. It reads in this order: reconciler.go gathers (gather.go), has package lifecycle decide, and
// acts (provision.go, end.go, revoke.go; release.go for a Grant that is being deleted), and status.go writes what came
// of it.
package grant

import (
	"context"
	"errors"
	"time"

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
	before := grant.DeepCopy()
	after, failed := r.restored(ctx, grant, foreign)
	result, err := r.act(ctx, grant)
	result.after, err = kube.Sooner(result.after, after), errors.Join(err, failed)
	return r.conclude(ctx, grant, before, result, err)
}

// act does what the Grant's stage asks for, and has it looked at again when that changes by itself, whatever came of
// it. Along with an error it returns what to tell meanwhile.
func (r *Reconciler) act(ctx context.Context, grant *v1alpha1.Grant) (outcome, error) {
	institution, tenant, err := r.institution(ctx, grant)
	if err != nil {
		return r.told(grant, outcome{}, err)
	}
	facts := lifecycle.Facts{Grant: grant, Institution: institution,
		Admitted: map[v1alpha1.RevocationType]bool{}, Now: r.Clock.Now()}
	next := lifecycle.StateOf(grant, facts.Now).Next
	var after time.Duration
	var failed error
	if institution.Usable() {
		after, failed = r.revokeNamespaces(ctx, grant, tenant)
	}
	result, err := r.actOn(ctx, grant, tenant, &facts)
	result.after = kube.Sooner(result.after, after)
	if !next.IsZero() {
		result.after = kube.Sooner(result.after, r.until(next))
	}
	return result, errors.Join(err, failed)
}

// actOn decides what is to become of the Grant, and does it.
func (r *Reconciler) actOn(
	ctx context.Context, grant *v1alpha1.Grant, tenant *kube.Tenant, facts *lifecycle.Facts,
) (outcome, error) {
	decision, err := r.decide(ctx, tenant, facts)
	if err != nil {
		return r.told(grant, outcome{}, err)
	}
	if decision.ResetEnd {
		grant.Status.AccessEndedAt = nil
	}
	switch decision.Action {
	case lifecycle.Provide:
		return r.provide(ctx, grant, tenant, decision)
	case lifecycle.EndAccess:
		result, err := r.end(ctx, grant, tenant, decision)
		return r.told(grant, result, err)
	case lifecycle.WaitUntold:
		return outcome{}, kube.ErrNotLookedAt
	}
	return outcome{decision.Phase, decision.Verdict, 0}, nil
}

// decide decides, and asks the brake where that is needed. It is asked once about each type of revocation.
func (r *Reconciler) decide(
	ctx context.Context, tenant *kube.Tenant, facts *lifecycle.Facts,
) (lifecycle.Decision, error) {
	for {
		decision := lifecycle.Decide(*facts)
		for _, kind := range decision.Passed {
			r.passed(tenant, facts.Grant, kind)
		}
		if decision.Action != lifecycle.AskBrake {
			return decision, nil
		}
		admitted, err := r.admit(ctx, facts.Grant, tenant, decision.Revocation)
		if err != nil {
			return decision, err
		}
		facts.Admitted[decision.Revocation.Type] = admitted
	}
}

// admit asks the brake of the institution to let a revocation through, and writes down that it did ahead of the effect:
// a restart in between takes nothing that was not counted, and counts nothing twice. It reports false where the
// revocation has to wait; the Grant is looked at again when that changes.
func (r *Reconciler) admit(
	ctx context.Context, grant *v1alpha1.Grant, tenant *kube.Tenant, revocation lifecycle.Revocation,
) (bool, error) {
	if lifecycle.Admitted(grant, revocation) {
		return true, nil
	}
	answer, released, err := r.Brakes.Ask(ctx, tenant.Institution, grant, revocation)
	if err != nil || answer == lifecycle.Paused {
		return false, err
	}
	var admissions []v1alpha1.RevocationAdmission
	err = r.recordAhead(ctx, grant, func(admitted *v1alpha1.Grant) {
		lifecycle.Admit(admitted, revocation, r.Clock.Now(), released)
		admissions = admitted.Status.Admissions
	})
	switch {
	case apierrors.IsConflict(err):
		r.Brakes.Unrecorded(tenant.Institution, grant, revocation)
		return false, errOutdated
	case apierrors.IsNotFound(err):
		r.Brakes.TakeBack(tenant.Institution, grant, revocation)
		return false, errOutdated
	}
	if err != nil {
		// It may have been written: it stays counted, and is written again.
		return false, err
	}
	grant.Status.Admissions = admissions
	return true, nil
}

// passed notes that nothing of a type waits for the brake in a Grant that was looked at.
func (r *Reconciler) passed(tenant *kube.Tenant, grant *v1alpha1.Grant, kind v1alpha1.RevocationType) {
	if tenant != nil {
		r.Brakes.Passed(tenant.Institution, grant.UID, kind)
	}
}

// provide puts in place what the Grant says. What waits for the brake is told rather than what came of that.
func (r *Reconciler) provide(
	ctx context.Context, grant *v1alpha1.Grant, tenant *kube.Tenant, decision lifecycle.Decision,
) (outcome, error) {
	result, err := r.provision(ctx, grant, tenant)
	result, err = r.told(grant, result, err)
	switch {
	case err == nil && decision.Verdict.Reason != "":
		result.verdict = decision.Verdict
	case result.verdict.Ready:
		result.verdict.Message += decision.Note
	}
	return result, err
}
