// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package expression

import (
	"fmt"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/overloads"
)

// The type checker goes through the whole type of a list or map at every level of it, which takes time that grows with
// the cube of the depth, and a macro can double a type with each mention of its variable. It also keeps what it learned
// of every type that it has to find out, and goes through all of that for each. So before it runs, an upper bound of
// each type is worked out, which is linear.
const (
	// maxTypeSize bounds the type of every value: one for each list, map and simple type in it.
	maxTypeSize = 32
	// maxUnknownTypes bounds how many types of an expression have to be found out: of calls, macros, and lists and maps
	// that are empty.
	maxUnknownTypes = 256
)

// checkingWork returns how much work it is to type-check a parsed expression, or why that is refused.
func checkingWork(parsed *ast.AST) (work int, message string) {
	s := sizing{}
	switch size := s.size(parsed.Expr(), nil); {
	case size > maxTypeSize:
		return 0, fmt.Sprintf("the expression costs too much: lists and maps are nested too deeply, "+
			"their type has more than %d parts", maxTypeSize)
	case s.unknown > maxUnknownTypes:
		return 0, fmt.Sprintf("the expression costs too much: it has more than %d calls, macros, empty lists and empty maps",
			maxUnknownTypes)
	}
	return s.work + s.unknown*s.unknown, ""
}

// sizing works out the sizes of types.
type sizing struct{ work, unknown int }

// scope has the sizes of the variables of macros.
type scope struct {
	name  string
	size  int
	outer *scope
}

func (s *scope) find(name string) int {
	for ; s != nil; s = s.outer {
		if s.name == name {
			return s.size
		}
	}
	return 1
}

// size returns the greatest size that the type of an expression can have, or something above the limit.
func (s *sizing) size(e ast.Expr, variables *scope) int {
	size := s.sizeOf(e, variables)
	s.work += size
	return min(size, maxTypeSize+1)
}

func (s *sizing) sizeOf(e ast.Expr, variables *scope) int {
	switch e.Kind() {
	case ast.IdentKind:
		return variables.find(e.AsIdent())
	case ast.SelectKind:
		return s.size(e.AsSelect().Operand(), variables)
	case ast.ListKind:
		return s.list(e.AsList().Elements(), variables)
	case ast.MapKind:
		return s.entries(e.AsMap().Entries(), variables)
	case ast.CallKind:
		return s.call(e.AsCall(), variables)
	case ast.ComprehensionKind:
		return s.comprehension(e.AsComprehension(), variables)
	}
	return 1
}

func (s *sizing) list(elements []ast.Expr, variables *scope) int {
	size := 1
	if len(elements) == 0 {
		s.unknown++
	}
	for _, element := range elements {
		size = max(size, s.size(element, variables))
	}
	return 1 + size
}

func (s *sizing) entries(entries []ast.EntryExpr, variables *scope) int {
	key, value := 1, 1
	if len(entries) == 0 {
		s.unknown++
	}
	for _, entry := range entries {
		key = max(key, s.size(entry.AsMapEntry().Key(), variables))
		value = max(value, s.size(entry.AsMapEntry().Value(), variables))
	}
	return 1 + key + value
}

// call returns the size for a call, which yields nothing larger than its arguments, but for a list of texts.
func (s *sizing) call(call ast.CallExpr, variables *scope) int {
	switch call.FunctionName() {
	case operators.LogicalAnd, operators.LogicalOr, operators.LogicalNot:
	default:
		s.unknown++
	}
	size := 2
	if call.IsMemberFunction() {
		size = max(size, s.size(call.Target(), variables))
	}
	for _, arg := range call.Args() {
		size = max(size, s.size(arg, variables))
	}
	if call.FunctionName() == overloads.TypeConvertType {
		size++
	}
	return size
}

func (s *sizing) comprehension(fold ast.ComprehensionExpr, variables *scope) int {
	s.unknown++
	items, start := s.size(fold.IterRange(), variables), s.size(fold.AccuInit(), variables)
	inner := &scope{fold.IterVar(), items, variables}
	if fold.HasIterVar2() {
		inner = &scope{fold.IterVar2(), items, inner}
	}
	inner = &scope{fold.AccuVar(), start, inner}
	s.size(fold.LoopCondition(), inner)
	step := max(start, s.size(fold.LoopStep(), inner))
	return max(step, s.size(fold.Result(), &scope{fold.AccuVar(), step, variables}))
}
