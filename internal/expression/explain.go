// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package expression

import (
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/parser"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// Condition is one of the parts that a predicate joins by && at its top, and what came of it.
type Condition struct {
	// Text of the part. Where it looks at personal data that is not to be shown, its literals are left out: together with
	// the outcome they would tell it.
	Text string
	// Holds reports whether it is true. Where it fails Err says why, and quotes no value.
	Holds bool
	Err   error
	// Saw are the fields that it looks at, each once, with their values.
	Saw []Seen
}

// Seen is a field of a variable, with the value that an evaluation saw.
type Seen struct {
	// Field, such as enrollment.status.
	Field string
	// Value as CEL writes it: text in quotes. Empty where it is Hidden.
	Value string
	// Hidden reports that it is personal data that is not to be shown.
	Hidden bool
}

// explainingEnvironment keeps the macros of an expression as they were written.
var explainingEnvironment = sync.OnceValues(func() (*cel.Env, error) {
	env, err := completionEnvironment()
	if err != nil {
		return nil, err
	}
	return env.cel.Extend(cel.EnableMacroCallTracking())
})

// Explain takes a predicate apart at its topmost && and evaluates each part by itself. Personal data is left out unless
// it is asked for. It is for people who ask why: it compiles each part anew, which takes milliseconds.
func (p *Predicate) Explain(v Variables, personal bool) ([]Condition, error) {
	env, err := explainingEnvironment()
	if err != nil {
		return nil, fmt.Errorf("prepare the expression environment: %w", err)
	}
	parsed, issues := env.Parse(p.program.fragment.text)
	if err := issues.Err(); err != nil {
		return nil, fmt.Errorf("parse the expression: %w", err)
	}
	var conditions []Condition
	tree := parsed.NativeRep()
	for _, part := range conjuncts(tree.Expr()) {
		text, err := parser.Unparse(part, tree.SourceInfo(), parser.WrapOnColumn(math.MaxInt32))
		if err != nil {
			return nil, fmt.Errorf("parse the expression: %w", err)
		}
		condition, err := explainPart(text, v, personal)
		if err != nil {
			return nil, err
		}
		conditions = append(conditions, condition)
	}
	return conditions, nil
}

func conjuncts(e ast.Expr) []ast.Expr {
	if e.Kind() != ast.CallKind || e.AsCall().FunctionName() != operators.LogicalAnd {
		return []ast.Expr{e}
	}
	var parts []ast.Expr
	for _, arg := range e.AsCall().Args() {
		parts = append(parts, conjuncts(arg)...)
	}
	return parts
}

// allKept lets every personal field be used: what is explained has been checked when it was compiled.
var allKept = v1alpha1.PrivacySpec{Name: v1alpha1.DataKeep, Email: v1alpha1.DataKeep, CPF: v1alpha1.DataKeep,
	Nickname: v1alpha1.DataKeep, UUID: v1alpha1.DataKeep}

func explainPart(text string, v Variables, personal bool) (Condition, error) {
	env, err := completionEnvironment()
	if err != nil {
		return Condition{}, err
	}
	kept := keptFields(allKept)
	f := fragment{text: text, line: 1, column: 1}
	compiled, errs := env.compile(f, resultBool, &personalCheck{kept: kept, use: UseValue}, nil)
	if err := errs.join(); err != nil {
		return Condition{}, err
	}
	condition := Condition{Text: text}
	condition.Holds, condition.Err = (&Predicate{compiled}).Eval(v)
	hides := false
	for _, field := range selections(compiled.checked) {
		_, secret := kept[strings.TrimPrefix(field, variableUser+".")]
		seen := Seen{Field: field}
		if secret = secret && strings.HasPrefix(field, variableUser+"."); secret && !personal {
			seen.Hidden, hides = true, true
		} else {
			seen.Value = v.value(field)
		}
		condition.Saw = append(condition.Saw, seen)
	}
	if hides {
		condition.Text = withoutLiterals(text)
	}
	return condition, nil
}

// selections returns the fields of variables that an expression selects, each once, in the order of the text.
func selections(checked *ast.AST) []string {
	var fields []string
	seen := map[string]bool{}
	for _, node := range ast.MatchDescendants(ast.NavigateAST(checked), ast.KindMatcher(ast.SelectKind)) {
		operand := node.AsSelect().Operand()
		if operand.Kind() != ast.IdentKind {
			continue
		}
		variable := strings.TrimPrefix(operand.AsIdent(), ".")
		field := variable + "." + node.AsSelect().FieldName()
		if _, known := variableTypes[variable]; known && !seen[field] {
			seen[field] = true
			fields = append(fields, field)
		}
	}
	return fields
}

// value returns the value of a field of a variable as CEL writes it.
func (v *Variables) value(field string) string {
	variable, name, _ := strings.Cut(field, ".")
	holder, found := activation{variables: v}.ResolveName(variable)
	if !found {
		return ""
	}
	fields := reflect.ValueOf(holder).Elem()
	for i := range fields.NumField() {
		if fields.Type().Field(i).Tag.Get("cel") != name {
			continue
		}
		switch value := fields.Field(i).Interface().(type) {
		case string:
			return strconv.Quote(value)
		case time.Time:
			return value.UTC().Format(time.RFC3339)
		default:
			return fmt.Sprint(value)
		}
	}
	return ""
}

// omitted stands for a literal that is left out.
const omitted = "…"

// withoutLiterals returns an expression without its texts and numbers.
func withoutLiterals(text string) string {
	var b strings.Builder
	for i := 0; i < len(text); {
		c := text[i]
		inWord := i > 0 && strings.IndexByte(wordCharacters, text[i-1]) >= 0
		switch {
		case c == '"' || c == '\'':
			end := stringEnd(text, i)
			if end < 0 {
				return b.String() + omitted
			}
			b.WriteString(omitted)
			i = end
		case c >= '0' && c <= '9' && !inWord:
			b.WriteString(omitted)
			for i < len(text) && strings.IndexByte(wordCharacters+".", text[i]) >= 0 {
				i++
			}
		default:
			b.WriteByte(c)
			i++
		}
	}
	return b.String()
}
