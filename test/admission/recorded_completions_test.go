// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"context"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

func completionIn(namespace string) *v1alpha1.CourseCompletion {
	completion := &v1alpha1.CourseCompletion{}
	completion.Spec = v1alpha1.CourseCompletionSpec{
		Event: v1alpha1.CompletionEvent{
			Name: "Course completed", Slug: "activities.course.completed", SendAt: "2026-01-01 00:00:00",
			SentAt: metav1.NewTime(time.Date(2026, 1, 1, 3, 0, 0, 0, time.UTC)),
		},
		Institution: v1alpha1.CompletionInstitution{ID: 12345},
		Course:      v1alpha1.CompletionCourse{ID: 1},
		Enrollment:  v1alpha1.CompletionEnrollment{ID: 2, CourseID: 1, Activated: new(true), Status: new(int32(1))},
		User:        v1alpha1.CompletionUser{ID: 3},
		Delivery:    v1alpha1.CompletionDelivery{ID: "0123"},
	}
	completion.Namespace, completion.Name = namespace, completion.Spec.Name()
	completion.Labels = map[string]string{
		v1alpha1.LabelInstitutionID: "12345", v1alpha1.LabelCourseID: "1", v1alpha1.LabelEnrollmentID: "2",
		v1alpha1.LabelUserID: "3",
	}
	return completion
}

// Whoever takes over the program that faces the internet records nothing that outlasts the recovery, and nothing where
// no such institution is.
func TestTakenOverWebhookServerRecordsOnlyWhatMayHaveHappened(t *testing.T) {
	const policy = "completion-recorded-completions"
	g, server := NewWithT(t), as(t, "completion-webhook-server")
	ns := makeNamespace(t, nil, map[string]string{annotationInstitution: "12345"})
	stored := completionIn(ns.Name)
	allows(t, func(ctx context.Context) error { return server.Create(ctx, stored) })
	held := stored.DeepCopy()
	held.Labels["people"], held.Annotations = "chose", map[string]string{"people": "wrote"}
	g.Expect(admin.Update(t.Context(), held)).To(Succeed())

	for name, edit := range map[string]func(*v1alpha1.CourseCompletion){
		"an event of a year that is far ahead": func(c *v1alpha1.CourseCompletion) {
			c.Spec.Event.SendAt = "9999-12-31 00:00:00"
			c.Spec.Event.SentAt = metav1.NewTime(time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC))
		},
		"a moment of another day": func(c *v1alpha1.CourseCompletion) {
			c.Spec.Event.SentAt = metav1.NewTime(time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC))
		},
		"a first time after the last": func(c *v1alpha1.CourseCompletion) {
			c.Spec.Event.FirstSentAt = new(metav1.NewTime(c.Spec.Event.SentAt.Add(time.Second)))
		},
		"a time that is ahead of its moment": func(c *v1alpha1.CourseCompletion) {
			c.Spec.Event.SendAt = "2099-01-01 00:00:00"
		},
		"a day that is none":      func(c *v1alpha1.CourseCompletion) { c.Spec.Event.SendAt = "2026-13-41 00:00:00" },
		"a label more":            func(c *v1alpha1.CourseCompletion) { c.Labels["a"] = "b" },
		"a label of another user": func(c *v1alpha1.CourseCompletion) { c.Labels[v1alpha1.LabelUserID] = "4" },
		"a label less":            func(c *v1alpha1.CourseCompletion) { delete(c.Labels, v1alpha1.LabelCourseID) },
		"an annotation":           func(c *v1alpha1.CourseCompletion) { c.Annotations = map[string]string{"a": "b"} },
		"an owner":                func(c *v1alpha1.CourseCompletion) { c.OwnerReferences = owners() },
	} {
		t.Run(name, func(t *testing.T) {
			// A day that is none cannot be compared, which is a refusal too.
			refusal := refuses
			if name == "a day that is none" {
				refusal = fails
			}
			fresh := completionIn(ns.Name)
			fresh.Spec.Enrollment.ID = 20
			fresh.Name, fresh.Labels[v1alpha1.LabelEnrollmentID] = fresh.Spec.Name(), "20"
			edit(fresh)
			refusal(t, policy, creates(server, fresh))
			changed := held.DeepCopy()
			edit(changed)
			refusal(t, policy, updates(server, changed))
		})
	}
	for name, edit := range map[string]func(*v1alpha1.CourseCompletion){
		"another institution":       func(c *v1alpha1.CourseCompletion) { c.Spec.Institution.ID = 777; named(c) },
		"a namespace of the system": func(c *v1alpha1.CourseCompletion) { c.Namespace = "kube-system" },
		"the operator's own":        func(c *v1alpha1.CourseCompletion) { c.Namespace = "completion-system" },
	} {
		t.Run(name, func(t *testing.T) {
			fresh := completionIn(ns.Name)
			edit(fresh)
			refuses(t, policy, creates(server, fresh))
		})
	}
	t.Run("what people added stays, and a newer delivery is taken", func(t *testing.T) {
		newer := held.DeepCopy()
		newer.Spec.Event.SendAt = "2026-01-01 00:00:01"
		newer.Spec.Event.SentAt = metav1.NewTime(time.Date(2026, 1, 1, 3, 0, 1, 0, time.UTC))
		allows(t, updates(server, newer))
	})
	t.Run("in every zone that there is", func(t *testing.T) {
		for _, hours := range []int{-14, -3, 0, 12} {
			fresh := completionIn(ns.Name)
			fresh.Spec.Enrollment.ID = 21
			fresh.Name, fresh.Labels[v1alpha1.LabelEnrollmentID] = fresh.Spec.Name(), "21"
			fresh.Spec.Event.SentAt = metav1.NewTime(time.Date(2026, 1, 1, hours, 0, 0, 0, time.UTC))
			allows(t, creates(server, fresh))
		}
	})
}

func named(c *v1alpha1.CourseCompletion) {
	c.Name, c.Labels[v1alpha1.LabelInstitutionID] = c.Spec.Name(), c.Spec.Institution.ID.String()
}

func owners() []metav1.OwnerReference {
	return []metav1.OwnerReference{{APIVersion: "v1", Kind: "ConfigMap", Name: "none", UID: "none"}}
}
