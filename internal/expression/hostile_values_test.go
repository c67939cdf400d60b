// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package expression

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

var hostile = []string{
	`"}: {`, "${x}", "$${x}", "${user.id}", "a\nb: c", "\r\n---\n", "{{.}}", "' || true || '", `\`, `"""`, "'''", "}",
	"${", "\x00", "%s%d", "$1", "\u202e", "日本", "../../etc", "<script>", "- a\n- b", "null", "true", "1e9",
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
