// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// institutionProblem says why what depends on an Institution has to wait for people.
type institutionProblem struct{ reason, message string }

// Error returns the message.
func (p *institutionProblem) Error() string { return p.message }

// tenant is an Institution that can be worked with.
type tenant struct {
	*v1alpha1.Institution
	zone *time.Location
}

func (t *tenant) suspended() bool { return t.Spec.Suspend != nil && *t.Spec.Suspend }

// errNotLookedAt means that an Institution is so new that nothing is known of it. Its status will tell, by a watch.
var errNotLookedAt = &institutionProblem{v1alpha1.ReasonProgressing, "the Institution has not been looked at yet"}

// institutionOf returns the Institution of an id in a namespace, or an institutionProblem where there is none, more
// than one, one whose times cannot be read, or one that is not allowed. That is in its status, which only the operator
// writes: neither the id nor the prefix of an Institution ever changes.
func institutionOf(
	ctx context.Context, reader client.Reader, namespace string, id v1alpha1.PlatformID,
) (*tenant, error) {
	var list v1alpha1.InstitutionList
	if err := reader.List(ctx, &list, client.InNamespace(namespace)); err != nil {
		return nil, fmt.Errorf("list institutions: %w", err)
	}
	var found []*v1alpha1.Institution
	why := &institutionProblem{v1alpha1.ReasonInstitutionMissing,
		fmt.Sprintf("no Institution with spec.id %d is in this namespace", id)}
	for i := range list.Items {
		institution := &list.Items[i]
		if institution.Spec.ID != id {
			continue
		}
		allowed := meta.FindStatusCondition(institution.Status.Conditions, v1alpha1.ConditionAllowed)
		switch {
		case allowed == nil:
			why = errNotLookedAt
		case allowed.Status == metav1.ConditionTrue:
			found = append(found, institution)
		case why != errNotLookedAt:
			why = &institutionProblem{allowed.Reason, allowed.Message}
		}
	}
	switch len(found) {
	case 0:
		return nil, why
	case 1:
	default:
		return nil, duplicates(found[0], len(found))
	}
	return tenantOf(found[0])
}

func duplicates(institution *v1alpha1.Institution, count int) *institutionProblem {
	return &institutionProblem{v1alpha1.ReasonDuplicateInstitution, fmt.Sprintf(
		"%d Institutions in this namespace have spec.id %d: delete all but one", count, institution.Spec.ID)}
}

// tenantOf returns an Institution to work with, or an institutionProblem where its times cannot be read.
func tenantOf(institution *v1alpha1.Institution) (*tenant, error) {
	zone, err := time.LoadLocation(institution.Spec.TimeZone)
	if err != nil || zone == time.Local || institution.Spec.TimeZone == "" {
		return nil, &institutionProblem{v1alpha1.ReasonInvalidTimeZone, fmt.Sprintf(
			"spec.timeZone %q is not in the IANA time zone database: use a name such as America/Sao_Paulo",
			institution.Spec.TimeZone)}
	}
	return &tenant{Institution: institution, zone: zone}, nil
}

func readyReason(conditions []metav1.Condition) string {
	if ready := meta.FindStatusCondition(conditions, v1alpha1.ConditionReady); ready != nil {
		return ready.Reason
	}
	return ""
}

// The definitions whose deletion takes all completions, or all Grants, with it.
const (
	completionsCRD = "coursecompletions." + v1alpha1.GroupName
	grantsCRD      = "grants." + v1alpha1.GroupName
)

// dissolving reports whether an institution, its namespace or the kind of its completions is gone or being deleted.
// What disappears in the course of that was withdrawn by nobody. All of it is read live.
func dissolving(
	ctx context.Context, live client.Reader, namespace string, id v1alpha1.PlatformID,
) (bool, error) {
	going, err := terminating(ctx, live, namespace)
	if err != nil || going {
		return going, err
	}
	if going, err := undefined(ctx, live, completionsCRD); err != nil || going {
		return going, err
	}
	found, err := institutionOf(ctx, live, namespace, id)
	if _, ok := errors.AsType[*institutionProblem](err); ok {
		return true, nil
	}
	return err == nil && !found.DeletionTimestamp.IsZero(), err
}

// definedSince returns when a definition was made, by a live read.
func definedSince(ctx context.Context, live client.Reader, name string) (time.Time, error) {
	crd := definition()
	if err := live.Get(ctx, client.ObjectKey{Name: name}, crd); err != nil {
		return time.Time{}, fmt.Errorf("look since when %s is defined: %w", name, err)
	}
	return crd.CreationTimestamp.Time, nil
}

func definition() *metav1.PartialObjectMetadata {
	crd := &metav1.PartialObjectMetadata{}
	crd.SetGroupVersionKind(schema.GroupVersionKind{
		Group: "apiextensions.k8s.io", Version: "v1", Kind: "CustomResourceDefinition"})
	return crd
}

// undefined reports whether a definition is gone or being deleted, by a live read.
func undefined(ctx context.Context, live client.Reader, name string) (bool, error) {
	return deleted(ctx, live, client.ObjectKey{Name: name}, definition())
}

// terminating reports whether a namespace is gone or being deleted, by a live read.
func terminating(ctx context.Context, live client.Reader, namespace string) (bool, error) {
	return deleted(ctx, live, client.ObjectKey{Name: namespace}, namespaceMetadata())
}

func deleted(ctx context.Context, live client.Reader, key client.ObjectKey, object client.Object) (bool, error) {
	err := live.Get(ctx, key, object)
	if apierrors.IsNotFound(err) {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("look whether %s is being deleted: %w", key.Name, err)
	}
	return !object.GetDeletionTimestamp().IsZero(), nil
}
