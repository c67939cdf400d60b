// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1_test

import (
	"fmt"
	"math"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// completion returns a completion whose name is that of its ids.
func completion(institution, course, enrollment, user int64) *unstructured.Unstructured {
	return written("CourseCompletion", fmt.Sprintf("%d-%d-%d-%d", institution, course, enrollment, user), object{
		"event": object{
			"name": "Course completed", "slug": v1alpha1.EventSlug,
			"sendAt": "2026-03-01 10:00:00", "sentAt": "2026-03-01T13:00:00Z",
		},
		"institution": object{"id": institution},
		"course":      object{"id": course, "name": "Vidas Secas"},
		"enrollment": object{
			"id": enrollment, "courseID": course, "dateExpire": "2027-01-31", "activated": true, "status": int64(1),
		},
		"user": object{
			"id": user, "name": "Graciliano Ramos", "email": "graciliano@example.org", "cpf": "***.***.***-25",
			"nickname": "graci", "uuid": "1c7e3b1e-4f53-4a8f-9d0c-0d8a5b8a4b51",
		},
		"delivery": object{"id": "a2b0b6ae-51f1-4a5f-8f0c-9e7c3c1d1c11"},
	})
}

func TestCourseCompletionRules(t *testing.T) {
	const (
		sendAt   = "spec.event.sendAt"
		first    = "spec.event.firstSentAt"
		expire   = "spec.enrollment.dateExpire"
		status   = "spec.enrollment.status"
		warnings = "spec.delivery.warnings"
		named    = "metadata.name must be {institution.id}-{course.id}-{enrollment.id}-{user.id}"
	)
	warning := func(i int) any { return fmt.Sprintf("Warning%d", i) }
	checkCreates(t, completion(1, 2, 3, 4), []rule{
		{"as it is", nil, nil},
		{"an enrollment that does not expire", []edit{{expire, nil}}, nil},
		{"an enrollment of another course", []edit{{"spec.enrollment.courseID", int64(9)}}, nil},
		{"another name", []edit{{"metadata.name", "1-2-3-5"}}, []string{named}},
		{"another institution", []edit{{"spec.institution.id", int64(9)}}, []string{named}},
		{"another course", []edit{{"spec.course.id", int64(9)}}, []string{named}},
		{"another enrollment", []edit{{"spec.enrollment.id", int64(9)}}, []string{named}},
		{"another user", []edit{{"spec.user.id", int64(9)}}, []string{named}},
		{"leading zeros in the name", []edit{{"metadata.name", "01-2-3-4"}}, []string{named}},
		{"a user of 0", []edit{{"spec.user.id", int64(0)}}, []string{"spec.user.id", "greater than or equal to 1"}},

		{"another event", []edit{{"spec.event.slug", "activities.course.started"}}, []string{"spec.event.slug", "Unsupported"}},
		{"no slug", []edit{{"spec.event.slug", nil}}, []string{"spec.event.slug", "Required"}},
		{"no sendAt", []edit{{sendAt, nil}}, []string{sendAt, "Required"}},
		{"sendAt with a T", []edit{{sendAt, "2026-03-01T10:00:00"}}, []string{sendAt, "should match"}},
		{"sendAt with a zone", []edit{{sendAt, "2026-03-01 10:00:00Z"}}, []string{sendAt, "may not be more than 19"}},
		{"sendAt without seconds", []edit{{sendAt, "2026-03-01 10:00"}}, []string{sendAt, "at least 19"}},
		{"no sentAt", []edit{{"spec.event.sentAt", nil}}, []string{"spec.event.sentAt", "Required"}},
		{"sentAt that is no time", []edit{{"spec.event.sentAt", "yesterday"}}, []string{"spec.event.sentAt", "date-time"}},

		{"a date in words", []edit{{expire, "January 31"}}, []string{expire, "should match"}},
		{"the 31st of February", []edit{{expire, "2026-02-31"}}, []string{expire, "must be a day of the calendar"}},
		{"the 29th of February of no leap year", []edit{{expire, "2026-02-29"}}, []string{expire, "day of the calendar"}},
		{"the 29th of February of a leap year", []edit{{expire, "2024-02-29"}}, nil},
		{"a date with a time", []edit{{expire, "2027-01-31 00:00:00"}}, []string{expire, "may not be more than 10"}},
		{"no activated", []edit{{"spec.enrollment.activated", nil}}, []string{"spec.enrollment.activated", "Required"}},
		{"not activated", []edit{{"spec.enrollment.activated", false}}, nil},
		{"no status", []edit{{status, nil}}, []string{status, "Required"}},
		{"inactive", []edit{{status, int64(0)}}, nil},
		{"a status of 2", []edit{{status, int64(2)}}, []string{status, "less than or equal to 1"}},
		{"a status of -1", []edit{{status, int64(-1)}}, []string{status, "greater than or equal to 0"}},
		{"an empty nickname", []edit{{"spec.user.nickname", ""}}, []string{"spec.user.nickname", "at least 1"}},
		{"no personal data", []edit{{"spec.user", object{"id": int64(4)}}}, nil},

		{"no delivery", []edit{{"spec.delivery", nil}}, nil},
		{"a delivery with an odd trace", []edit{{"spec.delivery.traceparent", "00-" + strings.Repeat("abc", 16) + "--01"}},
			[]string{"spec.delivery.traceparent", "should match"}},
		{"a delivery that is traced", []edit{
			{"spec.delivery.traceparent", "00-" + strings.Repeat("ab", 16) + "-" + strings.Repeat("cd", 8) + "-01"}}, nil},
		{"a delivery with an odd id", []edit{{"spec.delivery.id", "a b"}}, []string{"spec.delivery.id", "should match"}},
		{"a delivery id of 65", []edit{{"spec.delivery.id", strings.Repeat("a", 65)}}, []string{"spec.delivery.id", "more than 64"}},
		{"sixteen warnings", []edit{{warnings, list(16, warning)}}, nil},
		{"seventeen warnings", []edit{{warnings, list(17, warning)}}, []string{warnings, "at most 16"}},
		{"one warning twice", []edit{{warnings, []any{"CPFInvalid", "CPFInvalid"}}}, []string{warnings, "Duplicate"}},
		{"a warning in words", []edit{{warnings, []any{"odd cpf"}}}, []string{warnings, "should match"}},
	})
	checkUpdates(t, completion(1, 2, 3, 4), []rule{
		{"the same", nil, nil},
		{"an older sendAt", []edit{{sendAt, "2026-03-01 09:59:59"}}, []string{"event.sendAt is older than what is stored"}},
		{"the same sendAt, other content", []edit{{"spec.user.nickname", "other"}}, nil},
		{"a newer sendAt", []edit{{sendAt, "2026-03-01 10:00:01"}}, nil},
		{"a firstSentAt that was unset", []edit{{first, "2026-02-01T13:00:00Z"}}, nil},
		{"a newer one that is inactive", []edit{{sendAt, "2026-04-01 10:00:00"}, {status, int64(0)}}, nil},
		{"another institution", []edit{{"spec.institution.id", int64(9)}}, []string{"institution.id is immutable"}},
		{"another course", []edit{{"spec.course.id", int64(9)}}, []string{"course.id is immutable"}},
		{"another enrollment", []edit{{"spec.enrollment.id", int64(9)}}, []string{"enrollment.id is immutable"}},
		{"another user", []edit{{"spec.user.id", int64(9)}}, []string{"user.id is immutable"}},
	})
	const backOnly = "event.firstSentAt moves back only"
	checkUpdates(t, edited(t, completion(1, 2, 3, 5), []edit{{first, "2026-02-01T13:00:00Z"}}), []rule{
		{"an earlier firstSentAt", []edit{{first, "2026-02-01T12:59:59Z"}}, nil},
		{"a later firstSentAt", []edit{{first, "2026-02-01T13:00:01Z"}}, []string{backOnly}},
		{"no firstSentAt any more", []edit{{first, nil}}, []string{backOnly}},
	})
}

// The webhook server refuses what is longer than the constants: the schema has to take everything that they let pass.
func TestCourseCompletionLengthsAreThoseOfTheConstants(t *testing.T) {
	for path, most := range map[string]int{
		"spec.event.name":    v1alpha1.MaxEventNameLength,
		"spec.course.name":   v1alpha1.MaxCourseNameLength,
		"spec.user.name":     v1alpha1.MaxUserNameLength,
		"spec.user.email":    v1alpha1.MaxEmailLength,
		"spec.user.cpf":      v1alpha1.MaxCPFLength,
		"spec.user.nickname": v1alpha1.MaxNicknameLength,
		"spec.user.uuid":     v1alpha1.MaxUUIDLength,
	} {
		// Characters, not bytes: names have accents.
		checkCreates(t, completion(1, 2, 3, 4), []rule{
			{path + "/longest", []edit{{path, strings.Repeat("ã", most)}}, nil},
			{path + "/too long", []edit{{path, strings.Repeat("ã", most+1)}},
				[]string{path, fmt.Sprintf("may not be more than %d", most)}},
		})
	}
}

func TestCourseCompletionWithTheGreatestIDs(t *testing.T) {
	const most = int64(math.MaxInt64)
	stored := store(t, completion(most, most, most, most))
	NewWithT(t).Expect(field(stored, "spec.user.id")).To(Equal(most))
	NewWithT(t).Expect(field(stored, "status.observedGeneration")).To(Equal(int64(-1)))
}
