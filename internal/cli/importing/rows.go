// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package importing

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/lxp-dev/course-completion-operator/internal/sender"
)

// row is one completion of the file.
type row struct {
	// line is where it begins, counted from 1.
	line int
	// body is the delivery; nil where fault says why there is none.
	body  []byte
	fault string
	// cells or text are the row as it stands in the file, for the refused ones.
	cells []string
	text  []byte
}

// rows reads a file row by row.
type rows interface {
	// next returns io.EOF at the end.
	next() (*row, error)
	// header has the columns; nil for JSON lines.
	header() []string
}

const (
	byteOrderMark = "\uFEFF"
	// maxLine bounds a line of JSON, well beyond what the webhook server takes.
	maxLine = 4 << 20
	// sniffed is how much of a file is looked at to find out what it is.
	sniffed = 64 << 10
)

// open tells CSV from JSON lines by the first character, and the delimiter of CSV by its first line.
func open(in io.Reader, fields *mapping, delimiter rune) (rows, error) {
	buffered := bufio.NewReaderSize(in, sniffed)
	start, err := buffered.Peek(len(byteOrderMark))
	if err == nil && string(start) == byteOrderMark {
		_, _ = buffered.Discard(len(byteOrderMark))
	}
	start, err = buffered.Peek(sniffed)
	if len(bytes.TrimSpace(start)) == 0 {
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
		return nil, errors.New("the file is empty")
	}
	if bytes.HasPrefix(bytes.TrimSpace(start), []byte("{")) {
		lines := bufio.NewScanner(buffered)
		lines.Buffer(nil, maxLine)
		return &jsonRows{lines: lines, fields: fields}, nil
	}
	if delimiter == 0 {
		first, _, _ := bytes.Cut(start, []byte("\n"))
		delimiter = likeliest(first)
	}
	return openCSV(buffered, fields, delimiter)
}

// likeliest returns the delimiter that a header has most often.
func likeliest(header []byte) rune {
	best := ','
	for _, candidate := range ";\t" {
		if bytes.Count(header, []byte(string(candidate))) > bytes.Count(header, []byte(string(best))) {
			best = candidate
		}
	}
	return best
}

// csvRows reads CSV with a header.
type csvRows struct {
	csv     *csv.Reader
	names   []string
	columns [][]string
	fields  *mapping
}

func openCSV(in io.Reader, fields *mapping, delimiter rune) (*csvRows, error) {
	reader := csv.NewReader(in)
	reader.Comma = delimiter
	reader.FieldsPerRecord = -1
	names, err := reader.Read()
	if err != nil {
		return nil, fmt.Errorf("reading the header: %w", err)
	}
	columns, err := fields.columns(names)
	if err != nil {
		return nil, err
	}
	return &csvRows{csv: reader, names: names, columns: columns, fields: fields}, nil
}

func (r *csvRows) header() []string { return r.names }

func (r *csvRows) next() (*row, error) {
	cells, err := r.csv.Read()
	if broken, ok := errors.AsType[*csv.ParseError](err); ok {
		return &row{line: broken.StartLine, cells: cells, fault: "is not CSV: " + broken.Err.Error()}, nil
	}
	if err != nil {
		return nil, err
	}
	line, _ := r.csv.FieldPos(0)
	got := &row{line: line, cells: cells}
	if len(cells) != len(r.names) {
		got.fault = fmt.Sprintf("has %d columns, and the header has %d", len(cells), len(r.names))
		return got, nil
	}
	values := r.fields.constants()
	for i, cell := range cells {
		if !utf8.ValidString(cell) {
			got.fault = fmt.Sprintf("column %s is not UTF-8: save the file as UTF-8", r.names[i])
			return got, nil
		}
		for _, field := range r.columns[i] {
			// The contract has null for what there is not.
			if values[field] = any(cell); cell == "" {
				values[field] = nil
			}
		}
	}
	got.body, err = sender.Compose(values)
	return got, err
}

// jsonRows reads a JSON object a line: a delivery as the contract has it, or its fields by name.
type jsonRows struct {
	lines  *bufio.Scanner
	at     int
	fields *mapping
}

func (r *jsonRows) header() []string { return nil }

func (r *jsonRows) next() (*row, error) {
	for r.lines.Scan() {
		r.at++
		text := bytes.TrimSpace(r.lines.Bytes())
		if len(text) == 0 {
			continue
		}
		got := &row{line: r.at, text: bytes.Clone(text)}
		got.body, got.fault = r.delivery(got)
		return got, nil
	}
	if err := r.lines.Err(); err != nil {
		return nil, fmt.Errorf("line %d: %w", r.at+1, err)
	}
	return nil, io.EOF
}

// delivery returns the delivery that a line says, or why it says none.
func (r *jsonRows) delivery(of *row) (body []byte, fault string) {
	var members map[string]json.RawMessage
	if !utf8.Valid(of.text) {
		return nil, "is not UTF-8"
	}
	if err := json.Unmarshal(of.text, &members); err != nil {
		return nil, "is not a JSON object"
	}
	if refused, ok := members[refusedRow]; ok && members[refusedReason] != nil {
		// From the file of refused rows, put right.
		of.text = refused
		return r.delivery(of)
	}
	if members["event"] != nil || members["data"] != nil {
		return of.text, ""
	}
	values := r.fields.constants()
	for name, value := range members {
		for _, field := range r.fields.of(name) {
			values[field] = value
		}
	}
	if _, said := values[enrolledCourse]; !said && values[completedCourse] != nil {
		values[enrolledCourse] = values[completedCourse]
	}
	body, err := sender.Compose(values)
	if err != nil {
		return nil, err.Error()
	}
	return body, ""
}

// isOwn reports whether a column is one that the file of refused rows has more than the import.
func isOwn(column string) bool { return strings.HasPrefix(column, "import.") }
