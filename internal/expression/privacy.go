// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package expression

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"cel.dev/cel-go/common/ast"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// keptFields returns the personal fields of the user, and of each whether it is kept. The defaults are the API's.
func keptFields(p v1alpha1.PrivacySpec) map[string]bool {
	keep := func(handling, byDefault v1alpha1.DataHandling) bool {
		if handling == "" {
			handling = byDefault
		}
		return handling == v1alpha1.DataKeep
	}
	return map[string]bool{
		"name":     keep(p.Name, v1alpha1.DataKeep),
		"email":    keep(p.Email, v1alpha1.DataKeep),
		"cpf":      keep(p.CPF, v1alpha1.DataMask),
		"nickname": keep(p.Nickname, v1alpha1.DataKeep),
		"uuid":     keep(p.UUID, v1alpha1.DataKeep),
	}
}

// personalCheck finds personal fields where they must not be. One check sees all expressions of a template.
type personalCheck struct {
	kept map[string]bool
	use  Use
	// seen are the personal fields met so far.
	seen map[string]bool
}

// walk looks at every node of a checked expression. The variable user may stand only before the dot of a selection, so
// that no personal field can get past the check inside of something else.
func (c *personalCheck) walk(f fragment, checked *ast.AST) faults {
	var found faults
	report := func(id int64, message string) {
		at := checked.SourceInfo().GetStartLocation(id)
		found = append(found, f.at(at.Line(), at.Column(), message))
	}
	for _, node := range ast.MatchDescendants(ast.NavigateAST(checked), ast.AllMatcher()) {
		switch node.Kind() {
		case ast.StructKind:
			report(node.ID(), "message types cannot be created in expressions: use a map")
		case ast.ComprehensionKind:
			fold := node.AsComprehension()
			for _, name := range []string{fold.IterVar(), fold.IterVar2(), fold.AccuVar()} {
				if slices.Contains(variableNames, name) {
					report(node.ID(), fmt.Sprintf("%s is already a variable: rename the variable of the macro", name))
				}
			}
		case ast.IdentKind:
			if strings.TrimPrefix(node.AsIdent(), ".") != variableUser {
				continue
			}
			parent, ok := node.Parent()
			if !ok || parent.Kind() != ast.SelectKind {
				report(node.ID(), "user cannot be used as a whole: select one of its fields, such as user.id")
				continue
			}
			if message := c.selected(parent.AsSelect().FieldName()); message != "" {
				report(node.ID(), message)
			}
		}
	}
	return found
}

// selected returns what is wrong with the use of a field of the user, or nothing.
func (c *personalCheck) selected(field string) string {
	kept, personal := c.kept[field]
	switch {
	case !personal:
		return ""
	case c.use == UseMetadata:
		return fmt.Sprintf("user.%s is personal data, which names, namespaces, labels and other metadata "+
			"must not contain: use user.id", field)
	case !kept:
		return fmt.Sprintf("the institution does not keep user.%s: remove it, or set spec.privacy.%s of the "+
			"Institution to Keep", field, field)
	case c.use == UseSubject && !c.seen[field] && len(c.seen) > 0:
		return fmt.Sprintf("user.%s cannot be used as well: the name of a subject may contain only one personal field, and "+
			"it already contains user.%s", field, slices.Sorted(maps.Keys(c.seen))[0])
	}
	if c.seen != nil {
		c.seen[field] = true
	}
	return ""
}
