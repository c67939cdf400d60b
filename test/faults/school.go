// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/order"
	"github.com/lxp-dev/course-completion-operator/internal/sender"
	"github.com/lxp-dev/course-completion-operator/test/system"
)

const (
	// labCourse is granted a namespace, seatCourse a seat; the other courses nothing.
	labCourse  v1alpha1.PlatformID = 1001
	seatCourse v1alpha1.PlatformID = 1002
	courses                        = 16
	// firstInstitution is the id of the first institution.
	firstInstitution v1alpha1.PlatformID = 9001
	policyTimeout                        = time.Minute
)

// school is an institution with policies, and what was sent for it.
type school struct {
	*system.Institution
	admin client.Client
}

// openSchool makes an institution that grants a namespace for one course, and a seat for another.
func (w *world) openSchool(ctx context.Context, id v1alpha1.PlatformID) (*school, error) {
	institution, err := w.system.OpenInstitution(ctx, w.admin, id)
	if err != nil {
		return nil, err
	}
	s := &school{Institution: institution, admin: w.admin}
	named := func(name string) metav1.ObjectMeta { return metav1.ObjectMeta{Namespace: s.Namespace, Name: name} }
	lab := &v1alpha1.CompletionPolicy{
		ObjectMeta: named("lab"),
		Spec: v1alpha1.CompletionPolicySpec{
			GrantPer: v1alpha1.GrantPerCompletion,
			Match:    v1alpha1.PolicyMatch{CourseIDs: []v1alpha1.PlatformID{labCourse}},
			Namespaces: []v1alpha1.NamespaceTemplate{{
				Name: v1alpha1.Template(fmt.Sprintf("i%d-${string(enrollment.id)}", id)),
				ResourceQuota: v1alpha1.ResourceQuotaTemplate{
					Hard: map[string]v1alpha1.QuantityTemplate{"count/pods": "1"},
				},
				Access: []v1alpha1.AccessTemplate{{
					Subjects: []v1alpha1.SubjectTemplate{{Name: "user-${string(user.id)}"}},
				}},
			}},
		},
	}
	tutor := &v1alpha1.CompletionPolicy{
		ObjectMeta: named("tutor"),
		Spec: v1alpha1.CompletionPolicySpec{
			GrantPer: v1alpha1.GrantPerCompletion,
			Match:    v1alpha1.PolicyMatch{CourseIDs: []v1alpha1.PlatformID{seatCourse}},
			Seats:    []v1alpha1.SeatTemplate{{Pool: "desks"}},
		},
	}
	pool := &v1alpha1.SeatPool{ObjectMeta: named("desks"), Spec: v1alpha1.SeatPoolSpec{Capacity: new(int32(10_000))}}
	for _, object := range []client.Object{pool, lab, tutor} {
		if err := w.admin.Create(ctx, object); err != nil {
			return nil, fmt.Errorf("making the policies of institution %d: %w", id, err)
		}
	}
	for _, policy := range []*v1alpha1.CompletionPolicy{lab, tutor} {
		err := system.WaitFor(ctx, policyTimeout, func(ctx context.Context) error {
			if err := w.admin.Get(ctx, client.ObjectKeyFromObject(policy), policy); err != nil {
				return err
			}
			return ready(policy.Status.Conditions)
		})
		if err != nil {
			return nil, fmt.Errorf("policy %s of institution %d: %w", policy.Name, id, err)
		}
	}
	return s, nil
}

func ready(conditions []metav1.Condition) error {
	condition := meta.FindStatusCondition(conditions, v1alpha1.ConditionReady)
	switch {
	case condition == nil:
		return errors.New("has no condition Ready")
	case condition.Status != metav1.ConditionTrue:
		return fmt.Errorf("is not ready: %s: %s", condition.Reason, condition.Message)
	}
	return nil
}

// found is what the cluster has of a school.
type found struct {
	completions []v1alpha1.CourseCompletion
	// grants by the completion that they are for.
	grants     map[v1alpha1.LocalName][]v1alpha1.Grant
	namespaces map[string]corev1.Namespace
	bindings   map[string]int
	seats      map[v1alpha1.LocalName][]v1alpha1.Seat
}

func (s *school) look(ctx context.Context) (*found, error) {
	f := &found{
		grants: map[v1alpha1.LocalName][]v1alpha1.Grant{}, namespaces: map[string]corev1.Namespace{},
		bindings: map[string]int{}, seats: map[v1alpha1.LocalName][]v1alpha1.Seat{},
	}
	var err error
	if f.completions, err = sender.Stored(ctx, s.admin, s.ID, s.Namespace); err != nil {
		return nil, err
	}
	var (
		grants     v1alpha1.GrantList
		seats      v1alpha1.SeatList
		namespaces corev1.NamespaceList
		bindings   rbacv1.RoleBindingList
	)
	provisioned := client.HasLabels{v1alpha1.LabelGrant}
	if err := errors.Join(
		s.admin.List(ctx, &grants, client.InNamespace(s.Namespace)),
		s.admin.List(ctx, &seats, client.InNamespace(s.Namespace)),
		s.admin.List(ctx, &namespaces, provisioned),
		s.admin.List(ctx, &bindings, provisioned),
	); err != nil {
		return nil, err
	}
	for _, grant := range grants.Items {
		for _, cause := range grant.Spec.Causes {
			f.grants[cause.Completion] = append(f.grants[cause.Completion], grant)
		}
	}
	for _, seat := range seats.Items {
		f.seats[seat.Spec.Grant] = append(f.seats[seat.Spec.Grant], seat)
	}
	for _, namespace := range namespaces.Items {
		f.namespaces[namespace.Name] = namespace
	}
	for _, binding := range bindings.Items {
		f.bindings[binding.Namespace]++
	}
	return f, nil
}

// checkGrants waits until each completion is granted what the policies grant, once, and nothing else is. It returns how
// many Grants there are.
func (s *school) checkGrants(ctx context.Context, timeout time.Duration) (int, error) {
	granted := 0
	err := system.WaitFor(ctx, timeout, func(ctx context.Context) error {
		f, err := s.look(ctx)
		if err != nil {
			return err
		}
		granted = 0
		wanted := make(map[v1alpha1.LocalName]bool)
		for i := range f.completions {
			c := &f.completions[i]
			if err := f.check(s.ID, c); err != nil {
				return fmt.Errorf("completion %s: %w", c.Name, err)
			}
			if c.Spec.Course.ID == labCourse || c.Spec.Course.ID == seatCourse {
				wanted[v1alpha1.LocalName(c.Name)] = true
				granted++
			}
		}
		for completion := range f.grants {
			if !wanted[completion] {
				return fmt.Errorf("there is a grant for completion %s, which is none of those that are granted", completion)
			}
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("institution %d: %w", s.ID, err)
	}
	return granted, nil
}

// check looks at one completion and what was granted for it.
func (f *found) check(institution v1alpha1.PlatformID, c *v1alpha1.CourseCompletion) error {
	if c.Status.ObservedGeneration != c.Generation {
		return errors.New("was not looked at since it changed")
	}
	if err := ready(c.Status.Conditions); err != nil {
		return err
	}
	grants := f.grants[v1alpha1.LocalName(c.Name)]
	if c.Spec.Course.ID != labCourse && c.Spec.Course.ID != seatCourse {
		return nil
	}
	if len(grants) != 1 {
		return fmt.Errorf("has %d grants, want 1", len(grants))
	}
	grant := &grants[0]
	if grant.Status.Phase != v1alpha1.GrantActive {
		return fmt.Errorf("has a grant of phase %q, want %q", grant.Status.Phase, v1alpha1.GrantActive)
	}
	cause, stored := grant.Spec.Causes[0], order.Of(&c.Spec)
	if len(grant.Spec.Causes) != 1 || cause.SendAt != stored.SendAt || cause.Digest != stored.Digest {
		return fmt.Errorf("has a grant as of %q, want %q", cause.SendAt, stored.SendAt)
	}
	if c.Spec.Course.ID == seatCourse {
		if seats := f.seats[v1alpha1.LocalName(grant.Name)]; len(seats) != 1 {
			return fmt.Errorf("has %d seats, want 1", len(seats))
		}
		return nil
	}
	name := fmt.Sprintf("i%d-%d", institution, c.Spec.Enrollment.ID)
	namespace, ok := f.namespaces[name]
	if !ok || !namespace.DeletionTimestamp.IsZero() || f.bindings[name] != 1 {
		return fmt.Errorf("namespace %s exists: %t, with %d bindings, want 1", name, ok, f.bindings[name])
	}
	return nil
}
