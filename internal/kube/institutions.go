// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"context"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// InstitutionProblem says why what depends on an Institution has to wait for people.
type InstitutionProblem struct{ Reason, Message string }

// Error returns the message.
func (p *InstitutionProblem) Error() string { return p.Message }

// Tenant is an Institution that can be worked with.
type Tenant struct {
	*v1alpha1.Institution
	Zone *time.Location
}

// Suspended reports whether nothing is to be done for the institution for now.
func (t *Tenant) Suspended() bool { return t.Spec.Suspended() }

// ErrNotLookedAt means that an Institution is so new that nothing is known of it. Its status will tell, by a watch.
var ErrNotLookedAt = &InstitutionProblem{v1alpha1.ReasonProgressing, "the Institution has not been reconciled yet"}

// InstitutionOf returns the Institution of an id in a namespace, or an institutionProblem where there is none, more
// than one, one whose times cannot be read, or one that is not allowed. That is in its status, which only the operator
// writes: neither the id nor the prefix of an Institution ever changes.
func InstitutionOf(
	ctx context.Context, reader client.Reader, namespace string, id v1alpha1.PlatformID,
) (*Tenant, error) {
	var list v1alpha1.InstitutionList
	if err := reader.List(ctx, &list, client.InNamespace(namespace)); err != nil {
		return nil, fmt.Errorf("list institutions: %w", err)
	}
	var found []*v1alpha1.Institution
	why := &InstitutionProblem{v1alpha1.ReasonInstitutionMissing,
		fmt.Sprintf("there is no Institution with spec.id %d in this namespace", id)}
	for i := range list.Items {
		institution := &list.Items[i]
		if institution.Spec.ID != id {
			continue
		}
		allowed := meta.FindStatusCondition(institution.Status.Conditions, v1alpha1.ConditionAllowed)
		switch {
		case allowed == nil:
			why = ErrNotLookedAt
		case allowed.Status == metav1.ConditionTrue:
			found = append(found, institution)
		case why != ErrNotLookedAt:
			why = &InstitutionProblem{allowed.Reason, allowed.Message}
		}
	}
	switch len(found) {
	case 0:
		return nil, why
	case 1:
	default:
		return nil, Duplicates(found[0], len(found))
	}
	return TenantOf(found[0])
}

// Duplicates says that several Institutions of a namespace have one id.
func Duplicates(institution *v1alpha1.Institution, count int) *InstitutionProblem {
	return &InstitutionProblem{v1alpha1.ReasonDuplicateInstitution, fmt.Sprintf(
		"%d Institutions in this namespace have spec.id %d: delete all but one", count, institution.Spec.ID)}
}

// TenantOf returns an Institution to work with, or an institutionProblem where its times cannot be read.
func TenantOf(institution *v1alpha1.Institution) (*Tenant, error) {
	zone, err := time.LoadLocation(institution.Spec.TimeZone)
	if err != nil || zone == time.Local || institution.Spec.TimeZone == "" {
		return nil, &InstitutionProblem{v1alpha1.ReasonInvalidTimeZone, fmt.Sprintf(
			"spec.timeZone %q is not in the IANA time zone database: use a name such as America/Sao_Paulo",
			institution.Spec.TimeZone)}
	}
	return &Tenant{Institution: institution, Zone: zone}, nil
}

// ReadyReason returns the reason of the condition Ready; empty where nothing has been said yet.
func ReadyReason(conditions []metav1.Condition) string {
	if ready := meta.FindStatusCondition(conditions, v1alpha1.ConditionReady); ready != nil {
		return ready.Reason
	}
	return ""
}

// The definitions whose deletion takes all completions, or all Grants, with it.
const (
	CompletionsCRD = "coursecompletions." + v1alpha1.GroupName
	GrantsCRD      = "grants." + v1alpha1.GroupName
)

// Dissolving reports whether an institution, its namespace or the kind of its completions is gone or being deleted, or
// the institution can no longer be worked with. What disappears in the course of that was withdrawn by nobody. All of
// it is read live.
func Dissolving(ctx context.Context, live client.Reader, tenant *Tenant) (bool, error) {
	going, err := Terminating(ctx, live, tenant.Namespace)
	if err != nil || going {
		return going, err
	}
	if going, err := Undefined(ctx, live, CompletionsCRD); err != nil || going {
		return going, err
	}
	current, err := LiveInstitution(ctx, live, tenant.Institution)
	if err != nil {
		return false, err
	}
	if current == nil || !current.DeletionTimestamp.IsZero() || !IsAllowed(current) {
		return true, nil
	}
	_, unusable := TenantOf(current)
	return unusable != nil, nil
}

// DefinedSince returns when a definition was made, by a live read.
func DefinedSince(ctx context.Context, live client.Reader, name string) (time.Time, error) {
	crd := definition()
	if err := live.Get(ctx, client.ObjectKey{Name: name}, crd); err != nil {
		return time.Time{}, fmt.Errorf("get the creation time of %s: %w", name, err)
	}
	return crd.CreationTimestamp.Time, nil
}

func definition() *metav1.PartialObjectMetadata {
	crd := &metav1.PartialObjectMetadata{}
	crd.SetGroupVersionKind(schema.GroupVersionKind{
		Group: "apiextensions.k8s.io", Version: "v1", Kind: "CustomResourceDefinition"})
	return crd
}

// Undefined reports whether a definition is gone or being deleted, by a live read.
func Undefined(ctx context.Context, live client.Reader, name string) (bool, error) {
	return deleted(ctx, live, client.ObjectKey{Name: name}, definition())
}

// Terminating reports whether a namespace is gone or being deleted, by a live read.
func Terminating(ctx context.Context, live client.Reader, namespace string) (bool, error) {
	return deleted(ctx, live, client.ObjectKey{Name: namespace}, NamespaceMetadata())
}

func deleted(ctx context.Context, live client.Reader, key client.ObjectKey, object client.Object) (bool, error) {
	err := live.Get(ctx, key, object)
	if apierrors.IsNotFound(err) {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("check whether %s is being deleted: %w", key.Name, err)
	}
	return !object.GetDeletionTimestamp().IsZero(), nil
}

// LiveInstitution returns an Institution as it is right now; nil if it is gone, and if another one has its name by now.
func LiveInstitution(
	ctx context.Context, live client.Reader, known *v1alpha1.Institution,
) (*v1alpha1.Institution, error) {
	current := &v1alpha1.Institution{}
	found, err := there(live.Get(ctx, client.ObjectKeyFromObject(known), current))
	if err != nil {
		return nil, fmt.Errorf("look at the institution: %w", err)
	}
	if !found || current.UID != known.UID {
		return nil, nil
	}
	return current, nil
}

// LivePolicy returns a policy, nil if there is none. It is read live, since a policy is often deleted together with its
// Grants.
func LivePolicy(
	ctx context.Context, live client.Reader, namespace, name string,
) (*v1alpha1.CompletionPolicy, error) {
	policy := &v1alpha1.CompletionPolicy{}
	found, err := there(live.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, policy))
	if err != nil {
		return nil, fmt.Errorf("get policy: %w", err)
	}
	if !found {
		return nil, nil
	}
	return policy, nil
}

// there reports whether a read found its object. Where the whole kind is not served, nothing is known of the object:
// the API server then answers "not found" too, but in the words of a path that it does not know.
func there(err error) (bool, error) {
	if apierrors.IsNotFound(err) && !apierrors.IsUnexpectedServerError(err) {
		return false, nil
	}
	return err == nil, err
}

// IsAllowed reports whether an Institution has been found to be allowed.
func IsAllowed(institution *v1alpha1.Institution) bool {
	return meta.IsStatusConditionTrue(institution.Status.Conditions, v1alpha1.ConditionAllowed)
}

// allowedOf returns what was said last of whether an Institution is allowed, for comparison.
func allowedOf(institution *v1alpha1.Institution) string {
	condition := meta.FindStatusCondition(institution.Status.Conditions, v1alpha1.ConditionAllowed)
	if condition == nil {
		return ""
	}
	return strings.Join([]string{string(condition.Status), condition.Reason, condition.Message}, " ")
}

// NamespaceMetadata returns an object to read the metadata of a namespace into.
func NamespaceMetadata() *metav1.PartialObjectMetadata {
	namespace := &metav1.PartialObjectMetadata{}
	namespace.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Namespace"))
	return namespace
}

// WorkChanged passes Institutions whose spec has changed, or whether they may be worked for.
var WorkChanged = predicate.Or[client.Object](predicate.GenerationChangedPredicate{}, predicate.Funcs{
	UpdateFunc: func(e event.UpdateEvent) bool {
		before, _ := e.ObjectOld.(*v1alpha1.Institution)
		after, ok := e.ObjectNew.(*v1alpha1.Institution)
		return ok && before != nil && allowedOf(before) != allowedOf(after)
	},
})
