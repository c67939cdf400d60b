// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package expression

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// everythingKept lets expressions use every field.
var everythingKept = Scope{Privacy: v1alpha1.PrivacySpec{CPF: v1alpha1.DataKeep}}

func ada() Variables {
	return VariablesOf(&v1alpha1.CourseCompletionSpec{
		Event: v1alpha1.CompletionEvent{
			Name:   "Course completed",
			Slug:   v1alpha1.EventSlug,
			SendAt: "2026-08-01 21:30:00",
			SentAt: metav1.NewTime(time.Date(2026, 8, 1, 21, 30, 0, 0, time.FixedZone("", -3*60*60))),
		},
		Institution: v1alpha1.CompletionInstitution{ID: 42},
		Course:      v1alpha1.CompletionCourse{ID: 123456, Name: "Go for Kubernetes"},
		Enrollment: v1alpha1.CompletionEnrollment{
			ID: 9223372036854775807, CourseID: 654321, DateExpire: "2026-12-31", Activated: new(true), Status: new(int32(1)),
		},
		User: v1alpha1.CompletionUser{
			ID: 987654321, Name: "Ada", Email: "ada@example.com", CPF: "12345678901", Nickname: "countess", UUID: "u-1",
		},
	})
}

func compiler(t testing.TB, scope Scope) *Compiler {
	t.Helper()
	c, err := NewCompiler(scope)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestTemplateYields(t *testing.T) {
	c := compiler(t, everythingKept)
	for _, tc := range []struct {
		name, text string
		want       any
		wantText   string
		noText     bool
	}{
		{name: "literal text", text: "grad", want: "grad", wantText: "grad"},
		{name: "nothing", text: "", want: "", wantText: ""},
		{name: "an id in text", text: "grad-${user.id}", want: "grad-987654321", wantText: "grad-987654321"},
		{name: "a whole id", text: "${user.id}", want: int64(987654321), wantText: "987654321"},
		{
			name: "the greatest id", text: "${enrollment.id}",
			want: int64(9223372036854775807), wantText: "9223372036854775807",
		},
		{
			name: "the greatest id in text", text: "e${enrollment.id}",
			want: "e9223372036854775807", wantText: "e9223372036854775807",
		},
		{
			name: "every number", text: "${institution.id}-${course.id}-${enrollment.courseID}-${enrollment.status}",
			want: "42-123456-654321-1", wantText: "42-123456-654321-1",
		},
		{
			name: "every text of the user", text: "${user.name},${user.email},${user.cpf},${user.nickname},${user.uuid}",
			want:     "Ada,ada@example.com,12345678901,countess,u-1",
			wantText: "Ada,ada@example.com,12345678901,countess,u-1",
		},
		{
			name:     "every other text",
			text:     "${event.name},${event.slug},${event.sendAt},${course.name},${enrollment.dateExpire}",
			want:     "Course completed,activities.course.completed,2026-08-01 21:30:00,Go for Kubernetes,2026-12-31",
			wantText: "Course completed,activities.course.completed,2026-08-01 21:30:00,Go for Kubernetes,2026-12-31",
		},
		{name: "a truth value", text: "${enrollment.activated}", want: true, wantText: "true"},
		{name: "a moment", text: "${event.sentAt}", want: "2026-08-02T00:30:00Z", wantText: "2026-08-02T00:30:00Z"},
		{
			name: "a moment as text", text: "${string(event.sentAt)}",
			want: "2026-08-02T00:30:00Z", wantText: "2026-08-02T00:30:00Z",
		},
		{name: "an hour in UTC", text: "${event.sentAt.getHours()}", want: int64(0), wantText: "0"},
		{name: "a duration", text: "${duration('90m')}", want: "5400s", wantText: "5400s"},
		{name: "a large double", text: "${1.0e15}", want: 1e15, wantText: "1000000000000000"},
		{name: "a double", text: "${0.5}", want: 0.5, wantText: "0.5"},
		{name: "an unsigned number", text: "${7u}", want: int64(7), wantText: "7"},
		{name: "null", text: "${null}", want: nil, noText: true},
		{
			name: "a list", text: "${[user.id, 1]}", want: []any{int64(987654321), int64(1)}, noText: true,
		},
		{
			name: "a map", text: "${ {'id': user.id, 'tags': ['a']} }",
			want: map[string]any{"id": int64(987654321), "tags": []any{"a"}}, noText: true,
		},
		{name: "spaces around an expression", text: "${ user.id }", want: int64(987654321), wantText: "987654321"},
		{name: "a choice", text: "${has(user.uuid) ? 'has' : 'none'}", want: "has", wantText: "has"},
		{name: "text functions", text: "${user.name.lowerAscii().replace('a', 'o')}", want: "odo", wantText: "odo"},
		{name: "part of a number's text", text: "${string(user.id).substring(3)}", want: "654321", wantText: "654321"},
		{name: "format", text: "${'%d/%s'.format([user.id, user.name])}", want: "987654321/Ada", wantText: "987654321/Ada"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			template, err := c.Template(tc.text, UseValue)
			if err != nil {
				t.Fatal(err)
			}
			got, err := template.Eval(ada())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("Eval (-want +got):\n%s", diff)
			}
			text, err := template.String(ada())
			if tc.noText != (err != nil) {
				t.Fatalf("String error %v, want one: %t", err, tc.noText)
			}
			if text != tc.wantText {
				t.Errorf("String %q, want %q", text, tc.wantText)
			}
		})
	}
}

func TestTemplateSyntax(t *testing.T) {
	c := compiler(t, Scope{})
	for _, tc := range []struct{ name, text, want string }{
		{"a dollar alone", "$", "$"},
		{"two dollars", "$$", "$$"},
		{"a dollar before text", "$5 and $(x)", "$5 and $(x)"},
		{"braces alone", "{a} }{", "{a} }{"},
		{"an escape", "$${user.id}", "${user.id}"},
		{"an escape after a dollar", "$$${user.id}", "$${user.id}"},
		{"an escape next to an expression", "$${${course.id}", "${1"},
		{"a dollar before an expression", "${'$'}${course.id}", "$1"},
		{"neighbours", "${course.id}${course.id}", "11"},
		{"a brace in double quotes", `${"}"}`, "}"},
		{"a brace in single quotes", `${'}'}`, "}"},
		{"an escaped quote", `${'\'}'}`, "'}"},
		{"an escaped backslash", `${'\\'}`, `\`},
		{"a raw string ends in a backslash", `${r'\'}`, `\`},
		{"a raw string after other text", `${'a' + R"\" + '}'}`, `a\}`},
		{"a word that ends in r is no prefix", `${[1].all(bar, "\"}" != "" && bar == 1)}`, "true"},
		{"a quote in triple quotes", `${'''a'}"b'''}`, `a'}"b`},
		{"a line break in triple quotes", "${\"\"\"a\n}\"\"\"}", "a\n}"},
		{"a raw string in triple quotes", `${r"""\"""}`, `\`},
		{"bytes", `${string(b'}')}`, "}"},
		{"raw bytes", `${string(br'\')}`, `\`},
		{"a map", "${{'a': {'b': course.id}}['a']['b']}", "1"},
		{"a comment", "${course.id // } ' \"\n}", "1"},
		{"a division is no comment", "${4 / 2}", "2"},
		{"slashes in a string are no comment", "${'//'}", "//"},
		{"an expression in a string is not evaluated", "${'${course.id}'}", "${course.id}"},
		{"other scripts", "é${'日本'}ü", "é日本ü"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			template, err := c.Template(tc.text, UseText)
			if err != nil {
				t.Fatal(err)
			}
			got, err := template.String(Variables{Course: Course{ID: 1}})
			if err != nil {
				t.Fatal(err)
			}
			if got != tc.want {
				t.Errorf("%q yields %q, want %q", tc.text, got, tc.want)
			}
		})
	}
}

func TestTemplateLiteral(t *testing.T) {
	c := compiler(t, Scope{})
	for _, tc := range []struct {
		text, want string
		wantIs     bool
	}{
		{text: "", want: "", wantIs: true},
		{text: "a", want: "a", wantIs: true},
		{text: "$${a}", want: "${a}", wantIs: true},
		{text: "${user.id}"},
		{text: "a-${user.id}"},
		{text: "${'constant'}", want: "constant", wantIs: true},
		{text: "sys${'tem' + ':'}${1 + 1}", want: "system:2", wantIs: true},
		{text: "a-${'b'}-${user.id}"},
		{text: "${''}"},
	} {
		template, err := c.Template(tc.text, UseMetadata)
		if err != nil {
			t.Fatal(err)
		}
		if got, is := template.Literal(); got != tc.want || is != tc.wantIs {
			t.Errorf("Literal of %q is %q, %t, want %q, %t", tc.text, got, is, tc.want, tc.wantIs)
		}
	}
}

// What uses no variable fails when the policy is written, or never.
func TestConstantThatFails(t *testing.T) {
	_, err := compiler(t, Scope{}).Template("a${1 / 0}b${'x'.substring(3)}", UseMetadata)
	if want := "column 6: 1 / 0: division by zero\ncolumn 26: 'x'.substring(3): index out of range"; err == nil ||
		err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// A value keeps its type where it is a whole expression.
func TestConstantKeepsItsType(t *testing.T) {
	template, err := compiler(t, Scope{}).Template("${1 + 1}", UseValue)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := template.Eval(Variables{}); err != nil || got != int64(2) {
		t.Errorf("got %v (%T), %v, want the number 2", got, got, err)
	}
}

func TestPredicateDecides(t *testing.T) {
	for _, tc := range []struct {
		text string
		want bool
	}{
		{"course.id == 123456 && enrollment.status == 1", true},
		{"course.id == 123457", false},
		{"course.id in [1, 123456]", true},
		{"enrollment.id == 9223372036854775807", true},
		{"enrollment.courseID != course.id", true},
		{"user.email.endsWith('@example.com')", true},
		{"user.email.matches('^[a-c]+@')", false},
		{"event.sentAt < timestamp('2027-01-01T00:00:00Z')", true},
		{"enrollment.dateExpire == ''", false},
		{"user.id > 987654320.5", true},
	} {
		// The two scopes see the same variables: a predicate looks at one completion.
		for _, grantPer := range []v1alpha1.GrantPer{v1alpha1.GrantPerCompletion, v1alpha1.GrantPerUser} {
			predicate, err := compiler(t, Scope{GrantPer: grantPer}).Predicate(tc.text)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := predicate.Eval(ada()); err != nil || got != tc.want {
				t.Errorf("%s per %s is %t, %v, want %t", tc.text, grantPer, got, err, tc.want)
			}
		}
	}
}

func TestVariablesOfEmptyCompletion(t *testing.T) {
	want := Variables{Event: Event{SentAt: time.Time{}}}
	if diff := cmp.Diff(want, VariablesOf(&v1alpha1.CourseCompletionSpec{})); diff != "" {
		t.Errorf("variables (-want +got):\n%s", diff)
	}
	for text, want := range map[string]any{
		"${user.email}":            "",
		"${has(user.email)}":       false,
		"${enrollment.activated}":  false,
		"${enrollment.status}":     int64(0),
		"${enrollment.dateExpire}": "",
	} {
		template, err := compiler(t, Scope{}).Template(text, UseValue)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := template.Eval(VariablesOf(&v1alpha1.CourseCompletionSpec{})); err != nil || got != want {
			t.Errorf("%s yields %v, %v, want %v", text, got, err, want)
		}
	}
}

func TestNewCompilerRefusesUnknownGrantPer(t *testing.T) {
	_, err := NewCompiler(Scope{GrantPer: "Planet"})
	if want := `grantPer "Planet" is unknown: use Completion or User`; err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}
