// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"context"
	"slices"

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// Losing are RoleBindings, by identity, that a change would delete, or take subjects out of.
type Losing map[string]bool

// Losing returns the RoleBindings by which putting a Grant in place as it is now would take access from somebody. What
// somebody else added to one is not the Grant's to keep: only what was applied before counts. Nor does what another
// Grant gave that has ended.
//
// The cache may still show what has been changed just now. Where it is not known already that somebody would lose
// something, what it shows is confirmed live.
func (a *Applier) Losing(ctx context.Context, grant *v1alpha1.Grant, known bool) (Losing, error) {
	losing, err := a.losing(ctx, grant, func(entry v1alpha1.InventoryEntry) (client.Object, error) {
		return a.current(ctx, grant, entry, emptyRoleBinding)
	})
	if err != nil || len(losing) == 0 || known {
		return losing, err
	}
	return a.losing(ctx, grant, func(entry v1alpha1.InventoryEntry) (client.Object, error) {
		have := emptyRoleBinding()
		return have, a.Live.Get(ctx, client.ObjectKey{Namespace: *entry.Namespace, Name: entry.Name}, have)
	})
}

func emptyRoleBinding() client.Object { return &rbacv1.RoleBinding{} }

// reading reads an object of an inventory.
type reading func(entry v1alpha1.InventoryEntry) (client.Object, error)

func (a *Applier) losing(ctx context.Context, grant *v1alpha1.Grant, read reading) (Losing, error) {
	objects, err := a.objectsOf(ctx, grant)
	if err != nil {
		return nil, err
	}
	losing, wanted, said := Losing{}, map[string]bool{}, map[string]bool{}
	for i := range grant.Spec.Namespaces {
		said[grant.Spec.Namespaces[i].Name] = true
	}
	for i := range objects {
		entry := entryOf(objects[i].group, objects[i].kind, objects[i].want, "")
		wanted[identity(entry)] = true
		want, ok := objects[i].want.(*rbacv1.RoleBinding)
		if !ok {
			continue
		}
		have, err := a.bindingOf(grant, entry, read)
		if err != nil {
			return nil, err
		}
		losing[identity(entry)] = have != nil && removesSubject(want, have)
	}
	inventory, err := a.inventory(ctx, grant, isAccess)
	if err != nil {
		return nil, err
	}
	s := a.shared()
	for _, entry := range inventory {
		goes := said[*entry.Namespace] || accessGoes(grant, entry)
		if !isAccess(entry) || entry.ServiceAccountName != "" || wanted[identity(entry)] || !goes || s.keeps(entry) {
			continue
		}
		have, err := a.bindingOf(grant, entry, read)
		if err != nil {
			return nil, err
		}
		losing[identity(entry)] = have != nil && len(have.Subjects) > 0
	}
	for id, loses := range losing {
		if !loses {
			delete(losing, id)
		}
	}
	return losing, nil
}

// removesSubject reports whether applying a RoleBinding anew would take a subject out of it that was applied before.
func removesSubject(want, have *rbacv1.RoleBinding) bool {
	if have.Annotations[annotationApplied] == want.Annotations[annotationApplied] {
		return false
	}
	return slices.ContainsFunc(have.Subjects, func(subject rbacv1.Subject) bool {
		return !slices.Contains(want.Subjects, subject)
	})
}

// bindingOf returns a RoleBinding that is the Grant's, or that of another one which shares it and still entitles; nil
// where there is none.
func (a *Applier) bindingOf(
	grant *v1alpha1.Grant, entry v1alpha1.InventoryEntry, read reading,
) (*rbacv1.RoleBinding, error) {
	object, err := read(entry)
	if apierrors.IsNotFound(err) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	have := object.(*rbacv1.RoleBinding)
	owner := have.Labels[v1alpha1.LabelGrant]
	entitled := owner == grant.OwnerDigest()
	for _, sharer := range a.Sharers {
		entitled = entitled || sharer.Active && sharer.Grant.OwnerDigest() == owner
	}
	if !entitled || !have.DeletionTimestamp.IsZero() {
		return nil, nil
	}
	return have, nil
}
