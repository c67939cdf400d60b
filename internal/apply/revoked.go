// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// RevokeAccess deletes what gives access in namespaces that were taken away from the Grant. It returns what is left of
// the inventory, without what has gone together with such a namespace.
func (a *Applier) RevokeAccess(
	ctx context.Context, grant *v1alpha1.Grant, namespaces []string,
) ([]v1alpha1.InventoryEntry, error) {
	inside := func(e v1alpha1.InventoryEntry) bool { return slices.Contains(namespaces, *e.Namespace) }
	left, err := a.removeAll(ctx, grant, func(e v1alpha1.InventoryEntry) bool { return isAccess(e) && inside(e) })
	if err != nil {
		return left, err
	}
	for _, name := range namespaces {
		of := func(e v1alpha1.InventoryEntry) bool { return *e.Namespace == name || isNamespace(e) && e.Name == name }
		if !slices.ContainsFunc(left, of) {
			continue
		}
		gone, err := a.goneFrom(ctx, grant, name)
		if err != nil {
			return left, fmt.Errorf("get revoked namespace %s: %w", name, err)
		}
		if gone {
			left = slices.DeleteFunc(left, of)
		}
	}
	return left, nil
}

// goneFrom reports whether a namespace has gone, or one of that name is somebody else's by now.
func (a *Applier) goneFrom(ctx context.Context, grant *v1alpha1.Grant, name string) (bool, error) {
	namespace := &metav1.PartialObjectMetadata{}
	namespace.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Namespace"))
	err := a.Live.Get(ctx, client.ObjectKey{Name: name}, namespace)
	if apierrors.IsNotFound(err) {
		return true, nil
	}
	return err == nil && !labelled(namespace, grant.OwnerDigest()), err
}
