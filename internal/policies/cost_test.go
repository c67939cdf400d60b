// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package policies

import (
	"fmt"
	"strings"
	"testing"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/expression"
)

// What one author can write must neither keep the machine busy when it is compiled nor when a completion is rendered.
// The tests count units, since time depends on the machine: BenchmarkCostlyPolicies shows it.

// annotated returns a policy with so many annotations in so many namespaces.
func annotated(namespaces, annotations int, text string) *v1alpha1.CompletionPolicy {
	policy := &v1alpha1.CompletionPolicy{}
	policy.Name = "costly"
	for i := range namespaces {
		ns := v1alpha1.NamespaceTemplate{
			Name:        v1alpha1.Template(fmt.Sprintf("lab-%d-${user.id}", i)),
			Annotations: map[string]v1alpha1.Template{},
		}
		for j := range annotations {
			ns.Annotations[fmt.Sprintf("a%02d", j)] = v1alpha1.Template(text)
		}
		policy.Spec.Namespaces = append(policy.Spec.Namespaces, ns)
	}
	return policy
}

func deepLiteral(open, end string, depth int) string {
	return "${" + strings.Repeat(open, depth) + "1" + strings.Repeat(end, depth) + ".size()}"
}

// costly are policies that are refused, and what is said of them.
func costly() []struct {
	name   string
	policy *v1alpha1.CompletionPolicy
	want   string
} {
	search := "${event.name.matches('(" + strings.Repeat("a|aa|", 40) + "a)+b') ? '' : ''}"
	doubled := "{{{x:x}:{x:x}}:{{x:x}:{x:x}}}"
	wrong := strings.Repeat("é ", 700)
	return []struct {
		name   string
		policy *v1alpha1.CompletionPolicy
		want   string
	}{
		{"3 KB of nested maps", annotated(3, 1, deepLiteral("{1:", "}", 240)), "the expression costs too much: it is nested"},
		{"nested maps within the parser's limit", annotated(3, 1, deepLiteral("{1:", "}", 60)),
			"the expression costs too much: lists and maps are nested too deep"},
		{"nested lists", annotated(8, 32, deepLiteral("[", "]", 60)),
			"the expression costs too much: lists and maps are nested too deep"},
		{"a type that macros double", annotated(1, 1,
			"${[1].map(x, "+doubled+").map(x, "+doubled+").map(x, "+doubled+").size()}"),
			"the expression costs too much: lists and maps are nested too deep"},
		{"many empty maps", annotated(1, 1, "${["+strings.Repeat("{},", 600)+"{}].size()}"),
			"the expression costs too much: it has more than 256"},
		{"32 KB of searches", annotated(2, 8, strings.Repeat(search, 7)), "costs too much"},
		{"many cheap searches", annotated(8, 32, strings.Repeat("${user.id > 0 && event.name.matches('[a-f]+z') ? 'a' "+
			": 'b'}", 3)),
			"the policy costs too much: its expressions cost more than"},
		{"many expressions", annotated(8, 32, "${user.id}${user.id}${user.id}"),
			"the policy costs too much: more than 512 expressions"},
		{"long expressions", annotated(8, 32, "${"+strings.Repeat(" ", 1000)+"user.id}"),
			"the policy costs too much: more than 65536 bytes"},
		{"much to type-check", annotated(8, 30, "${"+strings.TrimSuffix(strings.Repeat("(1 == 1) || ", 60), " || ")+"}"),
			"the policy costs too much: compiling its expressions takes more than"},
		{"960 KB of wrong templates", annotated(8, 60, "${"+wrong+"}"), "column"},
	}
}

func TestCostlyPoliciesAreRefused(t *testing.T) {
	for _, tc := range costly() {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			compiled := Compile(tc.policy, allKept, ordinary)
			if compiled.Ready() {
				t.Fatal("it is Ready")
			}
			if first := compiled.Faults[0]; !strings.HasPrefix(first.Field, "spec.namespaces[") ||
				!strings.Contains(first.Message, tc.want) {
				t.Errorf("the first fault is %s, want %s of a field", first, tc.want)
			}
			if len(compiled.Faults) > 2*maxFaults {
				t.Errorf("%d faults were looked for", len(compiled.Faults))
			}
			if got := compiled.Message(); len(got) > 4096 {
				t.Errorf("the message has %d bytes", len(got))
			}
			if got, most := compiled.work, expression.MaxCompileWork+70_000; got > most {
				t.Errorf("compiling took %d units of work, want at most %d", got, most)
			}
			if got, most := compiled.cost, uint64(expression.TotalCostLimit+expression.CostLimit); got > most {
				t.Errorf("evaluating took %d units, want at most %d", got, most)
			}
		})
	}
}

// The most expensive policy that is allowed costs a completion no more than the bound, and so does one whose
// expressions are cheap over the texts that the compiler tries.
func TestRenderingIsBounded(t *testing.T) {
	policy := annotated(8, 12, "${course.name.size() == 3 ? ["+strings.Repeat("1,", 200)+"1].map(x, x + 1).size() : 1}")
	compiled := Compile(policy, allKept, ordinary)
	if !compiled.Ready() {
		t.Fatal(compiled.Message())
	}
	completion := &v1alpha1.CourseCompletionSpec{}
	completion.Course.Name = "abc"
	_, err := compiled.Render(completion)
	if err == nil || !strings.HasSuffix(err.Error(), "cost limit exceeded") {
		t.Errorf("rendering yields %v, want that it costs too much", err)
	}
	completion.Course.Name = "abcd"
	if _, err := compiled.Render(completion); err != nil {
		t.Errorf("rendering what is cheap yields %v", err)
	}
}

// What large institutions write honestly is well within the budget.
func TestHonestPoliciesFit(t *testing.T) {
	policy := annotated(8, 16, "${user.id}-${dnsLabel(course.name)}")
	for i := range policy.Spec.Namespaces {
		ns := &policy.Spec.Namespaces[i]
		ns.ResourceQuota.Hard = map[string]v1alpha1.QuantityTemplate{}
		for _, name := range []string{"pods", "limits.cpu", "limits.memory", "requests.cpu", "requests.memory"} {
			ns.ResourceQuota.Hard[name] = "${course.id == 1 || course.id == 2 ? 2 : 4}"
		}
		ns.Access = []v1alpha1.AccessTemplate{{ClusterRole: "edit", Subjects: []v1alpha1.SubjectTemplate{
			{Kind: v1alpha1.SubjectUser, Name: "oidc:${user.email.lowerAscii()}"}}}}
	}
	policy.Spec.Match.Expression = "user.email.endsWith('@example.edu') && course.name.matches('^[A-Z]+[0-9]{3} " +
		".*(lab|Lab)$')"
	compiled := Compile(policy, allKept, ordinary)
	if !compiled.Ready() {
		t.Error(compiled.Message())
	}
	if compiled.cost > expression.TotalCostLimit/2 || compiled.work > expression.MaxCompileWork/2 {
		t.Errorf("it costs %d of %d to evaluate and %d of %d to compile: an honest policy is too near at the bounds",
			compiled.cost, expression.TotalCostLimit, compiled.work, expression.MaxCompileWork)
	}
}

func BenchmarkCostlyPolicies(b *testing.B) {
	for _, tc := range costly() {
		b.Run(tc.name, func(b *testing.B) {
			for b.Loop() {
				if Compile(tc.policy, allKept, ordinary).Ready() {
					b.Fatal("it is Ready")
				}
			}
		})
	}
}
