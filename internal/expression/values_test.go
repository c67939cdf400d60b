/*
Copyright 2026 The Course Completion Operator Authors.

Licensed under the Apache License, Version 2.0 (the "License");
you may not use this file except in compliance with the License.
You may obtain a copy of the License at

    http://www.apache.org/licenses/LICENSE-2.0

Unless required by applicable law or agreed to in writing, software
distributed under the License is distributed on an "AS IS" BASIS,
WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
See the License for the specific language governing permissions and
limitations under the License.
*/

package expression

import (
	"strconv"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

var hostile = []string{
	`"}: {`, "${x}", "$${x}", "${user.id}", "a\nb: c", "\r\n---\n", "{{.}}", "' || true || '", `\`, `"""`, "'''", "}", "${", "\x00",
	"%s%d", "$1", "\u202e", "日本", "../../etc", "<script>", "- a\n- b", "null", "true", "1e9",
}

// A value goes in as data: whatever it holds, it is only itself.
func TestHostileValues(t *testing.T) {
	c := compiler(t, Scope{})
	for _, value := range hostile {
		v := ada()
		v.User.Name = value
		for text, want := range map[string]any{
			"${user.name}":                              value,
			"a-${user.name}-b":                          "a-" + value + "-b",
			"${user.name}${user.name}":                  value + value,
			"${user.name + '!'}":                        value + "!",
			"${[user.name]}":                            []any{value},
			"${{user.name: user.name}}":                 map[string]any{value: value},
			"${'%s'.format([user.name])}":               value,
			"${user.name == user.name}":                 true,
			"${'x'.replace('x', user.name)}":            value,
			"${user.name.split('').join('')}":           value,
			"${[user.name].exists(n, n == user.name)}":  true,
			"$${user.name} ${user.name.size() > 10000}": "${user.name} false",
		} {
			template, err := c.Template(text, UseValue)
			if err != nil {
				t.Fatal(err)
			}
			got, err := template.Eval(v)
			if err != nil {
				t.Fatalf("%s over %q: %v", text, value, err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s over %q (-want +got):\n%s", text, value, diff)
			}
		}
	}
}

func TestConcurrentUse(t *testing.T) {
	c := compiler(t, Scope{})
	shared, err := c.Template("u-${user.id}-${user.name.lowerAscii()}", UseText)
	if err != nil {
		t.Fatal(err)
	}
	predicate, err := c.Predicate("user.id % 2 == 0 && [1, 2].exists(x, x == user.id % 3)")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for id := range int64(16) {
		wg.Go(func() {
			v := Variables{User: User{ID: id, Name: strings.Repeat("A", int(id))}}
			own, err := compiler(t, Scope{}).Template("${user.id}", UseValue)
			if err != nil {
				t.Error(err)
				return
			}
			for range 50 {
				want := "u-" + strconv.FormatInt(id, 10) + "-" + strings.Repeat("a", int(id))
				if got, err := shared.String(v); err != nil || got != want {
					t.Errorf("text %q, %v, want %q", got, err, want)
				}
				if got, err := predicate.Eval(v); err != nil || got != (id%2 == 0 && id%3 != 0) {
					t.Errorf("predicate of %d is %t, %v", id, got, err)
				}
				if got, err := own.Eval(v); err != nil || got != id {
					t.Errorf("value %v, %v, want %d", got, err, id)
				}
			}
		})
	}
	wg.Wait()
}

func FuzzTemplate(f *testing.F) {
	for _, s := range []string{
		"", "grad-${user.id}", "${user.name}", "$${x}", "$$${x}", "${'}'}", `${"\""}`, `${r'\'}`, "${'''a}'''}", "${{'a': 1}['a']}", "${",
		"${1 // }\n}", "${[1].map(x, x)[0]}", "a\n${foo}", "${user}", "${'a'.matches('a{3}')}", "${dnsLabel(course.name)}", "$", "\xff",
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

func BenchmarkCompile(b *testing.B) {
	c := compiler(b, Scope{})
	for b.Loop() {
		if _, err := c.Template("grad-${user.id}-${dnsLabel(course.name)}", UseMetadata); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkPredicate(b *testing.B) {
	predicate, err := compiler(b, Scope{}).Predicate("course.id == 123456 && enrollment.status == 1")
	if err != nil {
		b.Fatal(err)
	}
	v := ada()
	for b.Loop() {
		if holds, err := predicate.Eval(v); err != nil || !holds {
			b.Fatal(holds, err)
		}
	}
}

func BenchmarkTemplate(b *testing.B) {
	template, err := compiler(b, Scope{}).Template("grad-${user.id}", UseMetadata)
	if err != nil {
		b.Fatal(err)
	}
	v := ada()
	for b.Loop() {
		if got, err := template.String(v); err != nil || got != "grad-987654321" {
			b.Fatal(got, err)
		}
	}
}
