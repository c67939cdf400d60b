// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package expression

import (
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/overloads"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
	"cel.dev/cel-go/interpreter"
)

// CEL's cost limit looks at a call after it was made, and not at what a value shares: `[x, x]` a few times over, or
// format with the same long text in many places, are cheap by its count and grow without bound. So every value that an
// expression makes is weighed, and one that is too heavy ends the evaluation before another call can multiply it.

// boundValues wraps the calls and constructors that make values.
func boundValues(i interpreter.InterpretableV2) (interpreter.InterpretableV2, error) {
	switch node := i.(type) {
	case interpreter.InterpretableCall:
		if smallResult(node.Function()) {
			return i, nil
		}
		return &boundedCall{node}, nil
	case interpreter.InterpretableConstructor:
		for _, value := range node.InitVals() {
			if _, constant := value.(interpreter.InterpretableConst); !constant {
				return &boundedConstructor{node}, nil
			}
		}
	}
	return i, nil
}

// smallResult reports whether a function makes no value larger than a number, whatever its arguments.
func smallResult(function string) bool {
	switch function {
	case operators.Equals, operators.NotEquals, operators.Less, operators.LessEquals, operators.Greater,
		operators.GreaterEquals, operators.In, operators.LogicalNot, operators.NotStrictlyFalse, operators.Negate,
		operators.Subtract, operators.Multiply, operators.Divide, operators.Modulo,
		overloads.Size, overloads.Contains, overloads.StartsWith, overloads.EndsWith, overloads.Matches,
		overloads.TypeConvertInt, overloads.TypeConvertUint, overloads.TypeConvertDouble, overloads.TypeConvertBool,
		overloads.TypeConvertDyn, overloads.TypeConvertType:
		return true
	}
	return false
}

type boundedCall struct {
	interpreter.InterpretableCall
}

// Exec makes the call and weighs what it yields.
func (b *boundedCall) Exec(frame *interpreter.ExecutionFrame) ref.Val {
	return bounded(frame, b.ID(), b.InterpretableCall.Exec(frame))
}

// Eval is Exec for callers that know no frame.
func (b *boundedCall) Eval(vars interpreter.Activation) ref.Val {
	return b.Exec(interpreter.AsFrame(vars))
}

type boundedConstructor struct {
	interpreter.InterpretableConstructor
}

// Exec makes the list or map and weighs it.
func (b *boundedConstructor) Exec(frame *interpreter.ExecutionFrame) ref.Val {
	return bounded(frame, b.ID(), b.InterpretableConstructor.Exec(frame))
}

// Eval is Exec for callers that know no frame.
func (b *boundedConstructor) Eval(vars interpreter.Activation) ref.Val {
	return b.Exec(interpreter.AsFrame(vars))
}

func bounded(frame *interpreter.ExecutionFrame, id int64, value ref.Val) ref.Val {
	s := weigh(value)
	if known, found := frame.ResolveName(weighingName); found {
		// CEL prices a list or map of any size alike, and knows nothing of this.
		known.(*weighing).add(s.values)
	}
	if s.tooHeavy() {
		return types.NewErrWithNodeID(id, reasonTooLarge)
	}
	return value
}

// weighingName is a name under which no expression can look, since it is no identifier.
const weighingName = "@weighing"

// weighing counts the values that the weighing of one evaluation looks at.
type weighing struct{ values int }

// add ends the evaluation, in the way that CEL's own limit does, once it has cost too much.
func (w *weighing) add(values int) {
	w.values += values
	if w.cost() > CostLimit {
		panic(interpreter.EvalCancelledError{Cause: interpreter.CostLimitExceeded, Message: reasonCost})
	}
}

func (w *weighing) cost() uint64 { return uint64(w.values / 2) }

// scale weighs a value: what is left of the weight that it may have, and how many values were looked at for that.
type scale struct{ left, values int }

func weigh(value ref.Val) scale {
	s := scale{left: MaxValueWeight}
	s.put(value)
	return s
}

func (s *scale) tooHeavy() bool { return s.left < 0 }

// put takes the weight of a value off what is left, and stops once that is negative.
func (s *scale) put(value ref.Val) {
	s.left--
	s.values++
	switch v := value.(type) {
	case types.String:
		s.text(len(v))
	case types.Bytes:
		s.text(len(v))
	case traits.Mapper:
		if !s.fits(v) {
			return
		}
		for it := v.Iterator(); s.left >= 0 && it.HasNext() == types.True; {
			key := it.Next()
			s.put(key)
			if item, ok := v.Find(key); ok && s.left >= 0 {
				s.put(item)
			}
		}
	case traits.Lister:
		if !s.fits(v) {
			return
		}
		for it := v.Iterator(); s.left >= 0 && it.HasNext() == types.True; {
			s.put(it.Next())
		}
	}
}

func (s *scale) text(length int) {
	s.left -= length
	if length > MaxTextSize {
		s.left = -1
	}
}

func (s *scale) fits(v traits.Sizer) bool {
	if size, ok := v.Size().(types.Int); !ok || int64(size) > int64(s.left) {
		s.left = -1
		return false
	}
	return true
}

// costs counts what CEL does not, or counts as too little: what is inside of the lists and maps that are compared,
// searched or added, the text that format makes, the program of a regular expression, the zone that is looked up, and
// the work of our own function.
type costs struct {
	// programs has the number of instructions of each regular expression.
	programs map[string]int
}

// CallCost returns the cost of a call that was made, or nil where CEL counts it well.
func (c costs) CallCost(function, _ string, args []ref.Val, result ref.Val) *uint64 {
	switch function {
	case operators.Equals, operators.NotEquals:
		return new(min(compared(args[0]), compared(args[1])))
	case operators.In:
		return new(compared(args[1]))
	case operators.Add:
		if _, list := result.(traits.Lister); list {
			return new(uint64(1 + size(result)/2))
		}
		return new(cost(size(result)))
	case formatFunction, dnsLabelFunction:
		return new(cost(size(args[0]) + size(result)))
	case overloads.Matches:
		// RE2 takes a step for each instruction at each character, one more at the end of the text.
		pattern, _ := args[1].(types.String)
		return new(cost(c.programs[string(pattern)] * (1 + size(args[0]))))
	case overloads.TimeGetFullYear, overloads.TimeGetMonth, overloads.TimeGetDayOfYear, overloads.TimeGetDate,
		overloads.TimeGetDayOfMonth, overloads.TimeGetDayOfWeek, overloads.TimeGetHours, overloads.TimeGetMinutes,
		overloads.TimeGetSeconds, overloads.TimeGetMilliseconds:
		if len(args) > 1 {
			return new(uint64(zoneCost))
		}
	}
	return nil
}

// zoneCost is what it costs to read a zone from the database of zones.
const zoneCost = 100

// compared is what it costs to look at everything in a value.
func compared(v ref.Val) uint64 {
	s := weigh(v)
	return uint64(1+s.values/2) + uint64(MaxValueWeight-max(s.left, 0))/10
}

const formatFunction = "format"

// cost is one for a call and one for every ten bytes or values it looks at, as CEL counts bytes.
func cost(looksAt int) uint64 { return uint64(1 + looksAt/10) }

func size(v ref.Val) int {
	if sized, ok := v.(traits.Sizer); ok {
		if n, ok := sized.Size().(types.Int); ok {
			return int(n)
		}
	}
	return 1
}
