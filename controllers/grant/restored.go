// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package grant

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/apply"
)

// adopt writes what every Grant carries to one that a person made; the planner's have it from the start. Since when it
// was asked for stands in the spec, because a backup does not keep when an object was created.
func (r *Reconciler) adopt(ctx context.Context, grant *v1alpha1.Grant) error {
	read := grant.DeepCopy()
	changed := controllerutil.AddFinalizer(grant, v1alpha1.FinalizerGrant)
	if changed && !grant.Planned() {
		r.Witness.AdoptGrant(read)
	}
	if !grant.Planned() && grant.Spec.RequestedAt == nil {
		grant.Spec.RequestedAt, changed = grant.CreationTimestamp.DeepCopy(), true
	}
	if !changed {
		return nil
	}
	patch := client.MergeFromWithOptions(read, client.MergeFromWithOptimisticLock{})
	if err := r.Client.Patch(ctx, grant, patch, apply.FieldOwner); err != nil {
		return fmt.Errorf("add the finalizer: %w", err)
	}
	return nil
}

// restored notes that a Grant came from a backup, and takes that back once everything that it comes from is there too.
// It returns when to look again; zero if a watch will tell.
func (r *Reconciler) restored(ctx context.Context, l *look, foreign bool) (time.Duration, error) {
	status, now := &l.Grant.Status, l.Now
	if status.RestoredAt == nil && !foreign {
		return 0, nil
	}
	if status.RestoredAt == nil {
		status.RestoredAt = new(metav1.NewTime(now.UTC().Truncate(time.Second)))
	}
	if left := status.RestoredAt.Add(r.Patience.Restored).Sub(now); left > 0 {
		return left, nil
	}
	whole, err := r.whole(ctx, l)
	if whole {
		status.RestoredAt = nil
	}
	return 0, err
}

// whole reports whether everything is there whose absence would end a Grant, and whether the status records again what
// was applied for it.
func (r *Reconciler) whole(ctx context.Context, l *look) (bool, error) {
	grant := l.Grant
	there := func(name v1alpha1.LocalName, object client.Object) (bool, error) {
		err := r.Client.Get(ctx, client.ObjectKey{Namespace: grant.Namespace, Name: string(name)}, object)
		if apierrors.IsNotFound(err) {
			return false, nil
		}
		if err != nil {
			return false, fmt.Errorf("get the cause of the grant: %w", err)
		}
		return true, nil
	}
	if grant.Status.AccessEndedAt == nil && !l.applier.Recorded(grant) {
		return false, nil
	}
	if grant.Planned() && grant.Spec.OnPolicyRemoval == v1alpha1.RemovalDelete {
		if found, err := there(grant.Spec.Policy, &v1alpha1.CompletionPolicy{}); err != nil || !found {
			return false, err
		}
	}
	for _, cause := range grant.Spec.Causes {
		if cause.End == v1alpha1.CauseWithdrawn || cause.ArchivedAt != nil {
			continue
		}
		if found, err := there(cause.Completion, &v1alpha1.CourseCompletion{}); err != nil || !found {
			return false, err
		}
	}
	return true, nil
}
