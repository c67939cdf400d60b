// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package expression

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// What went wrong in an evaluation. These are all there is, so that no error ever quotes a value.
const (
	reasonCost     = "cost limit exceeded"
	reasonNoKey    = "no such key"
	reasonDivision = "division by zero"
	reasonIndex    = "index out of range"
	reasonOverflow = "number out of range"
	reasonTooLarge = "result too large"
	reasonNotText  = "result is not a string, a number or a bool"
	reasonFailed   = "evaluation failed"
	reasonEmpty    = "yields an empty name: the delivery may lack the field that it uses"
)

// maxQuoted bounds how much of an expression an error quotes, in characters.
const maxQuoted = 120

// Error says what is wrong with an expression, and where. It quotes the expression, never a value.
type Error struct {
	// Expression is the CEL text, or what there is of it.
	Expression string
	// Line and Column are counted in characters of the whole text in which the expression stands, from 1.
	Line, Column int
	// Message says what is wrong, on one line.
	Message string
}

// Error returns the expression, the place and the message on one line.
func (e *Error) Error() string {
	place := fmt.Sprintf("column %d", e.Column)
	if e.Line > 1 {
		place = fmt.Sprintf("line %d, column %d", e.Line, e.Column)
	}
	if e.Expression == "" {
		return fmt.Sprintf("%s: %s", place, e.Message)
	}
	quoted := e.Expression
	if utf8.RuneCountInString(quoted) > maxQuoted {
		quoted = string([]rune(quoted)[:maxQuoted]) + "..."
	}
	return fmt.Sprintf("%s: %s: %s", place, strings.Join(strings.Fields(quoted), " "), e.Message)
}

// faults collects what is wrong with one text.
type faults []*Error

// join returns the faults in the order of the text as one error, or nil.
func (f faults) join() error {
	slices.SortStableFunc(f, func(a, b *Error) int {
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return a.Column - b.Column
	})
	errs := make([]error, 0, maxErrors)
	for _, e := range f[:min(len(f), maxErrors)] {
		errs = append(errs, e)
	}
	return errors.Join(errs...)
}

// fragment is an expression and where it starts in the text around it.
type fragment struct {
	text         string
	line, column int
}

// at returns an error at a place in the fragment: a line counted from 1 and a column counted from 0, as CEL does.
func (f fragment) at(line, column int, message string) *Error {
	e := &Error{Expression: strings.TrimSpace(f.text), Line: f.line, Column: f.column, Message: message}
	switch {
	case line > 1:
		e.Line, e.Column = f.line+line-1, column+1
	case line == 1 && column > 0:
		e.Column = f.column + column
	}
	return e
}

// fault returns an error at the start of the fragment.
func (f fragment) fault(message string) *Error { return f.at(1, 0, message) }
