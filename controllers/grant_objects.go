// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/apply"
	"github.com/lxp-dev/course-completion-operator/internal/plan"
)

// Templated objects have no watch, because only their ServiceAccount may read them: what drifted is found by looking,
// every so often and not of all Grants at the same time.
const (
	objectInterval = 10 * time.Minute
	objectJitter   = 0.2
)

// objectChecks remembers when the templated objects of each Grant were last seen to be right. It is empty after a
// start, so that what drifted while nobody looked is found.
type objectChecks struct {
	mu   sync.Mutex
	last map[client.ObjectKey]objectCheck
}

type objectCheck struct {
	uid        types.UID
	generation int64
	// namespaces tells when one was made anew, and so has lost what was in it, or is shared with another Grant.
	namespaces string
	next       time.Time
	versions   apply.Versions
}

func (c *objectChecks) get(key client.ObjectKey) objectCheck {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.last[key]
}

func (c *objectChecks) set(key client.ObjectKey, check objectCheck) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.last == nil {
		c.last = map[client.ObjectKey]objectCheck{}
	}
	c.last[key] = check
}

func (c *objectChecks) forget(key client.ObjectKey) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.last, key)
}

// hasObjects reports whether a Grant says templated objects, or has any.
func hasObjects(grant *v1alpha1.Grant) bool {
	return len(grant.Spec.Objects) > 0 || slices.ContainsFunc(grant.Status.Inventory, isTemplated)
}

func isTemplated(entry v1alpha1.InventoryEntry) bool { return entry.ServiceAccountName != "" }

// objects brings the templated objects of a Grant to what it says, if it is time to look, and returns when it is the
// next time; zero for a Grant that has none.
func (r *GrantReconciler) objects(ctx context.Context, grant *v1alpha1.Grant) (time.Duration, error) {
	key := client.ObjectKeyFromObject(grant)
	if !hasObjects(grant) {
		r.checks.forget(key)
		return 0, nil
	}
	applier, err := r.applier(ctx, grant)
	if err != nil {
		return 0, err
	}
	now, last := r.Clock.Now(), r.checks.get(key)
	namespaces := namespacesOf(grant) + " " + applier.SharedObjects()
	unseen := func(e v1alpha1.InventoryEntry) bool { return isTemplated(e) && e.UID == "" }
	if last.uid == grant.UID && last.generation == grant.Generation && last.namespaces == namespaces &&
		now.Before(last.next) && !slices.ContainsFunc(grant.Status.Inventory, unseen) {
		return last.next.Sub(now), nil
	}
	r.checks.forget(key)
	inventory, versions, err := applier.ProvisionObjects(ctx, grant, last.versions,
		func(inventory []v1alpha1.InventoryEntry) error { return r.record(ctx, grant, inventory) })
	grant.Status.Inventory = inventory
	if err != nil {
		return 0, err
	}
	after := wait.Jitter(objectInterval, objectJitter)
	if applier.AwaitedBy(inventory) != nil {
		after = minWait
	}
	r.checks.set(key, objectCheck{grant.UID, grant.Generation, namespaces, now.Add(after), versions})
	return after, nil
}

func namespacesOf(grant *v1alpha1.Grant) string {
	var uids []string
	// What is taken away has no objects to look at, and is back with a look at all of them.
	for i := range grant.Spec.Namespaces {
		uids = append(uids, grant.Spec.Namespaces[i].Name)
	}
	for _, entry := range grant.Status.Inventory {
		if entry.Kind == "Namespace" && *entry.Group == "" {
			uids = append(uids, entry.UID)
		}
	}
	return strings.Join(uids, " ")
}

// errOutdated means that a Grant was worked on as it no longer is. The cache catches up within moments.
var errOutdated = errors.New("the grant has changed meanwhile")

// record writes an inventory ahead of what it names.
func (r *GrantReconciler) record(
	ctx context.Context, grant *v1alpha1.Grant, inventory []v1alpha1.InventoryEntry,
) error {
	written := grant.DeepCopy()
	written.Status.Inventory = inventory
	patch := client.MergeFromWithOptions(grant.DeepCopy(), client.MergeFromWithOptimisticLock{})
	err := r.Client.Status().Patch(ctx, written, patch, apply.FieldOwner)
	if apierrors.IsConflict(err) {
		return errOutdated
	}
	if err != nil {
		return err
	}
	grant.ResourceVersion = written.ResourceVersion
	r.written.note(grant)
	return nil
}

// conclude writes down what came of a look at a Grant.
func (r *GrantReconciler) conclude(
	ctx context.Context, grant, before *v1alpha1.Grant, result outcome, failed error,
) (reconcile.Result, error) {
	if errors.Is(failed, errOutdated) {
		return reconcile.Result{RequeueAfter: staleInterval}, nil
	}
	if errors.Is(failed, errNotLookedAt) {
		// Nothing is known, and nothing told: the Institution's status will set the Grant off again.
		return reconcile.Result{}, nil
	}
	grant.Status.ObservedGeneration = grant.Generation
	grant.Status.Phase = result.phase
	setConditions(&grant.Status.Conditions, result.verdict, grant.Generation, r.Clock.Now())
	// What was recorded on the way has made a newer version, and is part of what is written now.
	before.ResourceVersion = grant.ResourceVersion
	changed, err := r.writeStatus(ctx, before, grant)
	if err != nil {
		r.checks.forget(client.ObjectKeyFromObject(grant))
		if apierrors.IsConflict(err) && failed == nil {
			return reconcile.Result{RequeueAfter: staleInterval}, nil
		}
		return reconcile.Result{}, errors.Join(failed, fmt.Errorf("write the status: %w", err))
	}
	if changed {
		r.written.note(grant)
		r.tell(grant, before, result)
	}
	return reconcile.Result{RequeueAfter: result.after}, failed
}

// writeStatus writes the status of a Grant if it has changed. The inventory of templated objects is found nowhere else,
// so it is never written over on an outdated view of the Grant.
func (r *GrantReconciler) writeStatus(ctx context.Context, before, grant *v1alpha1.Grant) (bool, error) {
	if !hasObjects(before) && !hasObjects(grant) {
		return patchStatus(ctx, r.Client, before, grant)
	}
	return patchStatus(ctx, r.Client, before, grant, client.MergeFromWithOptimisticLock{})
}

// lacking tells of what only people can give: a ServiceAccount, or rights of it. It is looked for again with patience.
func (r *GrantReconciler) lacking(grant *v1alpha1.Grant, lacking *apply.AccountError) outcome {
	refused := lacking.Reason == v1alpha1.ReasonRefused
	return outcome{phaseOrPending(grant), plan.Verdict{Reconciling: !refused, Stalled: refused,
		Reason: lacking.Reason, Message: lacking.Message}, r.patience(grant)}
}
