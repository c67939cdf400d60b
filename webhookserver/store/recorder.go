// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/delivery"
)

// fieldOwner is the name of this program in the managed fields of what it writes.
const fieldOwner = "completion-webhook-server"

// maxAttempts bounds how often one delivery is tried against others of the same completion that arrive at the same
// time. Each lost attempt means that another delivery was stored.
const maxAttempts = 10

var (
	errContended   = errors.New("other deliveries kept changing the completion")
	errTerminating = errors.New("the completion is being deleted")
)

// NewCompletion returns the object that holds a delivery.
func NewCompletion(namespace string, spec v1alpha1.CourseCompletionSpec) *v1alpha1.CourseCompletion {
	return &v1alpha1.CourseCompletion{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: spec.Name()},
		Spec:       spec,
	}
}

// setLabels adds the ids as labels and leaves all others alone.
func setLabels(completion *v1alpha1.CourseCompletion) {
	if completion.Labels == nil {
		completion.Labels = make(map[string]string, 4)
	}
	completion.Labels[v1alpha1.LabelInstitutionID] = completion.Spec.Institution.ID.String()
	completion.Labels[v1alpha1.LabelCourseID] = completion.Spec.Course.ID.String()
	completion.Labels[v1alpha1.LabelEnrollmentID] = completion.Spec.Enrollment.ID.String()
	completion.Labels[v1alpha1.LabelUserID] = completion.Spec.User.ID.String()
}

// recorder stores deliveries in the API.
type recorder struct {
	// client reads live: what is compared with must be what is stored.
	client client.Client
	// timeout bounds all requests for one delivery together.
	timeout time.Duration
	// erasures may be nil.
	erasures *erasures
}

// record stores a completion unless what is stored is as new, and says which of them was the case. What is stored then
// still learns that the completion was sent earlier. What was erased is not stored. Every error means that the delivery
// is not known to be stored.
func (r *recorder) record(ctx context.Context, completion *v1alpha1.CourseCompletion) (Outcome, error) {
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	if erased, err := r.erasures.ask(ctx, completion); err != nil {
		return "", err
	} else if erased {
		return Erased, nil
	}
	for range maxAttempts {
		created := completion.DeepCopy()
		setLabels(created)
		err := r.client.Create(ctx, created)
		if err == nil {
			return Created, nil
		}
		if !apierrors.IsAlreadyExists(err) {
			return "", fmt.Errorf("creating the completion: %w", err)
		}
		result, err := r.replace(ctx, completion)
		switch {
		case err == nil:
			return result, nil
		case apierrors.IsConflict(err), isGone(err):
			// Changed or deleted since it was read: look again.
		default:
			return "", err
		}
	}
	return "", errContended
}

// replace puts a completion in the place of the stored one if it is newer.
func (r *recorder) replace(ctx context.Context, completion *v1alpha1.CourseCompletion) (Outcome, error) {
	stored := &v1alpha1.CourseCompletion{}
	if err := r.client.Get(ctx, client.ObjectKeyFromObject(completion), stored); err != nil {
		return "", fmt.Errorf("reading the stored completion: %w", err)
	}
	if !stored.DeletionTimestamp.IsZero() {
		// Whatever is said of it now goes away with it.
		return "", errTerminating
	}
	merged, changed := delivery.Merge(&stored.Spec, &completion.Spec)
	result := Outcome(merged)
	if !changed {
		return result, nil
	}
	// The resource version that was read goes along, so this replaces exactly what was compared with.
	setLabels(stored)
	if err := r.client.Update(ctx, stored); err != nil {
		return "", fmt.Errorf("updating the stored completion: %w", err)
	}
	return result, nil
}

// probe reads a completion that cannot exist. The usual error is that it is not found.
func (r *recorder) probe(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	key := client.ObjectKey{Namespace: metav1.NamespaceDefault, Name: "probe"}
	return r.client.Get(ctx, key, &v1alpha1.CourseCompletion{})
}

// isGone tells whether the completion itself, and not its namespace or kind, was not found.
func isGone(err error) bool {
	status, ok := errors.AsType[*apierrors.StatusError](err)
	if !ok || !apierrors.IsNotFound(err) {
		return false
	}
	details := status.Status().Details
	return details != nil && details.Name != "" && details.Kind != "namespaces"
}
