// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package preview

import (
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// place is where something is in a file; lines and columns count from 1.
type place struct {
	File   string `json:"file,omitempty"`
	Line   int    `json:"line,omitempty"`
	Column int    `json:"column,omitempty"`
}

// String writes it as compilers do.
func (p place) String() string {
	if p.File == "" {
		return ""
	}
	return p.File + ":" + strconv.Itoa(p.Line) + ":" + strconv.Itoa(p.Column)
}

// within is how the message of an expression says where in its text something is wrong.
var within = regexp.MustCompile(`^(?:line (\d+), )?column (\d+): `)

// find returns the place of a field, such as spec.namespaces[0].labels[a/b], or of the nearest one around it that the
// file has; and, where a message speaks of a column of its text, that place.
func (d *document) find(field, message string) place {
	node, whole := d.node, true
	for _, step := range steps(field) {
		next := child(node, step)
		if next == nil {
			whole = false
			break
		}
		node = next
	}
	at := place{d.file, node.Line, node.Column}
	if found := within.FindStringSubmatch(message); whole && found != nil && node.Kind == yaml.ScalarNode {
		line, _ := strconv.Atoi(found[1])
		column, _ := strconv.Atoi(found[2])
		at.Line, at.Column = d.inside(node, max(line, 1), column)
	}
	return at
}

// steps splits the path of a field into names and indexes.
func steps(field string) []string {
	var found []string
	for field != "" {
		switch field[0] {
		case '.':
			field = field[1:]
		case '[':
			end := strings.IndexByte(field, ']')
			if end < 0 {
				return found
			}
			found, field = append(found, field[1:end]), field[end+1:]
		default:
			end := strings.IndexAny(field, ".[")
			if end < 0 {
				end = len(field)
			}
			found, field = append(found, field[:end]), field[end:]
		}
	}
	return found
}

func child(node *yaml.Node, step string) *yaml.Node {
	for node.Kind == yaml.AliasNode {
		node = node.Alias
	}
	switch node.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(node.Content); i += 2 {
			if node.Content[i].Value == step {
				return node.Content[i+1]
			}
		}
	case yaml.SequenceNode:
		if i, err := strconv.Atoi(step); err == nil && i >= 0 && i < len(node.Content) {
			return node.Content[i]
		}
	}
	return nil
}

// inside returns the place of a line and column of a scalar's text in the file. Where folding makes that unclear it is
// the start of the text.
func (d *document) inside(node *yaml.Node, line, column int) (int, int) {
	switch node.Style &^ yaml.TaggedStyle {
	case yaml.LiteralStyle:
		return d.block(node, line, column)
	case yaml.FoldedStyle:
		return d.folded(node, line, column)
	case yaml.SingleQuotedStyle, yaml.DoubleQuotedStyle:
		return node.Line, node.Column + 1 + quoted(d.from(node.Line, node.Column+1), node.Style, column-1)
	}
	if line > 1 || node.Line > len(d.lines) || strings.Contains(node.Value, "\n") {
		return node.Line, node.Column
	}
	return node.Line, node.Column + column - 1
}

// from returns what a line has from a column on.
func (d *document) from(line, column int) string {
	if line > len(d.lines) {
		return ""
	}
	runes := []rune(d.lines[line-1])
	if column-1 > len(runes) {
		return ""
	}
	return string(runes[column-1:])
}

// block returns the place in a literal block, whose text begins in the line below.
func (d *document) block(node *yaml.Node, line, column int) (int, int) {
	at := node.Line + line
	if at > len(d.lines) {
		return node.Line, node.Column
	}
	return at, d.indent(node) + column
}

func (d *document) indent(node *yaml.Node) int {
	for _, text := range d.lines[min(node.Line, len(d.lines)):] {
		if trimmed := strings.TrimLeft(text, " "); trimmed != "" {
			return len(text) - len(trimmed)
		}
	}
	return 0
}

// folded returns the place in a folded block of plain paragraphs of one line each, joined by spaces.
func (d *document) folded(node *yaml.Node, line, column int) (int, int) {
	indent := d.indent(node)
	for at := node.Line + 1; line == 1 && at <= len(d.lines); at++ {
		text := d.lines[at-1]
		if len(text) <= indent || text[indent] == ' ' || strings.TrimSpace(text) == "" {
			break
		}
		length := utf8.RuneCountInString(text[indent:])
		if column <= length+1 {
			return at, indent + column
		}
		column -= length + 1
	}
	return node.Line + 1, indent + 1
}

// quoted returns how many characters of a file the first ones of a quoted text are.
func quoted(source string, style yaml.Style, characters int) int {
	runes, at := []rune(source), 0
	for ; characters > 0 && at < len(runes); characters-- {
		switch {
		case style&yaml.SingleQuotedStyle != 0 && runes[at] == '\'':
			at += 2
		case style&yaml.DoubleQuotedStyle != 0 && runes[at] == '\\' && at+1 < len(runes):
			at += 2 + map[rune]int{'x': 2, 'u': 4, 'U': 8}[runes[at+1]]
		default:
			at++
		}
	}
	return at
}
