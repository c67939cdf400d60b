// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1_test

import (
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

func register() *unstructured.Unstructured {
	return written("ErasureRegister", v1alpha1.ErasureRegisterName, object{
		"key": strings.Repeat("k", 43), "people": []any{erasedPerson(0)},
	})
}

func erasedPerson(int) any {
	return object{
		"user": strings.Repeat("u", 21) + "Q", "erasedAt": "2026-08-01T12:00:00Z", "enrollments": []any{strings.Repeat("e", 21) + "g"},
	}
}

func TestErasureRegisterRules(t *testing.T) {
	people := func(field string, value any) []edit {
		person := erasedPerson(0).(object)
		if person[field] = value; value == nil {
			delete(person, field)
		}
		return []edit{{"spec.people", []any{person}}}
	}
	digest := func(int) string { return strings.Repeat("e", 21) + "g" }
	checkCreates(t, register(), []rule{
		{"as it is", nil, nil},
		{"nobody", []edit{{"spec.people", nil}}, nil},
		{"another name", []edit{{"metadata.name", "others"}}, []string{"metadata.name must be erasures"}},
		{"no key", []edit{{"spec.key", nil}}, []string{"spec.key", "Required"}},
		{"a short key", []edit{{"spec.key", "k"}}, []string{"spec.key", "at least 43"}},
		{"a key that is no base64url", []edit{{"spec.key", strings.Repeat("+", 43)}}, []string{"spec.key", "should match"}},
		// 43 characters hold 258 bits, and 22 hold 132: programs that read base64 strictly refuse what is left over.
		{"a key with bits left over", []edit{{"spec.key", strings.Repeat("A", 42) + "B"}}, []string{"spec.key", "should match"}},
		{"a user with bits left over", people("user", strings.Repeat("A", 21)+"B"),
			[]string{"spec.people[0].user", "should match"}},
		{"an enrollment with bits left over", people("enrollments", []any{strings.Repeat("A", 21) + "B"}),
			[]string{"spec.people[0].enrollments[0]", "should match"}},
		{"a user id", people("user", "987654321"), []string{"spec.people[0].user", "at least 22"}},
		{"a long key", []edit{{"spec.key", strings.Repeat("k", 44)}}, []string{"spec.key", "Too long"}},
		{"a user of other characters", people("user", strings.Repeat("+", 22)),
			[]string{"spec.people[0].user", "should match"}},
		{"a longer user", people("user", strings.Repeat("u", 23)), []string{"spec.people[0].user", "Too long"}},
		{"an enrollment id", people("enrollments", []any{"11"}), []string{"spec.people[0].enrollments[0]", "at least 22"}},
		{"an enrollment of other characters", people("enrollments", []any{strings.Repeat("=", 22)}),
			[]string{"spec.people[0].enrollments[0]", "should match"}},
		{"a time before all others", people("erasedAt", "0999-12-31T23:59:59Z"),
			[]string{"spec.people[0].erasedAt", "must be a time of the years 1000 to 9999"}},
		{"no user", people("user", nil), []string{"spec.people[0].user", "Required"}},
		{"no time", people("erasedAt", nil), []string{"spec.people[0].erasedAt", "Required"}},
		{"no enrollments", people("enrollments", nil), nil},
		{"as many enrollments as it takes", people("enrollments", list(v1alpha1.MaxErasedEnrollments, digest)), nil},
		{"more enrollments", people("enrollments", list(v1alpha1.MaxErasedEnrollments+1, digest)),
			[]string{"spec.people[0].enrollments", "at most 1000"}},
		{"as many people as it takes", []edit{{"spec.people", list(v1alpha1.MaxErasedPeople, erasedPerson)}}, nil},
		{"more people", []edit{{"spec.people", list(v1alpha1.MaxErasedPeople+1, erasedPerson)}},
			[]string{"spec.people", "at most 5000"}},
	})
	checkUpdates(t, register(), []rule{
		{"others", people("user", strings.Repeat("v", 21)+"w"), nil},
		{"another key", []edit{{"spec.key", strings.Repeat("l", 42) + "0"}}, []string{"key is immutable"}},
	})
}

// Nobody is told on a screen what the key is.
func TestColumnsOfAnErasureRegister(t *testing.T) {
	g := NewWithT(t)
	store(t, register())
	wide := kubectl(t, "get", "erasureregisters", "-o", "wide")
	g.Expect(strings.Fields(strings.Split(wide, "\n")[0])).To(Equal([]string{"NAME", "AGE"}))
}
