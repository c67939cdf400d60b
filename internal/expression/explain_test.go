// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package expression

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

func TestExplain(t *testing.T) {
	t.Parallel()
	values := Variables{
		Course: Course{ID: 7, Name: `Go "one"`}, Enrollment: Enrollment{Status: 0, Activated: true},
		User: User{ID: 5, Name: "Ana", Email: "ana@example.edu", CPF: "52998224725"},
	}
	saw := func(field, value string) Seen { return Seen{Field: field, Value: value} }
	hidden := func(field string) Seen { return Seen{Field: field, Hidden: true} }
	for name, tc := range map[string]struct {
		text     string
		personal bool
		want     []Condition
	}{
		"one condition": {
			text: "course.id in [8,9]",
			want: []Condition{{Text: "course.id in [8, 9]", Saw: []Seen{saw("course.id", "7")}}},
		},
		"the topmost && take apart, and nothing else": {
			text: "enrollment.activated && (course.id == 7 && enrollment.status == 1) && (course.id == 8 || course.id == 9)",
			want: []Condition{
				{Text: "enrollment.activated", Holds: true, Saw: []Seen{saw("enrollment.activated", "true")}},
				{Text: "course.id == 7", Holds: true, Saw: []Seen{saw("course.id", "7")}},
				{Text: "enrollment.status == 1", Saw: []Seen{saw("enrollment.status", "0")}},
				{Text: "course.id == 8 || course.id == 9", Saw: []Seen{saw("course.id", "7")}},
			},
		},
		"a macro reads as it was written": {
			text: "['Go', 'C'].exists(l, course.name == l)",
			want: []Condition{{Text: `["Go", "C"].exists(l, course.name == l)`,
				Saw: []Seen{saw("course.name", `"Go \"one\""`)}}},
		},
		"personal data is left out, and what it is compared with": {
			text: "user.email.endsWith('@example.org') && user.id == 5 && user.name.size() > 30",
			want: []Condition{
				{Text: "user.email.endsWith(…)", Saw: []Seen{hidden("user.email")}},
				{Text: "user.id == 5", Holds: true, Saw: []Seen{saw("user.id", "5")}},
				{Text: "user.name.size() > …", Saw: []Seen{hidden("user.name")}},
			},
		},
		"personal data is shown where it is asked for": {
			text: "user.email.endsWith('@example.org')", personal: true,
			want: []Condition{{Text: `user.email.endsWith("@example.org")`,
				Saw: []Seen{saw("user.email", `"ana@example.edu"`)}}},
		},
		"so is no literal of any form": {
			text: `user.email in ["""a'b""", r'c\', 'd"e'] || int(user.cpf) == 52998224725 || 0x1F == user.name.size()`,
			want: []Condition{{Text: "user.email in […, …, …] || int(user.cpf) == … || … == user.name.size()", Holds: true,
				Saw: []Seen{hidden("user.email"), hidden("user.cpf"), hidden("user.name")}}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			compiler, err := NewCompiler(Scope{Privacy: allKept})
			if err != nil {
				t.Fatal(err)
			}
			predicate, err := compiler.Predicate(tc.text)
			if err != nil {
				t.Fatal(err)
			}
			got, err := predicate.Explain(values, tc.personal)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// What fails is told without a value, and the parts together say what the whole says.
func TestExplainTellsWhatFails(t *testing.T) {
	t.Parallel()
	compiler, err := NewCompiler(Scope{Privacy: v1alpha1.PrivacySpec{}})
	if err != nil {
		t.Fatal(err)
	}
	predicate, err := compiler.Predicate("user.id == 5 && user.name.split(' ')[1] == 'Souza'")
	if err != nil {
		t.Fatal(err)
	}
	got, err := predicate.Explain(Variables{User: User{ID: 5, Name: "Ana"}}, false)
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 2 || got[1].Err == nil || !strings.Contains(got[1].Err.Error(), reasonIndex) {
		t.Fatalf("got %+v", got)
	}
	if text := got[1].Text + got[1].Err.Error(); strings.Contains(text, "Ana") {
		t.Errorf("a personal value is told: %s", text)
	}
}
