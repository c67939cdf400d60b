// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package expression

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func FuzzTemplate(f *testing.F) {
	for _, s := range []string{
		"", "grad-${user.id}", "${user.name}", "$${x}", "$$${x}", "${'}'}", `${"\""}`, `${r'\'}`, "${'''a}'''}",
		"${{'a': 1}['a']}", "${",
		"${1 // }\n}", "${[1].map(x, x)[0]}", "a\n${foo}", "${user}", "${'a'.matches('a{3}')}",
		"${dnsLabel(course.name)}", "$", "\xff",
		"${'%s'.format([1])}", "${event.sentAt.getHours('UTC')}", "${b'\xff'}",
	} {
		f.Add(s)
	}
	completion := ada()
	c := compiler(f, everythingKept)
	f.Fuzz(func(t *testing.T, text string) {
		// A literal text comes back as it went in, once its openings are escaped.
		if literal, err := c.Template(escape(text), UseText); err == nil {
			if got, is := literal.Literal(); !is || got != text {
				t.Errorf("the literal of %q is %q, %t", text, got, is)
			}
			if got, err := literal.String(completion); len(text) <= MaxTextSize && (err != nil || got != text) {
				t.Errorf("the text of %q is %q, %v", text, got, err)
			}
		} else if utf8.ValidString(text) && utf8.RuneCountInString(escape(text)) <= MaxLength {
			t.Errorf("literal %q: %v", text, err)
		}
		for _, use := range []Use{UseValue, UseMetadata} {
			template, err := c.Template(text, use)
			if err != nil {
				continue
			}
			first, firstErr := template.Eval(completion)
			second, secondErr := template.Eval(completion)
			if diff := cmp.Diff(first, second); diff != "" || message(firstErr) != message(secondErr) {
				t.Errorf("%q is not deterministic: %v, %v, %s", text, firstErr, secondErr, diff)
			}
			if got, err := template.String(completion); err == nil && (len(got) > MaxTextSize || !utf8.ValidString(got)) {
				t.Errorf("%q yields %d bytes, valid %t", text, len(got), utf8.ValidString(got))
			}
			// What holds no personal field yields the same for everybody with the id.
			if use == UseMetadata {
				other := completion
				other.User = User{ID: completion.User.ID, Name: "other"}
				if got, _ := template.Eval(other); firstErr == nil && !cmp.Equal(first, got) {
					t.Errorf("%q depends on a personal field", text)
				}
			}
		}
		if predicate, err := c.Predicate(text); err == nil {
			_, _ = predicate.Eval(completion)
		}
	})
}

func escape(text string) string { return strings.ReplaceAll(text, "${", "$${") }
