/*
Copyright 2026 The Course Completion Operator Authors.

Licensed under the Apache License, Version 2.0 (the "License");
you may not use this file except in compliance with the License.
You may obtain a copy of the License at

    http://www.apache.org/licenses/LICENSE-2.0

Unless required by applicable law or agreed to in writing, software
distributed under the License is distributed on an "AS IS" BASIS,
WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
See the License for the specific language governing permissions and
limitations under the License.
*/

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
	return bounded(b.ID(), b.InterpretableCall.Exec(frame))
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
	return bounded(b.ID(), b.InterpretableConstructor.Exec(frame))
}

// Eval is Exec for callers that know no frame.
func (b *boundedConstructor) Eval(vars interpreter.Activation) ref.Val {
	return b.Exec(interpreter.AsFrame(vars))
}

func bounded(id int64, value ref.Val) ref.Val {
	if weigh(value, MaxValueWeight) < 0 {
		return types.NewErrWithNodeID(id, reasonTooLarge)
	}
	return value
}

// weigh takes the weight of a value off what is left, and stops once that is negative.
func weigh(value ref.Val, left int) int {
	left--
	switch v := value.(type) {
	case types.String:
		if len(v) > MaxTextSize {
			return -1
		}
		return left - len(v)
	case types.Bytes:
		if len(v) > MaxTextSize {
			return -1
		}
		return left - len(v)
	case traits.Mapper:
		if size, ok := v.Size().(types.Int); !ok || int64(size) > int64(left) {
			return -1
		}
		for it := v.Iterator(); left >= 0 && it.HasNext() == types.True; {
			key := it.Next()
			left = weigh(key, left)
			if item, ok := v.Find(key); ok && left >= 0 {
				left = weigh(item, left)
			}
		}
	case traits.Lister:
		if size, ok := v.Size().(types.Int); !ok || int64(size) > int64(left) {
			return -1
		}
		for it := v.Iterator(); left >= 0 && it.HasNext() == types.True; {
			left = weigh(it.Next(), left)
		}
	}
	return left
}

// costs counts what CEL does not: what is inside of the lists and maps that are compared, searched or added, the text
// that format makes, and the work of our own function. CEL takes them for small, and knows some only where the types
// are known before.
type costs struct{}

// CallCost returns the cost of a call that was made, or nil where CEL counts it well.
func (costs) CallCost(function, _ string, args []ref.Val, result ref.Val) *uint64 {
	switch function {
	case operators.Equals, operators.NotEquals:
		return new(cost(min(weight(args[0]), weight(args[1]))))
	case operators.In:
		return new(cost(weight(args[1])))
	case operators.Add:
		return new(cost(size(result)))
	case formatFunction, dnsLabelFunction:
		return new(cost(size(args[0]) + size(result)))
	}
	return nil
}

const formatFunction = "format"

// cost is one for a call and one for every ten bytes or values it looks at, as CEL counts bytes.
func cost(looksAt int) uint64 { return uint64(1 + looksAt/10) }

func weight(v ref.Val) int { return MaxValueWeight - max(weigh(v, MaxValueWeight), 0) }

func size(v ref.Val) int {
	if sized, ok := v.(traits.Sizer); ok {
		if n, ok := sized.Size().(types.Int); ok {
			return int(n)
		}
	}
	return 1
}
