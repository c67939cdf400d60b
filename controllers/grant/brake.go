// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package grant

import (
	"context"
	"errors"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/apply"
	"github.com/lxp-dev/course-completion-operator/internal/kube"
	"github.com/lxp-dev/course-completion-operator/internal/lifecycle"
)

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

// errPaused means that the brake of the institution holds something back.
var errPaused = errors.New(lifecycle.PausedMessage)

// holdAccess puts to the brake what a change of a planned Grant would take from subjects that have access. Where it is
// held, their RoleBindings stay as they are.
func (r *Reconciler) holdAccess(
	ctx context.Context, grant *v1alpha1.Grant, tenant *kube.Tenant, applier *apply.Applier,
) error {
	if grant.Planned() {
		losing, err := applier.Losing(ctx, grant, grant.Status.AccessChangeDigest != "")
		if err != nil {
			return err
		}
		if len(losing) > 0 {
			change, err := lifecycle.AccessChangeOf(grant, r.Clock.Now())
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
	lifecycle.AccessChange{}.Record(&grant.Status)
	return nil
}
