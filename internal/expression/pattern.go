// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package expression

import (
	"fmt"
	"regexp/syntax"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/overloads"
)

// maxPatternSize bounds a compiled regular expression, in instructions: RE2 takes up to that many steps for each
// character that it matches.
const maxPatternSize = 512

// patterns looks at every regular expression, and returns the size of each one's program. It has to be a constant: a
// pattern made of values would let a value be read as an expression, and could be neither checked nor measured when the
// policy is written.
func patterns(f fragment, checked *ast.AST) (map[string]int, faults) {
	var found faults
	programs := map[string]int{}
	report := func(id int64, message string) {
		at := checked.SourceInfo().GetStartLocation(id)
		found = append(found, f.at(at.Line(), at.Column(), message))
	}
	for _, call := range ast.MatchDescendants(ast.NavigateAST(checked), ast.FunctionMatcher(overloads.Matches)) {
		args := call.AsCall().Args()
		if len(args) == 0 {
			continue
		}
		pattern := args[len(args)-1]
		if pattern.Kind() != ast.LiteralKind {
			report(pattern.ID(), "the regular expression must be a string literal")
			continue
		}
		text, _ := pattern.AsLiteral().Value().(string)
		size, message := programSize(text)
		if message != "" {
			report(pattern.ID(), message)
			if len(found) >= maxErrors {
				break
			}
		}
		programs[text] = size
	}
	return programs, found
}

// programSize returns how many instructions a regular expression compiles to, or what is wrong with it.
func programSize(text string) (size int, message string) {
	parsed, err := syntax.Parse(text, syntax.Perl)
	if err != nil {
		return 0, "the regular expression is invalid: " + oneLine(err.Error())
	}
	// Counts are written out when the program is made, so that a short text can make a very long one.
	if atLeast := leastSize(parsed); atLeast > 8*maxPatternSize {
		return 0, tooLongProgram(atLeast)
	}
	compiled, err := syntax.Compile(parsed.Simplify())
	if err != nil {
		return 0, "the regular expression is invalid: " + oneLine(err.Error())
	}
	if size := len(compiled.Inst); size > maxPatternSize {
		return 0, tooLongProgram(size)
	}
	return len(compiled.Inst), ""
}

func tooLongProgram(size int) string {
	return fmt.Sprintf("the regular expression compiles to %d instructions, at most %d are allowed: "+
		"make it shorter or its counts smaller", size, maxPatternSize)
}

// leastSize returns a number of instructions that the program has at least.
func leastSize(re *syntax.Regexp) int {
	size := 0
	for _, sub := range re.Sub {
		size += leastSize(sub)
	}
	switch re.Op {
	case syntax.OpLiteral:
		return len(re.Rune)
	case syntax.OpCharClass, syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return 1
	case syntax.OpRepeat:
		return size * max(re.Min, re.Max)
	}
	return size
}
