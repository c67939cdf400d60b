// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
)

const enumMarker = "+kubebuilder:validation:Enum="

// What a program may write of an enum is what the API server takes: the marker names every constant, and no other.
func TestEnumsNameTheirConstants(t *testing.T) {
	g := NewWithT(t)
	files, err := filepath.Glob("*_types.go")
	g.Expect(err).NotTo(HaveOccurred())
	enums, constants := map[string][]string{}, map[string][]string{}
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		g.Expect(err).NotTo(HaveOccurred())
		for _, declared := range file.Decls {
			if group, is := declared.(*ast.GenDecl); is {
				for _, spec := range group.Specs {
					noteEnum(enums, group, spec)
					noteConstant(constants, spec)
				}
			}
		}
	}
	g.Expect(len(enums)).To(BeNumerically(">", 5))
	for name, values := range constants {
		if enums[name] != nil {
			g.Expect(enums[name]).To(ConsistOf(values), name)
		}
	}
}

func noteEnum(enums map[string][]string, group *ast.GenDecl, spec ast.Spec) {
	declared, is := spec.(*ast.TypeSpec)
	if !is || group.Doc == nil {
		return
	}
	for _, comment := range group.Doc.List {
		if _, values, found := strings.Cut(comment.Text, enumMarker); found {
			for value := range strings.SplitSeq(values, ";") {
				enums[declared.Name.Name] = append(enums[declared.Name.Name], strings.Trim(value, `"`))
			}
		}
	}
}

func noteConstant(constants map[string][]string, spec ast.Spec) {
	declared, is := spec.(*ast.ValueSpec)
	if !is || len(declared.Values) != 1 {
		return
	}
	of, typed := declared.Type.(*ast.Ident)
	literal, plain := declared.Values[0].(*ast.BasicLit)
	if !typed || !plain {
		return
	}
	if value, err := strconv.Unquote(literal.Value); err == nil {
		constants[of.Name] = append(constants[of.Name], value)
	}
}
