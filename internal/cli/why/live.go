// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package why

import (
	"context"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/apifault"
)

// inventory looks at each object that a Grant has recorded, as it is now.
func (r *reader) inventory(ctx context.Context, grant *v1alpha1.Grant) []object {
	var objects []object
	for _, entry := range grant.Status.Inventory {
		told := object{Kind: entry.Kind, Name: entry.Name}
		if entry.Group != nil {
			told.Group = *entry.Group
		}
		if entry.Namespace != nil {
			told.Namespace = *entry.Namespace
		}
		found := r.look(ctx, &told)
		switch {
		case found == nil:
		case entry.UID == "" && found.Labels[v1alpha1.LabelAppliedFor] != grant.OwnerDigest():
			told.State, told.Message = stateOther, "it was not made for this grant"
		case entry.UID != "" && string(found.UID) != entry.UID:
			told.State, told.Message = stateOther, "it has another uid than the one that the grant made"
		}
		objects = append(objects, told)
	}
	return objects
}

// look fills in the state of an object, and returns it where it is there.
func (r *reader) look(ctx context.Context, told *object) *metav1.PartialObjectMetadata {
	mapping, err := r.client.RESTMapper().RESTMapping(schema.GroupKind{Group: told.Group, Kind: told.Kind})
	if meta.IsNoMatchError(err) {
		told.State, told.Message = stateUnknown, "the API server does not serve this kind"
		return nil
	}
	found := &metav1.PartialObjectMetadata{}
	if err == nil {
		found.SetGroupVersionKind(mapping.GroupVersionKind)
		err = r.client.Get(ctx, client.ObjectKey{Namespace: told.Namespace, Name: told.Name}, found)
	}
	switch {
	case apierrors.IsNotFound(err):
		told.State = stateGone
	case apierrors.IsForbidden(err):
		told.State = stateForbidden
	case err != nil:
		told.State, told.Message = stateUnknown, apifault.Describe(err)
	case !found.DeletionTimestamp.IsZero():
		told.State = stateTerminating
		return found
	default:
		told.State = stateThere
		return found
	}
	return nil
}
