// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package expression

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTemplateErrors(t *testing.T) {
	const open = "missing } for the expression that starts here: close it, or write $${ for a literal ${"
	for _, tc := range []struct {
		name, text, want string
		use              Use
	}{
		{name: "an unknown field", text: "grad-${user.emial}", want: "column 12: user.emial: undefined field 'emial'"},
		{name: "an unknown variable", text: "${usr.id}", want: "column 3: usr.id: undeclared reference to 'usr'"},
		{name: "on a later line", text: "a\n b ${foo}", want: "line 2, column 6: foo: undeclared reference to 'foo'"},
		{
			name: "on a later line of the expression", text: "é${\n  foo}",
			want: "line 2, column 3: foo: undeclared reference to 'foo'",
		},
		{name: "columns count characters", text: "日本${foo}", want: "column 5: foo: undeclared reference to 'foo'"},
		{
			name: "every one is told", text: "${foo}-${bar + baz}",
			want: "column 3: foo: undeclared reference to 'foo'\n" +
				"column 10: bar + baz: undeclared reference to 'bar'\n" +
				"column 16: bar + baz: undeclared reference to 'baz'",
		},
		{
			name: "wrong types", text: "${'a' + user.id}",
			want: "column 7: 'a' + user.id: found no matching overload for '_+_' applied to '(string, int)'",
		},
		{name: "ids are no doubles", text: "${user.id == 1.5}", want: "column 11: user.id == 1.5: " +
			"found no matching overload for '_==_' applied to '(int, double)'"},
		{name: "wrong syntax", text: "${1 +}", want: "column 6: 1 +: Syntax error: unexpected end"},
		{name: "empty", text: "a${ }", want: "column 4: the expression is empty"},
		{name: "open", text: "a-${user.id", want: "column 3: ${user.id: " + open},
		{name: "open by a quote", text: "a\n${'}", want: "line 2, column 1: ${'}: " + open},
		{name: "open by a comment", text: "${1 // }", want: "column 1: ${1 // }: " + open},
		{name: "open by a line break in quotes", text: "${'\n'}", want: "column 1: ${' '}: " + open},
		{name: "open by a map", text: "${{'a': 1}", want: "column 1: ${{'a': 1}: " + open},
		{
			name: "no zone-less present", text: "${now()}",
			want: "column 6: now(): undeclared reference to 'now'",
		},
		{
			name: "a list within text", text: "a-${[1]}",
			want: "column 5: [1]: the expression must yield a string, a number or a bool, but yields list(int)",
		},
		{
			name: "a list as metadata", text: "${[1]}", use: UseMetadata,
			want: "column 3: [1]: the expression must yield a string, a number or a bool, but yields list(int)",
		},
		{
			name: "a whole variable", text: "${course}",
			want: "column 3: course: the expression must yield a string, a number, a bool, a list or a map, " +
				"but yields the whole course: select one of its fields",
		},
		{
			name: "a regular expression that is none", text: "${'a'.matches('(')}",
			want: "column 15: 'a'.matches('('): the regular expression is invalid: error parsing regexp: " +
				"missing closing ): `(`",
		},
		{
			name: "a regular expression that explodes", text: "${'a'.matches('(a{1000}){1000}')}",
			want: "column 15: 'a'.matches('(a{1000}){1000}'): the regular expression is invalid: error parsing regexp: " +
				"invalid repeat count: `{1000}`",
		},
		{
			name: "a large regular expression", text: "${matches('a', '(a{999})')}",
			want: "column 16: matches('a', '(a{999})'): the regular expression compiles to 1003 instructions, " +
				"at most 512 are allowed: make it shorter or its counts smaller",
		},
		{
			name: "a value as regular expression", text: "${'a'.matches(course.name)}",
			want: "column 21: 'a'.matches(course.name): the regular expression must be a string literal",
		},
		{
			name: "macros nested too deep", text: "${[1].all(a, [1].all(b, [1].all(c, [1].all(d, true))))}",
			want: "column 43: [1].all(a, [1].all(b, [1].all(c, [1].all(d, true)))): " +
				"all, exists, map and filter may be nested or chained at most 3 levels deep",
		},
		{name: "a constant that cannot be", text: "${int('x')}", want: "column 3: int('x'): " +
			"type conversion error from 'string' to 'int'"},
		{name: "not UTF-8", text: "a\xff", want: "column 1: the text is not valid UTF-8"},
		{
			name: "too long", text: strings.Repeat("a", MaxLength+1),
			want: "column 4097: " + strings.Repeat("a", 120) + "...: the text has 4097 characters, at most 4096 are allowed",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			use := tc.use
			if use == "" {
				use = UseValue
			}
			_, err := compiler(t, Scope{}).Template(tc.text, use)
			if diff := cmp.Diff(tc.want, message(err)); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
		})
	}
}

func TestPredicateErrors(t *testing.T) {
	for _, tc := range []struct{ name, text, want string }{
		{
			name: "a number", text: "user.id",
			want: "column 1: user.id: the expression must yield a bool, but yields int",
		},
		{
			name: "a type known only later", text: "dyn(true)",
			want: "column 1: dyn(true): the expression must yield a bool, but yields dyn",
		},
		{
			name: "a template", text: " ${user.id == 1}",
			want: "column 2: ${user.id == 1}: must be a bare expression: remove ${ and }",
		},
		{name: "an unknown field", text: "course.id == 1 && course.ident == 2", want: "column 25: " +
			"course.id == 1 && course.ident == 2: undefined field 'ident'"},
		{name: "empty", text: " ", want: "column 1: the expression is empty"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := compiler(t, Scope{}).Predicate(tc.text)
			if diff := cmp.Diff(tc.want, message(err)); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
		})
	}
}

func TestErrorsAreBounded(t *testing.T) {
	_, err := compiler(t, Scope{}).Template(strings.Repeat("${foo}", 100), UseText)
	if got := len(strings.Split(message(err), "\n")); got != maxErrors {
		t.Errorf("%d errors, want %d", got, maxErrors)
	}
	first, ok := errors.AsType[*Error](err)
	want := &Error{Expression: "foo", Line: 1, Column: 3, Message: "undeclared reference to 'foo'"}
	if !ok || *first != *want {
		t.Errorf("first error %+v, want %+v", first, want)
	}
}

func TestEvaluationErrorsQuoteNoValues(t *testing.T) {
	const secret = "Xyzzy-7"
	v := ada()
	v.User.Name, v.User.Email = secret, secret
	for _, tc := range []struct{ name, text, want string }{
		{"no such key", "a${{'a': 1}[user.name]}", "column 12: {'a': 1}[user.name]: no such key"},
		{"division", "${1 / (user.id - user.id)}", "column 5: 1 / (user.id - user.id): division by zero"},
		{"modulus", "${1 % (user.id - user.id)}", "column 5: 1 % (user.id - user.id): division by zero"},
		{"a list's index", "${[user.name][3]}", "column 14: [user.name][3]: index out of range"},
		{"a list's far index", "${[user.name][user.id]}", "column 14: [user.name][user.id]: index out of range"},
		{
			"an index of a sum", "${([user.name] + [''])[user.id]}",
			"column 23: ([user.name] + [''])[user.id]: index out of range",
		},
		{"a text's index", "${user.name.substring(8)}", "column 22: user.name.substring(8): index out of range"},
		{"a text's range", "${user.name.substring(5, 2)}", "column 22: user.name.substring(5, 2): index out of range"},
		{"overflow", "${9223372036854775807 + user.id}", "column 23: 9223372036854775807 + user.id: number out of range"},
		{"a conversion", "${int(user.name)}", "column 6: int(user.name): evaluation failed"},
		{"a moment", "${timestamp(user.name)}", "column 12: timestamp(user.name): evaluation failed"},
		{"a zone", "${event.sentAt.getHours(user.name)}", "column 24: event.sentAt.getHours(user.name): evaluation failed"},
		{
			"join", "${[dyn(user.name), dyn(1)].join('')}",
			"column 32: [dyn(user.name), dyn(1)].join(''): evaluation failed",
		},
		{
			"format", "${user.name.format(dyn(user.name) == 'x' ? [1] : [2]) + '%d'.format([dyn(user.name)])}",
			"column 68: user.name.format(dyn(user.name) == 'x' ? [1] : [2]) + '%d'.format([dyn(user.name)]): evaluation failed",
		},
		{"a type known only later", "${dyn(user.name) + 1}", "column 18: dyn(user.name) + 1: evaluation failed"},
		{"a key that is no text", "${{user.id: user.name}}", "column 3: {user.id: user.name}: evaluation failed"},
		{
			"a list in text", "a${dyn([user.name])}",
			"column 4: dyn([user.name]): result is not a string, a number or a bool",
		},
		{"not a number", "${0.0 / 0.0}", "column 3: 0.0 / 0.0: number out of range"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			template, err := compiler(t, Scope{}).Template(tc.text, UseValue)
			if err != nil {
				t.Fatal(err)
			}
			_, err = template.Eval(v)
			if diff := cmp.Diff(tc.want, message(err)); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
			if strings.Contains(message(err), secret) {
				t.Errorf("the error quotes a value: %v", err)
			}
		})
	}
}
