// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package expression

import (
	"errors"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
	"cel.dev/cel-go/interpreter"
)

// eval evaluates the expression. Its errors quote no values.
func (p *program) eval(v Variables) (ref.Val, error) {
	if v.Meter.exhausted() {
		return nil, p.fragment.fault(reasonCost)
	}
	value, spent, err := p.run(&v)
	v.Meter.spend(spent)
	if err != nil {
		return nil, p.failed(err)
	}
	if s := weigh(value); s.tooHeavy() {
		return nil, p.fragment.fault(reasonTooLarge)
	}
	return value, nil
}

// run evaluates the expression, and returns what that cost.
func (p *program) run(v *Variables) (ref.Val, uint64, error) {
	weighed := weighing{}
	value, details, err := p.cel.Eval(activation{variables: v, weighing: &weighed})
	spent := 1 + weighed.cost()
	if details != nil && details.ActualCost() != nil {
		spent += *details.ActualCost()
	}
	return value, spent, err
}

// constant reports whether the expression yields the same for every delivery, since it uses no variable.
func (p *program) constant() bool {
	return len(ast.MatchDescendants(ast.NavigateAST(p.checked), ast.KindMatcher(ast.IdentKind))) == 0
}

// worst returns what the expression costs over the longest texts that there can be, and whether that exceeds the
// limit, so that it is refused when the policy is written rather than when somebody with a long name completes a
// course. CEL's own estimate does not know the lengths of texts that functions make, and so cannot tell.
func (p *program) worst() (spent uint64, tooMuch bool) {
	_, spent, err := p.run(&longest)
	return spent, err != nil && reasonOf(err) == reasonCost || spent > CostLimit
}

// failed maps an error of an evaluation, which may quote values, to one that does not.
func (p *program) failed(err error) *Error {
	result := p.fragment.fault(reasonOf(err))
	if at, ok := errors.AsType[*types.Err](err); ok && at.NodeID() != 0 {
		place := p.checked.SourceInfo().GetStartLocation(at.NodeID())
		result = p.fragment.at(place.Line(), place.Column(), result.Message)
	}
	return result
}

func reasonOf(err error) string {
	if cancelled, ok := errors.AsType[interpreter.EvalCancelledError](err); ok {
		if cancelled.Cause == interpreter.CostLimitExceeded {
			return reasonCost
		}
		return reasonFailed
	}
	message := err.Error()
	for _, known := range []struct{ prefix, reason string }{
		{"no such key", reasonNoKey},
		{"division by zero", reasonDivision},
		{"modulus by zero", reasonDivision},
		{"index out of ", reasonIndex},
		{"invalid substring range", reasonIndex},
		{"integer overflow", reasonOverflow},
		{"unsigned integer overflow", reasonOverflow},
		{"duration overflow", reasonOverflow},
		{"timestamp overflow", reasonOverflow},
		{reasonTooLarge, reasonTooLarge},
	} {
		if strings.HasPrefix(message, known.prefix) {
			return known.reason
		}
	}
	return reasonFailed
}

// native evaluates the expression to a Go value.
func (p *program) native(v Variables) (any, error) {
	value, err := p.eval(v)
	if err != nil {
		return nil, err
	}
	result, reason := native(value)
	if reason != "" {
		return nil, p.fragment.fault(reason)
	}
	return result, nil
}

// text evaluates the expression to text.
func (p *program) text(v Variables) (string, error) {
	value, err := p.eval(v)
	if err != nil {
		return "", err
	}
	result, reason := text(value)
	if reason != "" {
		return "", p.fragment.fault(reason)
	}
	return result, nil
}

// native returns the Go value of a CEL value, in the types of JSON and int64, or why there is none. The value was
// weighed before, so it is small.
func native(value ref.Val) (result any, reason string) {
	switch v := value.(type) {
	case types.Null:
		return nil, ""
	case types.Bool:
		return bool(v), ""
	case types.Int:
		return int64(v), ""
	case types.Uint:
		if v > math.MaxInt64 {
			return nil, reasonOverflow
		}
		return int64(v), ""
	case types.Double:
		if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
			return nil, reasonOverflow
		}
		return float64(v), ""
	case traits.Mapper:
		return nativeMap(v)
	case traits.Lister:
		list := make([]any, 0)
		for it := v.Iterator(); it.HasNext() == types.True; {
			item, reason := native(it.Next())
			if reason != "" {
				return nil, reason
			}
			list = append(list, item)
		}
		return list, ""
	}
	return text(value)
}

func nativeMap(m traits.Mapper) (result any, reason string) {
	items := map[string]any{}
	for it := m.Iterator(); it.HasNext() == types.True; {
		key := it.Next()
		name, ok := key.(types.String)
		if !ok || !utf8.ValidString(string(name)) {
			return nil, reasonFailed
		}
		item, reason := native(m.Get(key))
		if reason != "" {
			return nil, reason
		}
		items[string(name)] = item
	}
	return items, ""
}

// text returns the text of a CEL value, or why there is none.
func text(value ref.Val) (result, reason string) {
	switch v := value.(type) {
	case types.String:
		if !utf8.ValidString(string(v)) {
			return "", reasonFailed
		}
		return string(v), ""
	case types.Bool:
		return strconv.FormatBool(bool(v)), ""
	case types.Int:
		return strconv.FormatInt(int64(v), 10), ""
	case types.Uint:
		return strconv.FormatUint(uint64(v), 10), ""
	case types.Double:
		if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
			return "", reasonOverflow
		}
		return strconv.FormatFloat(float64(v), 'f', -1, 64), ""
	case types.Timestamp:
		return v.UTC().Format(time.RFC3339Nano), ""
	case types.Duration:
		return strconv.FormatFloat(v.Seconds(), 'f', -1, 64) + "s", ""
	}
	return "", reasonNotText
}
