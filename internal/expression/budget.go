// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package expression

import "fmt"

// What all the expressions of a policy may cost together. A policy of a few namespaces and objects has some dozens of
// expressions, and needs less than a hundredth of each.
const (
	// MaxExpressions bounds how many expressions there are.
	MaxExpressions = 512
	// MaxExpressionText bounds the texts of all expressions together, in bytes.
	MaxExpressionText = 64 << 10
	// MaxCompileWork bounds the work of type-checking, in units of which a machine does about a million in a second.
	MaxCompileWork = 100_000
	// TotalCostLimit bounds one evaluation of all expressions, in the units of CostLimit: what one completion costs.
	TotalCostLimit = 3 * CostLimit
)

// Budget is what the expressions of one policy may cost together, when they are compiled and when they are evaluated.
// What exceeds it is refused before it is done. It is not safe for concurrent use; nil has no bounds.
type Budget struct {
	expressions, text, work int
	cost                    uint64
	exhausted               bool
}

// Exhausted reports whether an expression was refused for want of it. Nothing else fits after that.
func (b *Budget) Exhausted() bool { return b != nil && b.exhausted }

// Spent returns how many expressions there are, the work that it took to compile them, and the cost of evaluating each
// once over the longest texts.
func (b *Budget) Spent() (expressions, work int, cost uint64) { return b.expressions, b.work, b.cost }

// expression charges one more expression of so many bytes. It returns why it is refused, or nothing.
func (b *Budget) expression(length int) string {
	if b == nil {
		return ""
	}
	b.expressions++
	b.text += length
	switch {
	case b.expressions > MaxExpressions:
		return b.refuse("more than %d expressions", MaxExpressions)
	case b.text > MaxExpressionText:
		return b.refuse("more than %d bytes of expressions", MaxExpressionText)
	}
	return ""
}

// compiling charges work. It returns why it is refused, or nothing.
func (b *Budget) compiling(work int) string {
	if b == nil {
		return ""
	}
	if b.work += work; b.work > MaxCompileWork {
		return b.refuse("compiling its expressions takes more than %d units of work", MaxCompileWork)
	}
	return ""
}

// evaluating charges the cost of an evaluation over the longest texts. It returns why it is refused, or nothing.
func (b *Budget) evaluating(cost uint64) string {
	if b == nil {
		return ""
	}
	if b.cost += cost; b.cost > TotalCostLimit {
		return b.refuse("its expressions cost more than %d in total for texts of maximum length", TotalCostLimit)
	}
	return ""
}

func (b *Budget) refuse(format string, limit int) string {
	b.exhausted = true
	return "the policy costs too much: " + fmt.Sprintf(format, limit) + ": make them simpler or fewer"
}

// Meter bounds what several evaluations cost together to TotalCostLimit. It is not safe for concurrent use; nil has no
// bounds.
type Meter struct{ spent uint64 }

func (m *Meter) exhausted() bool { return m != nil && m.spent > TotalCostLimit }

func (m *Meter) spend(cost uint64) {
	if m != nil {
		m.spent += cost
	}
}
