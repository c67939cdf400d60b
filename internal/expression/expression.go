// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package expression compiles, type-checks and evaluates the CEL of policies: the predicates that match completions,
// and the templates that name and fill what is granted.
//
// It is pure: it reads no clock, and knows neither the cluster nor the rest of the operator; all that CEL ever looks
// up is the zone that an expression names in a call such as `event.sentAt.getHours("America/Sao_Paulo")`. What an
// expression yields goes in as data and is never parsed again. An evaluation is bounded in cost and in the size of
// every value it makes, and its errors never quote a value, because values are personal data.
package expression

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"cel.dev/cel-go/common/ast"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

const (
	// MaxLength bounds the text of a template or predicate, in characters.
	MaxLength = 4096
	// MaxTextSize bounds the text that a template renders, and every text that an expression makes on the way, in bytes.
	MaxTextSize = 4096
	// MaxValueWeight bounds every value that an expression makes: one for each value in it at any depth, and one for each
	// byte of its texts.
	MaxValueWeight = 8192
	// CostLimit bounds one evaluation, in CEL's units: about one for each step and each ten bytes of text looked at. What
	// policies do (`grad-${user.id}`, a comparison, a few text functions) costs less than a hundred; the limit is reached
	// within some milliseconds.
	CostLimit = 20_000
	// maxErrors bounds how many errors one text reports: the first ones say enough.
	maxErrors = 8
)

// Use is what the result of a template is used as. It decides which personal fields the template may hold, and whether
// it has to yield text.
type Use string

const (
	// UseValue is a field outside of any metadata. A template that is one whole expression keeps its type.
	UseValue Use = "Value"
	// UseText is a field outside of any metadata that holds text, a number or a truth value.
	UseText Use = "Text"
	// UseMetadata is a name, namespace, label, annotation or other metadata. No personal field may be in it, since many
	// may read metadata who may not read completions.
	UseMetadata Use = "Metadata"
	// UseSubject is the name of a subject that gets access. It may hold one personal field.
	UseSubject Use = "Subject"
)

// Scope is where an expression stands.
type Scope struct {
	// GrantPer decides which variables templates have: User leaves institution and user. Empty means Completion.
	GrantPer v1alpha1.GrantPer
	// Privacy is the institution's. A personal field that it does not keep is an error wherever it is used. Empty fields
	// mean what the API defaults them to.
	Privacy v1alpha1.PrivacySpec
}

// Compiler compiles the expressions of a scope. It is cheap to make, and safe for concurrent use.
type Compiler struct {
	scope     Scope
	kept      map[string]bool
	templates *environment
	predicate *environment
	// budget is nil where only the cost of each expression is bounded.
	budget *Budget
}

// NewCompiler returns a compiler for the scope. It fails where the scope's grantPer is unknown.
func NewCompiler(scope Scope) (*Compiler, error) {
	completion, err := completionEnvironment()
	if err != nil {
		return nil, fmt.Errorf("prepare the expression environment: %w", err)
	}
	user, err := userEnvironment()
	if err != nil {
		return nil, fmt.Errorf("prepare the expression environment of a user: %w", err)
	}
	c := &Compiler{scope: scope, kept: keptFields(scope.Privacy), predicate: completion}
	switch scope.GrantPer {
	case v1alpha1.GrantPerCompletion, "":
		c.templates = completion
	case v1alpha1.GrantPerUser:
		c.templates = user
	default:
		return nil, fmt.Errorf("grantPer %q is unknown: use Completion or User", scope.GrantPer)
	}
	return c, nil
}

// Within returns a compiler that charges everything it compiles to a budget.
func (c *Compiler) Within(budget *Budget) *Compiler {
	within := *c
	within.budget = budget
	return &within
}

// Template is a compiled text with expressions in it. It is immutable and safe for concurrent use.
type Template struct {
	parts []part
}

// part is either an expression or literal text.
type part struct {
	literal    string
	expression *program
}

// Template compiles a text in which `${...}` holds a CEL expression and `$${` stands for a literal `${`. The error
// joins one *Error for each thing that is wrong, columns counted in the whole text.
func (c *Compiler) Template(text string, use Use) (*Template, error) {
	if err := checkText(text); err != nil {
		return nil, err
	}
	segments, err := split(text)
	if err != nil {
		return nil, err
	}
	whole := len(segments) == 1
	check := &personalCheck{kept: c.kept, use: use, seen: map[string]bool{}}
	t := &Template{parts: make([]part, 0, len(segments))}
	var found faults
	for _, s := range segments {
		if !s.expression {
			t.parts = append(t.parts, part{literal: s.text})
			continue
		}
		result := resultText
		if whole && use == UseValue {
			result = resultAny
		}
		p, errs := c.templates.compile(s.fragment(), result, check, c.budget)
		if found = append(found, errs...); len(found) >= maxErrors || c.budget.Exhausted() {
			break
		}
		if len(errs) > 0 {
			continue
		}
		folded, fault := fold(p, result)
		if fault != nil {
			found = append(found, fault)
		}
		t.parts = append(t.parts, folded)
	}
	if err := found.join(); err != nil {
		return nil, err
	}
	return t, nil
}

// fold makes literal text of an expression that uses no variable, so that what it yields can be checked when the policy
// is written, as if it were written out. One that yields nothing stays, since its error says where.
func fold(p *program, result resultKind) (part, *Error) {
	if result != resultText || !p.constant() {
		return part{expression: p}, nil
	}
	text, err := p.text(Variables{})
	if fault, ok := errors.AsType[*Error](err); ok {
		return part{}, fault
	}
	if strings.TrimSpace(text) == "" {
		return part{expression: p}, nil
	}
	return part{literal: text}, nil
}

// Literal returns the text of a template whose text is the same whatever the delivery, and whether it is one.
func (t *Template) Literal() (string, bool) {
	var text strings.Builder
	for _, p := range t.parts {
		if p.expression != nil {
			return "", false
		}
		text.WriteString(p.literal)
	}
	return text.String(), true
}

// Start returns the text before the first expression.
func (t *Template) Start() string {
	var start strings.Builder
	for _, p := range t.parts {
		if p.expression != nil {
			break
		}
		start.WriteString(p.literal)
	}
	return start.String()
}

// Selects reports whether an expression of the template uses a field of a variable, such as id of enrollment.
func (t *Template) Selects(variable, field string) bool {
	for _, p := range t.parts {
		if p.expression == nil {
			continue
		}
		for _, node := range ast.MatchDescendants(ast.NavigateAST(p.expression.checked), ast.KindMatcher(ast.SelectKind)) {
			operand := node.AsSelect().Operand()
			if node.AsSelect().FieldName() == field && operand.Kind() == ast.IdentKind &&
				strings.TrimPrefix(operand.AsIdent(), ".") == variable {
				return true
			}
		}
	}
	return false
}

// Eval returns what the template yields: where it is one whole expression a value of its type (nil, bool, int64,
// float64, string, []any or map[string]any; a moment or duration as text), otherwise a string. Its errors quote no
// values.
func (t *Template) Eval(v Variables) (any, error) {
	if len(t.parts) == 1 && t.parts[0].expression != nil {
		return t.parts[0].expression.native(v)
	}
	return t.String(v)
}

// String returns what the template yields as text: numbers in decimal digits without an exponent, truth values as true
// and false, moments in RFC 3339. It refuses lists, maps and null. Its errors quote no values.
func (t *Template) String(v Variables) (string, error) { return t.text(v, true) }

// Filled returns what String does, and an error where an expression yields nothing: a name with a part that is missing
// is another name.
func (t *Template) Filled(v Variables) (string, error) { return t.text(v, false) }

func (t *Template) text(v Variables, mayLack bool) (string, error) {
	var b strings.Builder
	for _, p := range t.parts {
		s := p.literal
		if p.expression != nil {
			var err error
			if s, err = p.expression.text(v); err != nil {
				return "", err
			}
			if !mayLack && strings.TrimSpace(s) == "" {
				return "", p.expression.fragment.fault(reasonEmpty)
			}
		}
		b.WriteString(s)
		if b.Len() <= MaxTextSize {
			continue
		}
		if p.expression != nil {
			return "", p.expression.fragment.fault(reasonTooLarge)
		}
		return "", &Error{Expression: s, Line: 1, Column: 1, Message: reasonTooLarge}
	}
	return b.String(), nil
}

// Predicate is a compiled expression that yields true or false. It is immutable and safe for concurrent use.
type Predicate struct {
	program *program
}

// Predicate compiles a bare CEL expression that yields true or false. It has all variables, also where grants are per
// user, since it looks at one completion; and it may use every personal field that is kept, since it publishes none.
func (c *Compiler) Predicate(text string) (*Predicate, error) {
	if err := checkText(text); err != nil {
		return nil, err
	}
	f := fragment{text: text, line: 1, column: 1}
	if bare := strings.TrimLeft(text, " "); strings.HasPrefix(bare, "${") {
		return nil, f.at(1, len(text)-len(bare), "must be a bare expression: remove ${ and }")
	}
	p, errs := c.predicate.compile(f, resultBool, &personalCheck{kept: c.kept, use: UseValue}, c.budget)
	if err := errs.join(); err != nil {
		return nil, err
	}
	return &Predicate{program: p}, nil
}

// Eval reports whether the predicate holds. Its errors quote no values.
func (p *Predicate) Eval(v Variables) (bool, error) {
	result, err := p.program.native(v)
	if err != nil {
		return false, err
	}
	holds, ok := result.(bool)
	if !ok {
		return false, p.program.fragment.fault(reasonFailed)
	}
	return holds, nil
}

func checkText(text string) error {
	if !utf8.ValidString(text) {
		return &Error{Line: 1, Column: 1, Message: "the text is not valid UTF-8"}
	}
	if n := utf8.RuneCountInString(text); n > MaxLength {
		return &Error{
			Expression: text, Line: 1, Column: MaxLength + 1,
			Message: fmt.Sprintf("the text has %d characters, at most %d are allowed", n, MaxLength),
		}
	}
	return nil
}
