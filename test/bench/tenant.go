// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/sender"
	"github.com/lxp-dev/course-completion-operator/test/system"
)

const (
	// course is what people of a tenant complete, and idle a course that no policy wants.
	course, idle v1alpha1.PlatformID = 123456, 654321
	// podsBefore is the quota of the policy lab as it is made.
	podsBefore = "10"
	// settleTimeout bounds how long the controllers may take to do everything that a figure gives them; far above what
	// any takes, and for the large size on a machine that is busy.
	settleTimeout = 30 * time.Minute
)

// tenant is an institution of its own for one figure, so that what the figures before left behind is not in the way.
type tenant struct {
	*system.Institution
	w      *world
	prefix string
	// users and enrollments count, so that every person and every completion is new.
	users, enrollments int
}

// openTenant opens another institution. The controller-manager has to run.
func (w *world) openTenant(ctx context.Context) (*tenant, error) {
	w.tenants++
	id := v1alpha1.PlatformID(8000 + w.tenants)
	institution, err := w.system.OpenInstitution(ctx, w.admin, id, func(spec *v1alpha1.InstitutionSpec) {
		spec.RevocationBudget, spec.MaxNamespaces = new(int32(100_000)), new(int32(100_000))
	})
	if err != nil {
		return nil, err
	}
	return &tenant{Institution: institution, w: w, prefix: fmt.Sprintf("i%d-", id)}, nil
}

// applyPolicy makes a policy and waits until it is in effect.
func (t *tenant) applyPolicy(ctx context.Context, name string, spec v1alpha1.CompletionPolicySpec) error {
	policy := &v1alpha1.CompletionPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: t.Namespace, Name: name}, Spec: spec}
	if err := t.w.admin.Create(ctx, policy); err != nil {
		return fmt.Errorf("making policy %s: %w", name, err)
	}
	return t.awaitPolicy(ctx, policy)
}

// awaitPolicy waits until a policy is in effect as it is.
func (t *tenant) awaitPolicy(ctx context.Context, policy *v1alpha1.CompletionPolicy) error {
	return system.WaitFor(ctx, settleTimeout, func(ctx context.Context) error {
		if err := t.w.admin.Get(ctx, client.ObjectKeyFromObject(policy), policy); err != nil {
			return err
		}
		ready := meta.FindStatusCondition(policy.Status.Conditions, v1alpha1.ConditionReady)
		if ready == nil || ready.ObservedGeneration != policy.Generation || ready.Status != metav1.ConditionTrue {
			return fmt.Errorf("policy %s is not Ready", policy.Name)
		}
		return nil
	})
}

// lab is a policy that grants a namespace with quota, limits, isolation and access.
func (t *tenant) lab() v1alpha1.CompletionPolicySpec {
	quantity := func(name string, value v1alpha1.QuantityTemplate) map[string]v1alpha1.QuantityTemplate {
		return map[string]v1alpha1.QuantityTemplate{name: value}
	}
	return v1alpha1.CompletionPolicySpec{
		GrantPer: v1alpha1.GrantPerUser,
		Match:    v1alpha1.PolicyMatch{CourseIDs: []v1alpha1.PlatformID{course}},
		Namespaces: []v1alpha1.NamespaceTemplate{{
			Name:          v1alpha1.Template(t.prefix + "${user.id}"),
			ResourceQuota: v1alpha1.ResourceQuotaTemplate{Hard: quantity("count/pods", podsBefore)},
			Limits: []v1alpha1.LimitTemplate{{
				Type: "Container", Default: quantity("memory", "512Mi"), DefaultRequest: quantity("memory", "128Mi"),
			}},
			Access: []v1alpha1.AccessTemplate{{Subjects: []v1alpha1.SubjectTemplate{{Name: "${user.email}"}}}},
		}},
		Lifetime:        v1alpha1.Lifetime{GraceDays: new(int32(0))},
		OnPolicyRemoval: v1alpha1.RemovalDelete,
	}
}

// numbered returns the number of the nth person or enrollment. In the text of an object it stands for nothing else.
func numbered(n int) v1alpha1.PlatformID { return v1alpha1.PlatformID(7_000_000 + n) }

// student is somebody with one completion, and the delivery of it.
type student struct {
	namespace, completion string
	body                  []byte
}

// students returns n people whom nobody has heard of yet, each with a completion of a course.
func (t *tenant) students(n int, course v1alpha1.PlatformID) ([]student, error) {
	made := make([]student, n)
	for i := range made {
		t.users++
		var err error
		if made[i], err = t.completion(numbered(t.users), course); err != nil {
			return nil, err
		}
	}
	return made, nil
}

// completion returns one more completion of a user.
func (t *tenant) completion(user, course v1alpha1.PlatformID) (student, error) {
	t.enrollments++
	enrollment := numbered(t.enrollments)
	body, err := sender.Example(map[string]any{
		"institution.id": t.ID, "course.id": course, "enrollment.id": enrollment, "user.id": user,
		"user.name": fmt.Sprintf("Student %d", user), "user.email": fmt.Sprintf("student.%d@example.com", user),
	})
	return student{
		namespace:  fmt.Sprintf("%s%d", t.prefix, user),
		completion: fmt.Sprintf("%d-%d-%d-%d", t.ID, course, enrollment, user),
		body:       body,
	}, err
}

// deliver sends the completions of some people over all connections, and returns when all are acknowledged.
func (t *tenant) deliver(ctx context.Context, people []student) error {
	platform := sender.NewClient(connections, deliveryTimeout, nil)
	defer platform.Close()
	_, err := eachOf(len(people), connections, func(i int) error {
		return post(ctx, platform, t.URLs[0], people[i].body)
	})
	return err
}

// post sends one delivery; that it is not acknowledged is an error.
func post(ctx context.Context, platform *sender.Client, url string, body []byte) error {
	answer, err := platform.Post(ctx, url, body)
	if err != nil {
		return err
	}
	if answer.Status != http.StatusOK {
		return fmt.Errorf("a delivery was answered %d", answer.Status)
	}
	return nil
}

func firstOf(failures []error) error {
	for _, err := range failures {
		if err != nil {
			return err
		}
	}
	return nil
}
