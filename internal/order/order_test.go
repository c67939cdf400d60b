// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package order

import (
	"encoding/json"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// sample is the contract's example as it is stored.
func sample(change func(*v1alpha1.CourseCompletionSpec)) *v1alpha1.CourseCompletionSpec {
	spec := &v1alpha1.CourseCompletionSpec{
		Event: v1alpha1.CompletionEvent{
			Name: "Atividades - Curso concluído", Slug: v1alpha1.EventSlug, SendAt: "2023-07-03 12:53:41",
			SentAt: metav1.NewTime(time.Date(2023, 7, 3, 15, 53, 41, 0, time.UTC)),
		},
		Institution: v1alpha1.CompletionInstitution{ID: 12345},
		Course:      v1alpha1.CompletionCourse{ID: 123456, Name: "Course Name"},
		Enrollment: v1alpha1.CompletionEnrollment{
			ID: 11, CourseID: 123456789, Activated: new(true), Status: new(int32(1)),
		},
		User: v1alpha1.CompletionUser{
			ID: 987654321, Name: "Student", Email: "student@toolzz.com", CPF: "***.***.***-99",
		},
		Delivery: v1alpha1.CompletionDelivery{ID: "a", Warnings: []v1alpha1.DeliveryWarning{"CPFInvalid"}},
	}
	change(spec)
	return spec
}

func TestCompare(t *testing.T) {
	same := func(*v1alpha1.CourseCompletionSpec) {}
	for _, tc := range []struct {
		name   string
		change func(*v1alpha1.CourseCompletionSpec)
		// want is how the changed one compares with the unchanged one; other means greater or less, but not equal.
		want string
	}{
		{"the same", same, "equal"},
		{"another delivery of the same", func(s *v1alpha1.CourseCompletionSpec) { s.Delivery.ID = "b" }, "equal"},
		{"other warnings", func(s *v1alpha1.CourseCompletionSpec) { s.Delivery.Warnings = nil }, "equal"},
		{"another zone", func(s *v1alpha1.CourseCompletionSpec) { s.Event.SentAt = metav1.Time{} }, "equal"},
		{"a second later", func(s *v1alpha1.CourseCompletionSpec) { s.Event.SendAt = "2023-07-03 12:53:42" }, "greater"},
		{"a second earlier", func(s *v1alpha1.CourseCompletionSpec) { s.Event.SendAt = "2023-07-03 12:53:40" }, "less"},
		{"a year later", func(s *v1alpha1.CourseCompletionSpec) { s.Event.SendAt = "2024-01-01 00:00:00" }, "greater"},
		{"later, whatever the digest", func(s *v1alpha1.CourseCompletionSpec) {
			s.Event.SendAt, s.User.Name = "2023-07-03 12:53:42", "x"
		}, "greater"},
		{"event name", func(s *v1alpha1.CourseCompletionSpec) { s.Event.Name = "" }, "other"},
		{"course name", func(s *v1alpha1.CourseCompletionSpec) { s.Course.Name = "Another" }, "other"},
		{"course in the enrollment", func(s *v1alpha1.CourseCompletionSpec) { s.Enrollment.CourseID = 1 }, "other"},
		{"expiry", func(s *v1alpha1.CourseCompletionSpec) { s.Enrollment.DateExpire = "2024-01-01" }, "other"},
		{"activated", func(s *v1alpha1.CourseCompletionSpec) { s.Enrollment.Activated = new(false) }, "other"},
		{"status", func(s *v1alpha1.CourseCompletionSpec) { s.Enrollment.Status = new(int32(0)) }, "other"},
		{"user name", func(s *v1alpha1.CourseCompletionSpec) { s.User.Name = "" }, "other"},
		{"email", func(s *v1alpha1.CourseCompletionSpec) { s.User.Email = "" }, "other"},
		{"cpf", func(s *v1alpha1.CourseCompletionSpec) { s.User.CPF = "" }, "other"},
		{"nickname", func(s *v1alpha1.CourseCompletionSpec) { s.User.Nickname = "x" }, "other"},
		{"uuid", func(s *v1alpha1.CourseCompletionSpec) { s.User.UUID = "x" }, "other"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			base, changed := Of(sample(same)), Of(sample(tc.change))
			forward, back := Compare(changed, base), Compare(base, changed)
			if forward != -back {
				t.Errorf("one way %d, the other way %d", forward, back)
			}
			got := map[int]string{-1: "less", 0: "equal", 1: "greater"}[forward]
			if got != tc.want && (tc.want != "other" || got == "equal") {
				t.Errorf("got %s, want %s", got, tc.want)
			}
		})
	}
}

// Replicas of different versions must agree, also across an upgrade: this digest never changes.
func TestTheDigestIsForEver(t *testing.T) {
	want := Key{
		SendAt: "2023-07-03 12:53:41",
		Digest: "c66c2b74f6c75b37d56a378bf5f9543cc3905718054d6c17d07953215f9f0fdc",
	}
	if got := Of(sample(func(*v1alpha1.CourseCompletionSpec) {})); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestWhatIsStoredHasTheSameKey(t *testing.T) {
	spec := sample(func(*v1alpha1.CourseCompletionSpec) {})
	before := Of(spec)
	text, err := json.Marshal(spec)
	if err != nil {
		t.Fatal(err)
	}
	var stored v1alpha1.CourseCompletionSpec
	if err := json.Unmarshal(text, &stored); err != nil {
		t.Fatal(err)
	}
	if got := Of(&stored); got != before {
		t.Errorf("got %+v, want %+v", got, before)
	}
	if spec.Delivery.ID != "a" || spec.Event.SentAt.IsZero() {
		t.Error("taking the key changed the spec")
	}
}
