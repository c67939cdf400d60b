// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package gitops

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// TestKstatus says what Flux, kubectl wait and other tools make of each kind in each state.
func TestKstatus(t *testing.T) {
	want, got := map[string]string{}, map[string]string{}
	readYAML(t, "testdata/kstatus.yaml", &want)
	for _, kind := range sortedKinds() {
		for state, o := range states(t, kind) {
			result, err := status.Compute(o)
			if err != nil {
				t.Fatalf("%s/%s: %v", kind, state, err)
			}
			got[kind+"/"+state] = string(result.Status)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// Argo CD and kstatus agree, except where a person has to act: kstatus has no word for that.
func TestArgoCDAgreesWithKstatus(t *testing.T) {
	means := map[status.Status]string{
		status.CurrentStatus: "Healthy", status.InProgressStatus: "Progressing", status.FailedStatus: "Degraded",
		status.TerminatingStatus: "Progressing",
	}
	for _, kind := range sortedKinds() {
		for state, o := range states(t, kind) {
			result, err := status.Compute(o)
			if err != nil {
				t.Fatal(err)
			}
			if got := healthOf(t, kind, o).Status; got != means[result.Status] && got != "Suspended" {
				t.Errorf("%s/%s is %s by kstatus, and %s in Argo CD", kind, state, result.Status, got)
			}
		}
	}
}

// Kinds without a status are Current once they exist.
func TestKindsWithoutStatus(t *testing.T) {
	for _, kind := range []string{"Seat", "ErasureRegister"} {
		result, err := status.Compute(parse(t, "apiVersion: completions.lxp.dev/v1alpha1\nkind: "+kind+
			"\nmetadata: {name: x, generation: 1}\nspec: {}\n"))
		if err != nil || result.Status != status.CurrentStatus {
			t.Errorf("%s: %v, %v", kind, result, err)
		}
	}
}

// said is a condition Ready with the conditions beside it, as a loop writes them.
type said struct {
	reason                      string
	ready, reconciling, stalled bool
}

func holds(o *unstructured.Unstructured, kind string) (reason string, is bool) {
	conditions, _, _ := unstructured.NestedSlice(o.Object, "status", "conditions")
	for _, c := range conditions {
		condition, _ := c.(map[string]any)
		if condition["type"] == kind {
			reason, _ = condition["reason"].(string)
			return reason, condition["status"] == "True"
		}
	}
	return "", false
}

// TestEveryStateIsThere finds, in the code, every verdict that a loop tells, and looks for an object in that state.
func TestEveryStateIsThere(t *testing.T) {
	there, reasons := map[said]bool{}, map[string]bool{}
	for _, kind := range sortedKinds() {
		for _, o := range states(t, kind) {
			var s said
			s.reason, s.ready = holds(o, v1alpha1.ConditionReady)
			_, s.reconciling = holds(o, v1alpha1.ConditionReconciling)
			_, s.stalled = holds(o, v1alpha1.ConditionStalled)
			there[s], reasons[s.reason] = true, true
		}
	}
	found := 0
	for s, position := range verdicts(t) {
		found++
		if !there[s] {
			t.Errorf("%s tells %+v, and no state in %s has that", position, s, customizations)
		}
	}
	if found < 25 {
		t.Errorf("found %d verdicts in the code", found)
	}
	for _, reason := range reasonsOfReady(t) {
		if !reasons[reason] {
			t.Errorf("no state has the reason %s", reason)
		}
	}
}

// elsewhere are reasons of other conditions than Ready, of rows in a status, and of events.
var elsewhere = map[string]bool{
	v1alpha1.ReasonAllowed: true, v1alpha1.ReasonNamesDistinct: true, v1alpha1.ReasonSharedByCompletions: true,
	v1alpha1.ReasonSharedByUsers: true, v1alpha1.ReasonCoursesMissing: true, v1alpha1.ReasonNamespacesDeleted: true,
	v1alpha1.ReasonNotRevocable: true, v1alpha1.ReasonBudgetExceeded: true, v1alpha1.ReasonReleased: true,
	v1alpha1.ReasonReleaseIgnored: true, v1alpha1.ReasonNothingHeld: true,
}

// constants returns the constants Reason... of the API, by name.
func constants(t *testing.T) map[string]string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), root+"/api/v1alpha1/conditions.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	ast.Inspect(file, func(n ast.Node) bool {
		if spec, ok := n.(*ast.ValueSpec); ok && strings.HasPrefix(spec.Names[0].Name, "Reason") {
			if value, ok := spec.Values[0].(*ast.BasicLit); ok {
				if text, err := strconv.Unquote(value.Value); err == nil {
					found[spec.Names[0].Name] = text
				}
			}
		}
		return true
	})
	if len(found) < 30 {
		t.Fatalf("found %d reasons", len(found))
	}
	return found
}

func reasonsOfReady(t *testing.T) []string {
	t.Helper()
	var found []string
	for _, reason := range constants(t) {
		if !elsewhere[reason] {
			found = append(found, reason)
		}
	}
	return found
}

// verdicts returns the literals of condition.Verdict in the code whose reason is a constant, and where each is.
func verdicts(t *testing.T) map[said]string {
	t.Helper()
	names, found := constants(t), map[said]string{}
	for _, folder := range []string{"controllers", "internal/plan", "internal/lifecycle"} {
		err := filepath.WalkDir(filepath.Join(root, folder), func(path string, _ fs.DirEntry, err error) error {
			if err != nil || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
				return err
			}
			files := token.NewFileSet()
			file, err := parser.ParseFile(files, path, nil, 0)
			if err != nil {
				return err
			}
			ast.Inspect(file, func(n ast.Node) bool {
				if literal, ok := n.(*ast.CompositeLit); ok {
					if s, ok := verdict(literal, names); ok {
						found[s] = files.Position(literal.Pos()).String()
					}
				}
				return true
			})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return found
}

// verdict reads a literal. Those that are only told in an event say none of the three flags.
func verdict(literal *ast.CompositeLit, names map[string]string) (s said, ok bool) {
	if of, isSelector := literal.Type.(*ast.SelectorExpr); !isSelector || of.Sel.Name != "Verdict" {
		return s, false
	}
	for _, element := range literal.Elts {
		field, isField := element.(*ast.KeyValueExpr)
		if !isField {
			return s, false
		}
		name := field.Key.(*ast.Ident).Name
		switch value := field.Value.(type) {
		case *ast.SelectorExpr:
			if name == "Reason" {
				s.reason = names[value.Sel.Name]
			}
		case *ast.Ident:
			set := map[string]*bool{"Ready": &s.ready, "Reconciling": &s.reconciling, "Stalled": &s.stalled}[name]
			if set != nil {
				*set = value.Name == "true"
			}
		}
	}
	return s, s.reason != "" && (s.ready || s.reconciling || s.stalled)
}
