// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Command metricsdocs writes docs/metrics.md from where the code defines the metrics. `make docs-metrics` runs it, in
// the root of the repository. test/e2e compares the page with what both programs show.
package main

import (
	"cmp"
	_ "embed" // The introduction is a file.
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

const page = "docs/metrics.md"

// programs says which program shows what is defined in a folder.
var programs = []struct{ folder, program string }{
	{"webhookserver", "webhook-server"},
	{"controllers", "controller-manager"},
	{"internal/flow", "controller-manager"},
	{"internal/informers", "both"},
}

// metric is what the code says of one.
type metric struct {
	program, name, kind, help, source string
	labels                            []string
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	var found []metric
	for _, from := range programs {
		err := filepath.WalkDir(from.folder, func(path string, _ fs.DirEntry, err error) error {
			if err != nil || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
				return err
			}
			defined, err := read(path)
			for _, m := range defined {
				m.program, m.source = from.program, filepath.ToSlash(path)
				found = append(found, m)
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	slices.SortFunc(found, func(a, b metric) int { return cmp.Compare(a.name, b.name) })
	return os.WriteFile(page, []byte(write(found)), 0o644)
}

// read returns the metrics that a file defines. It is an error if the name of one stands in the file in another way.
func read(path string) ([]metric, error) {
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, path, nil, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	var found []metric
	understood := map[string]bool{}
	ast.Inspect(file, func(node ast.Node) bool {
		if call, ok := node.(*ast.CallExpr); ok {
			if m, ok := defined(file, call); ok {
				found = append(found, m)
				understood[m.name] = true
			}
		}
		return true
	})
	ast.Inspect(file, func(node ast.Node) bool {
		if name := text(node); isMetric(name) && !understood[name] {
			err = fmt.Errorf("%s: cannot parse the definition of %s", files.Position(node.Pos()), name)
		}
		return err == nil
	})
	return found, err
}

func isMetric(name string) bool {
	return strings.HasPrefix(name, "completion_") && !strings.ContainsAny(name, " .")
}

// defined returns the metric that a call defines: a constructor of the client library, or a function that takes the
// name and the help.
func defined(file *ast.File, call *ast.CallExpr) (metric, bool) {
	m := metric{kind: kindOf(called(call))}
	for i, arg := range call.Args {
		if options, ok := arg.(*ast.CompositeLit); ok && len(options.Elts) > 0 {
			for _, element := range options.Elts {
				if field, ok := element.(*ast.KeyValueExpr); ok {
					switch fmt.Sprint(field.Key) {
					case "Name":
						m.name = text(field.Value)
					case "Help":
						m.help = text(field.Value)
					}
				}
			}
			m.labels = append(m.labels, strs(options)...)
		} else if name := text(arg); isMetric(name) && i+1 < len(call.Args) {
			m.name, m.help = name, text(call.Args[i+1])
			m.labels = own(file, called(call))
			for _, label := range call.Args[i+2:] {
				if text(label) != "" {
					m.labels = append(m.labels, text(label))
				}
			}
			break
		}
	}
	if m.kind == "" {
		m.kind = "gauge"
		if strings.HasSuffix(m.name, "_total") {
			m.kind = "counter"
		}
	}
	return m, isMetric(m.name) && m.help != ""
}

func called(call *ast.CallExpr) string {
	switch f := call.Fun.(type) {
	case *ast.Ident:
		return f.Name
	case *ast.SelectorExpr:
		return f.Sel.Name
	}
	return ""
}

// kindOf returns the type of what a constructor makes, empty for other functions.
func kindOf(function string) string {
	for _, kind := range []string{"Counter", "Gauge", "Histogram"} {
		if strings.HasPrefix(function, "New"+kind) {
			return strings.ToLower(kind)
		}
	}
	return ""
}

// own returns the labels that a function of the file adds by itself.
func own(file *ast.File, function string) []string {
	var found []string
	ast.Inspect(file, func(node ast.Node) bool {
		switch n := node.(type) {
		case *ast.AssignStmt:
			if name, ok := n.Lhs[0].(*ast.Ident); ok && name.Name == function {
				found = inside(n.Rhs[0])
			}
		case *ast.FuncDecl:
			if n.Name.Name == function {
				found = inside(n.Body)
			}
		}
		return true
	})
	return found
}

// inside returns the first list of strings in a function.
func inside(body ast.Node) []string {
	var found []string
	ast.Inspect(body, func(node ast.Node) bool {
		if list, ok := node.(*ast.CompositeLit); ok && found == nil {
			found = strs(list)
		}
		return true
	})
	return found
}

// strs returns the elements of a list of strings.
func strs(list *ast.CompositeLit) []string {
	if array, ok := list.Type.(*ast.ArrayType); !ok || fmt.Sprint(array.Elt) != "string" {
		return nil
	}
	var found []string
	for _, element := range list.Elts {
		found = append(found, text(element))
	}
	return found
}

// text returns the value of strings that are put together, empty for anything else.
func text(node ast.Node) string {
	switch n := node.(type) {
	case *ast.BasicLit:
		if value, err := strconv.Unquote(n.Value); err == nil && n.Kind == token.STRING {
			return value
		}
	case *ast.BinaryExpr:
		return text(n.X) + text(n.Y)
	}
	return ""
}

func write(metrics []metric) string {
	var b strings.Builder
	b.WriteString(introduction)
	for _, part := range []struct{ program, title string }{
		{"webhook-server", "Webhook server"},
		{"controller-manager", "Controller-manager"},
		{"both", "Both programs"},
	} {
		fmt.Fprintf(&b, "\n## %s\n\n| metric | type | labels | meaning | source |\n|---|---|---|---|---|\n", part.title)
		for _, m := range metrics {
			if m.program == part.program {
				fmt.Fprintf(&b, "| `%s` | %s | %s | %s | [%s](../%s) |\n", m.name, m.kind, quoted(m.labels), m.help,
					filepath.Base(m.source), m.source)
			}
		}
	}
	return b.String()
}

func quoted(labels []string) string {
	var found []string
	for _, label := range labels {
		found = append(found, "`"+label+"`")
	}
	return strings.Join(found, ", ")
}

// introduction is what stands above the tables.
//
//go:embed introduction.tmpl
var introduction string
