// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package grant

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/apply"
	"github.com/lxp-dev/course-completion-operator/internal/kube"
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
func (r *Reconciler) objects(ctx context.Context, grant *v1alpha1.Grant) (time.Duration, error) {
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
		func(inventory []v1alpha1.InventoryEntry) error { return r.recordInventory(ctx, grant, inventory) })
	grant.Status.Inventory = inventory
	if err != nil {
		return 0, err
	}
	after := wait.Jitter(objectInterval, objectJitter)
	if applier.AwaitedBy(inventory) != nil {
		after = kube.MinWait
	}
	r.checks.set(key, objectCheck{grant.UID, grant.Generation, namespaces, now.Add(after), versions})
	return after, nil
}

// recordInventory writes an inventory ahead of what it names.
func (r *Reconciler) recordInventory(
	ctx context.Context, grant *v1alpha1.Grant, inventory []v1alpha1.InventoryEntry,
) error {
	err := r.recordAhead(ctx, grant, func(written *v1alpha1.Grant) { written.Status.Inventory = inventory })
	if apierrors.IsConflict(err) {
		return errOutdated
	}
	return err
}

func namespacesOf(grant *v1alpha1.Grant) string {
	var uids []string
	// What is revoked has no objects to look at, and is back with a look at all of them.
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
