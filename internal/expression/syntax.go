// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package expression

import (
	"strings"
	"unicode/utf8"
)

// segment is a piece of a template's text: an expression without its braces, or literal text with its escapes
// resolved.
type segment struct {
	text         string
	expression   bool
	line, column int
}

func (s segment) fragment() fragment { return fragment{text: s.text, line: s.line, column: s.column} }

// split takes a template's text apart. Literal text reads from left to right: `$${` is `${`, and a `$` that starts
// neither that nor an expression is itself.
func split(text string) ([]segment, error) {
	var segments []segment
	var literal strings.Builder
	flush := func() {
		if literal.Len() > 0 {
			segments = append(segments, segment{text: literal.String()})
			literal.Reset()
		}
	}
	for i := 0; i < len(text); {
		rest := text[i:]
		switch {
		case strings.HasPrefix(rest, "$${"):
			literal.WriteString("${")
			i += len("$${")
		case strings.HasPrefix(rest, "${"):
			inner := rest[len("${"):]
			end := expressionEnd(inner)
			if end < 0 {
				line, column := position(text, i)
				return nil, &Error{
					Expression: rest, Line: line, Column: column,
					Message: "missing } for the expression that starts here: close it, or write $${ for a literal ${",
				}
			}
			flush()
			line, column := position(text, i+len("${"))
			segments = append(segments, segment{text: inner[:end], expression: true, line: line, column: column})
			i += len("${") + end + len("}")
		default:
			literal.WriteByte(text[i])
			i++
		}
	}
	flush()
	return segments, nil
}

// position returns the line and column of a byte offset, in characters from 1.
func position(text string, offset int) (line, column int) {
	before := text[:offset]
	start := strings.LastIndexByte(before, '\n') + 1
	return strings.Count(before, "\n") + 1, utf8.RuneCountInString(before[start:]) + 1
}

// expressionEnd returns the offset of the brace that closes the expression, or -1. It reads CEL's strings and
// comments, in which braces mean nothing, and counts the braces of maps. What else is wrong is left to CEL, which
// says it better.
func expressionEnd(text string) int {
	depth := 0
	for i := 0; i < len(text); {
		switch c := text[i]; c {
		case '{':
			depth++
			i++
		case '}':
			if depth == 0 {
				return i
			}
			depth--
			i++
		case '"', '\'':
			end := stringEnd(text, i)
			if end < 0 {
				return -1
			}
			i = end
		case '/':
			if strings.HasPrefix(text[i:], "//") {
				newline := strings.IndexByte(text[i:], '\n')
				if newline < 0 {
					return -1
				}
				i += newline
			}
			i++
		default:
			i++
		}
	}
	return -1
}

// stringEnd returns the offset after the string literal whose quote is at start, or -1 where it does not end.
func stringEnd(text string, start int) int {
	quote := text[start : start+1]
	multiline := strings.HasPrefix(text[start:], strings.Repeat(quote, 3))
	if multiline {
		quote = strings.Repeat(quote, 3)
	}
	raw := rawPrefix(text[:start])
	for i := start + len(quote); i < len(text); i++ {
		switch {
		case strings.HasPrefix(text[i:], quote):
			return i + len(quote)
		case text[i] == '\\' && !raw:
			i++
		case !multiline && (text[i] == '\n' || text[i] == '\r'):
			return -1
		}
	}
	return -1
}

// rawPrefix reports whether the word that ends the text makes the string after it a raw one, in which a backslash is
// itself.
func rawPrefix(before string) bool {
	word := before[len(strings.TrimRight(before, wordCharacters)):]
	switch word {
	case "r", "R", "br", "bR", "Br", "BR":
		return true
	}
	return false
}

const wordCharacters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"
