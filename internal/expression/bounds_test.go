// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package expression

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// patience is how long the most expensive expression may take. It is generous, for busy machines under the race
// detector; without bounds these expressions take hours or all memory.
const patience = 30 * time.Second

func TestExpensiveExpressions(t *testing.T) {
	long := "'" + strings.Repeat("a", 500) + "'"
	many := "[" + strings.TrimSuffix(strings.Repeat("1,", 200), ",") + "]"
	for _, tc := range []struct{ name, text, wantCompile, wantEval string }{
		{
			name:        "loops in loops",
			text:        many + ".all(a, " + many + ".all(b, " + many + ".all(c, a == b && b == c)))",
			wantCompile: tooCostly,
		},
		{
			name: "a text that doubles",
			text: "[" + long + "].map(x, x+x+x+x).map(x, x+x+x+x).map(x, x+x+x+x)[0]", wantEval: reasonTooLarge,
		},
		{
			name: "replace that squares", text: long + ".replace('', " + long + ").replace('', " + long + ")",
			wantEval: reasonTooLarge,
		},
		{
			name: "join that multiplies", text: many + ".map(x, " + long + ").join(" + long + ")", wantEval: reasonTooLarge,
		},
		{
			name:     "format that repeats",
			text:     "[" + long + "].map(x, '%s%s%s%s%s%s%s%s%s'.format([x,x,x,x,x,x,x,x,x]))[0]",
			wantEval: reasonTooLarge,
		},
		{
			name:     "lists that share",
			text:     "[" + many + "].map(x, [x,x,x,x]).map(x, [x,x,x,x]).map(x, [x,x,x,x])",
			wantEval: reasonTooLarge,
		},
		{
			name:     "lists that share, compared",
			text:     "[[1]].map(x, " + sharing(300) + ").map(x, " + sharing(300) + ").exists(x, x == x)",
			wantEval: reasonTooLarge,
		},
		{
			name:        "lists added to themselves",
			text:        "[[1]].map(x, " + adding(50) + ").map(x, " + adding(50) + ").exists(x, 2 in x)",
			wantCompile: tooCostly,
		},
		{
			name:        "large lists made often",
			text:        many + ".map(x, " + many + ".map(y, (" + strings.ReplaceAll(adding(30), "x", "[1,1,1]") + ").size()))",
			wantCompile: tooCostly,
		},
		{
			name:        "large lists added often",
			text:        "[" + many + "].map(x, " + many + ".map(y, (" + adding(20) + ").size()))",
			wantCompile: tooCostly,
		},
		{
			name:     "lists that share, compared without a loop's result",
			text:     "[[1]].exists(x, [" + sharing(300) + "].exists(x, [" + sharing(300) + "].exists(x, x == x)))",
			wantEval: reasonTooLarge,
		},
		{
			name:        "long texts formatted often",
			text:        many + ".all(n, [course.name].all(x, '%s%s%s%s%s%s%s'.format(" + sharing(7) + ") != ''))",
			wantCompile: tooCostly,
		},
		{
			name:        "large lists compared often, of types known only later",
			text:        "[" + many + "].map(x, " + sharing(30) + ").exists(l, " + many + ".exists(y, dyn(l) != dyn(l)))",
			wantCompile: tooCostly,
		},
		{
			name:        "large lists searched often",
			text:        "[" + many + "].map(x, " + sharing(30) + ").exists(l, " + many + ".exists(y, dyn(y) in dyn(l)))",
			wantCompile: tooCostly,
		},
		{
			name:     "maps that share",
			text:     "[" + many + "].map(x, {'a': x, 'b': x, 'c': x}).map(x, {'a': x, 'b': x, 'c': x}).map(x, [x, x, x, x, x])",
			wantEval: reasonTooLarge,
		},
		{
			name:        "a long text searched often",
			text:        many + ".all(x, " + many + ".all(y, course.name.indexOf(course.name + 'b') < 0))",
			wantCompile: tooCostly,
		},
		{
			name:        "a regular expression run often",
			text:        many + ".exists(x, " + many + ".exists(y, course.name.matches('(a|aa)+$b')))",
			wantCompile: tooCostly,
		},
		{
			name: "nested deep", text: strings.Repeat("(", 400) + "1" + strings.Repeat(")", 400),
			wantCompile: "the expression costs too much: it is nested more than 64 levels deep",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			started := time.Now()
			template, err := compiler(t, Scope{}).Template("${"+tc.text+"}", UseValue)
			if tc.wantCompile != "" {
				if !strings.HasSuffix(message(err), ": "+tc.wantCompile) {
					t.Errorf("compile error %v, want %s", err, tc.wantCompile)
				}
			} else if err != nil {
				t.Fatal(err)
			} else if _, err := template.Eval(ada()); !strings.HasSuffix(message(err), ": "+tc.wantEval) {
				t.Errorf("evaluation error %v, want %s", err, tc.wantEval)
			}
			if took := time.Since(started); took > patience {
				t.Errorf("it took %s", took)
			}
		})
	}
}

func sharing(times int) string {
	return "[" + strings.TrimSuffix(strings.Repeat("x,", times), ",") + "]"
}

func adding(times int) string { return strings.TrimSuffix(strings.Repeat("x+", times), "+") }

// The cost limit ends an evaluation also where the values are longer than those that the compiler tried.
func TestCostLimitAtEvaluation(t *testing.T) {
	const text = "${size(user.name) > 300 ? " +
		"user.name.split('').map(y, user.name.split('').map(z, y == z).size()) : []}"
	template, err := compiler(t, Scope{}).Template(text, UseValue)
	if err != nil {
		t.Fatal(err)
	}
	v := ada()
	if got, err := template.Eval(v); err != nil {
		t.Fatalf("a short name yields %v, %v", got, err)
	}
	v.User.Name = strings.Repeat("a", 400)
	_, err = template.Eval(v)
	if !strings.HasSuffix(message(err), ": "+reasonCost) {
		t.Errorf("error %v, want %s", err, reasonCost)
	}
}

func TestOutputIsBounded(t *testing.T) {
	c := compiler(t, Scope{})
	full := strings.Repeat("a", MaxTextSize/2)
	for _, tc := range []struct {
		name, text, wantError string
		wantSize              int
	}{
		{name: "as long as allowed", text: "${user.name}${user.email}", wantSize: MaxTextSize},
		{
			name: "two whole texts and one character", text: "${user.name}${user.email}a",
			wantError: "column 1: a: result too large",
		},
		{
			name: "texts of expressions", text: "a${user.name}${user.email}",
			wantError: "column 16: user.email: result too large",
		},
		{
			name: "a variable", text: "${course.name}", wantError: "column 3: course.name: result too large",
		},
		{
			name: "text within an expression", text: "${user.name + user.email + 'a'}",
			wantError: "column 26: user.name + user.email + 'a': result too large",
		},
		{
			name: "a list", text: "${[user.name, user.name, user.name, user.name]}",
			wantError: "column 3: [user.name, user.name, user.name, user.name]: result too large",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			template, err := c.Template(tc.text, UseValue)
			if err != nil {
				t.Fatal(err)
			}
			got, err := template.Eval(Variables{
				User: User{Name: full, Email: full}, Course: Course{Name: full + full + "a"},
			})
			if diff := cmp.Diff(tc.wantError, message(err)); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
			if text, _ := got.(string); len(text) != tc.wantSize {
				t.Errorf("%d bytes, want %d", len(text), tc.wantSize)
			}
		})
	}
}
