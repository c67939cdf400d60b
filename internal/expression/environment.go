// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package expression

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/ext"
)

const (
	// stringsVersion pins the functions and their costs, so that an update of the library changes no policy.
	stringsVersion = 5
	// maxNesting bounds how deep comprehensions (all, exists, map, filter) may be nested.
	maxNesting = 3
	// maxNodes bounds the nodes of an expression after its macros are expanded.
	maxNodes = 8192
	// maxDepth bounds how deep an expression may be nested, which counts chains of one operator too.
	maxDepth = 64
	// maxRecoveries bounds how often the parser goes on after what it does not understand: the first errors say enough.
	maxRecoveries = 8
)

var variableTypes = map[string]reflect.Type{
	variableEvent:       reflect.TypeFor[Event](),
	variableInstitution: reflect.TypeFor[Institution](),
	variableCourse:      reflect.TypeFor[Course](),
	variableEnrollment:  reflect.TypeFor[Enrollment](),
	variableUser:        reflect.TypeFor[User](),
}

var variableNames = []string{
	variableEvent, variableInstitution, variableCourse, variableEnrollment, variableUser,
}

// environment is what expressions of one kind are compiled in.
type environment struct {
	cel       *cel.Env
	variables []string
}

// An environment takes milliseconds to make and never changes, so the two are made once.
var (
	completionEnvironment = sync.OnceValues(func() (*environment, error) {
		return newEnvironment(variableNames...)
	})
	userEnvironment = sync.OnceValues(func() (*environment, error) {
		return newEnvironment(variableInstitution, variableUser)
	})
)

func newEnvironment(variables ...string) (*environment, error) {
	natives := []any{ext.ParseStructTags(true)}
	for _, name := range variables {
		natives = append(natives, variableTypes[name])
	}
	options := []cel.EnvOption{
		ext.NativeTypes(natives...),
		ext.Strings(ext.StringsVersion(stringsVersion)),
		dnsLabelOption(),
		cel.CrossTypeNumericComparisons(true),
		cel.DefaultUTCTimeZone(true),
		cel.ParserExpressionSizeLimit(MaxLength),
		cel.ParserRecursionLimit(maxDepth),
		cel.ParserErrorRecoveryLimit(maxRecoveries),
		cel.ExpressionNodeLimit(maxNodes),
		cel.ASTValidators(
			cel.ValidateDurationLiterals(),
			cel.ValidateTimestampLiterals(),
			cel.ValidateComprehensionNestingLimit(maxNesting),
		),
	}
	for _, name := range variables {
		options = append(options, cel.Variable(name, cel.ObjectType("expression."+variableTypes[name].Name())))
	}
	options = append(options, cel.EagerlyValidateDeclarations(true))
	env, err := cel.NewEnv(options...)
	if err != nil {
		return nil, err
	}
	return &environment{cel: env, variables: variables}, nil
}

// resultKind is what an expression has to yield.
type resultKind int

const (
	resultAny resultKind = iota
	resultText
	resultBool
)

// program is a compiled expression.
type program struct {
	fragment fragment
	checked  *ast.AST
	cel      cel.Program
}

// compile parses, type-checks, checks for personal data and plans an expression. What it costs is charged to the
// budget, each step before it is taken.
func (e *environment) compile(f fragment, want resultKind, check *personalCheck, budget *Budget) (*program, faults) {
	if strings.TrimSpace(f.text) == "" {
		return nil, faults{f.fault("the expression is empty")}
	}
	if message := budget.expression(len(f.text)); message != "" {
		return nil, faults{f.fault(message)}
	}
	parsed, issues := e.cel.Parse(f.text)
	if err := issues.Err(); err != nil {
		return nil, e.explain(f, issues)
	}
	work, message := checkingWork(parsed.NativeRep())
	if message == "" {
		message = budget.compiling(work)
	}
	if message != "" {
		return nil, faults{f.fault(message)}
	}
	parsed, issues = e.cel.Check(parsed)
	if err := issues.Err(); err != nil {
		return nil, e.explain(f, issues)
	}
	checked := parsed.NativeRep()
	programs, found := patterns(f, checked)
	if found = append(check.walk(f, checked), found...); len(found) > 0 {
		return nil, found
	}
	if message := wrongResult(want, parsed.OutputType()); message != "" {
		return nil, faults{f.fault(message)}
	}
	return e.plan(f, parsed, programs, budget)
}

// plan makes a program of a checked expression, and tries what it costs.
func (e *environment) plan(f fragment, parsed *cel.Ast, programs map[string]int, budget *Budget) (*program, faults) {
	for _, size := range programs {
		if message := budget.compiling(size); message != "" {
			return nil, faults{f.fault(message)}
		}
	}
	planned, err := e.cel.Program(parsed,
		cel.EvalOptions(cel.OptOptimize),
		cel.CostLimit(CostLimit),
		cel.CostTracking(costs{programs}),
		cel.CustomDecoratorV2(boundValues),
	)
	if err != nil {
		return nil, faults{f.fault(oneLine(err.Error()))}
	}
	p := &program{fragment: f, checked: parsed.NativeRep(), cel: planned}
	spent, tooMuch := p.worst()
	if tooMuch {
		return nil, faults{f.fault(tooCostly)}
	}
	if message := budget.evaluating(spent); message != "" {
		return nil, faults{f.fault(message)}
	}
	return p, nil
}

const tooCostly = "the expression costs too much: make it simpler"

// explain turns CEL's issues into faults. What CEL repeats for every level is said once.
func (e *environment) explain(f fragment, issues *cel.Issues) faults {
	var found faults
	seen := map[string]bool{}
	for _, issue := range issues.Errors() {
		message := e.plain(issue.Message)
		if message == nestingMessage && seen[message] {
			continue
		}
		seen[message] = true
		found = append(found, f.at(issue.Location.Line(), issue.Location.Column(), message))
	}
	return found
}

var deepMessage = fmt.Sprintf("the expression costs too much: it is nested more than %d levels deep", maxDepth)

var nestingMessage = fmt.Sprintf("all, exists, map and filter may be nested or chained at most %d levels deep",
	maxNesting)

// plain puts a message of CEL so that it tells a policy's author what to do.
func (e *environment) plain(message string) string {
	message = strings.ReplaceAll(oneLine(message), " (in container '')", "")
	message = strings.ReplaceAll(message, "mismatched input '<EOF>'", "unexpected end")
	message, _, _ = strings.Cut(message, " expecting {")
	switch {
	case message == "comprehension exceeds nesting limit":
		return nestingMessage
	case strings.HasPrefix(message, "expression recursion limit exceeded"), message == "max recursion depth exceeded":
		return deepMessage
	}
	for _, name := range variableNames {
		if !slices.Contains(e.variables, name) && message == fmt.Sprintf("undeclared reference to '%s'", name) {
			return name + " is not available with grantPer: User: use institution and user, or create the policy with " +
				"grantPer: Completion"
		}
	}
	return message
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// wrongResult returns what is wrong with the type of a result, or nothing.
func wrongResult(want resultKind, got *cel.Type) string {
	switch want {
	case resultBool:
		if got.IsExactType(cel.BoolType) {
			return ""
		}
		return fmt.Sprintf("the expression must yield a bool, but yields %s", got)
	case resultText:
		switch got.Kind() {
		case types.BoolKind, types.DoubleKind, types.DurationKind, types.DynKind, types.IntKind, types.StringKind,
			types.TimestampKind, types.UintKind:
			return ""
		}
		return fmt.Sprintf("the expression must yield a string, a number or a bool, but yields %s", typeName(got))
	}
	switch got.Kind() {
	case types.StructKind, types.TypeKind, types.BytesKind, types.ErrorKind, types.OpaqueKind, types.AnyKind:
		return fmt.Sprintf("the expression must yield a string, a number, a bool, a list or a map, but yields %s",
			typeName(got))
	}
	return ""
}

// typeName returns CEL's name of a type; of a variable's type what people know it by.
func typeName(t *cel.Type) string {
	if t.Kind() == types.StructKind {
		name := strings.ToLower(strings.TrimPrefix(t.TypeName(), "expression."))
		return "the whole " + name + ": select one of its fields"
	}
	return t.String()
}
