// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package importing

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// What the file of refused rows has more than the file that was imported. So what is put right there can be imported as
// it is.
const (
	refusedLine   = "import.line"
	refusedReason = "import.reason"
	refusedRow    = "import.row"
)

// rejects writes the refused rows to a file, which is made with the first one.
type rejects struct {
	path   string
	header []string
	// more adds to what an import wrote that was interrupted.
	more bool
	file *os.File
}

// rejectsPath is where refused rows go that nobody chose a file for.
func rejectsPath(input string) string {
	if input == "-" {
		return "import.rejected"
	}
	extension := filepath.Ext(input)
	return strings.TrimSuffix(input, extension) + ".rejected" + extension
}

func (r *rejects) add(refused *row, reason string) error {
	if r.file == nil {
		if err := r.create(); err != nil {
			return err
		}
	}
	if refused.cells == nil && r.header == nil {
		return r.addJSON(refused, reason)
	}
	w := csv.NewWriter(r.file)
	_ = w.Write(append([]string{strconv.Itoa(refused.line), reason}, r.without(refused.cells)...))
	w.Flush()
	return w.Error()
}

func (r *rejects) addJSON(refused *row, reason string) error {
	line := map[string]any{refusedLine: refused.line, refusedReason: reason}
	if line[refusedRow] = json.RawMessage(refused.text); !json.Valid(refused.text) {
		line[refusedRow] = string(refused.text)
	}
	return json.NewEncoder(r.file).Encode(line)
}

// create makes the file; whoever may read it reads what was to be imported, so nobody else may.
func (r *rejects) create() error {
	mode := os.O_CREATE | os.O_WRONLY | os.O_TRUNC
	if r.more {
		mode = os.O_CREATE | os.O_WRONLY | os.O_APPEND
	}
	file, err := os.OpenFile(r.path, mode, 0o600)
	if err != nil {
		return fmt.Errorf("opening --rejects: %w", err)
	}
	r.file = file
	if at, err := file.Stat(); err != nil || r.header == nil || at.Size() > 0 {
		return err
	}
	w := csv.NewWriter(file)
	_ = w.Write(append([]string{refusedLine, refusedReason}, r.without(r.header)...))
	w.Flush()
	return w.Error()
}

// without returns the cells of a row without those that an earlier import has put in front.
func (r *rejects) without(cells []string) []string {
	var rest []string
	for i, cell := range cells {
		if i >= len(r.header) || !isOwn(r.header[i]) {
			rest = append(rest, cell)
		}
	}
	return rest
}

func (r *rejects) close() error {
	if r.file == nil {
		return nil
	}
	return r.file.Close()
}
