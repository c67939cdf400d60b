// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package webhookserver

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
)

// AuditToStdout is the path that stands for the standard output.
const AuditToStdout = "-"

// AuditLog takes one line of JSON for each call. Its methods may be called at the same time.
type AuditLog struct {
	// path is empty where the sink is no file of ours.
	path string

	mu      sync.Mutex
	sink    io.Writer
	failing bool
	// torn tells that the sink took a part of a line.
	torn bool
}

// NewAuditLog writes to a sink that the caller closes.
func NewAuditLog(sink io.Writer) *AuditLog { return &AuditLog{sink: sink} }

// OpenAuditLog appends to a file, which only this program's user can read if it makes it, or writes to the standard
// output.
func OpenAuditLog(path string) (*AuditLog, error) {
	if path == AuditToStdout {
		return NewAuditLog(os.Stdout), nil
	}
	l := &AuditLog{path: path}
	return l, l.Reopen()
}

// Reopen opens the file again, which something else may have moved away, and keeps the old one where that fails. It
// does nothing for a sink that is no file.
func (l *AuditLog) Reopen() error {
	if l.path == "" {
		return nil
	}
	file, err := os.OpenFile(l.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("opening the audit log: %w", err)
	}
	l.mu.Lock()
	old := l.sink
	l.sink = file
	l.mu.Unlock()
	if closer, ok := old.(io.Closer); ok {
		return closer.Close()
	}
	return nil
}

// Close closes the file. Records that come later are refused.
func (l *AuditLog) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	closer, ok := l.sink.(io.Closer)
	if l.path == "" || !ok {
		return nil
	}
	l.sink = nil
	return closer.Close()
}

// write appends a record as a line of its own, also where the sink took only a part of the one before. It reports
// whether the sink has begun to fail, or works again, with this record.
func (l *AuditLog) write(record any) (turned bool, err error) {
	line, err := json.Marshal(record)
	if err != nil {
		return false, fmt.Errorf("encoding an audit record: %w", err)
	}
	line = append(line, '\n')
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.sink == nil {
		err = errors.New("the audit log is closed")
	} else {
		if l.torn {
			line = append([]byte{'\n'}, line...)
		}
		var written int
		written, err = l.sink.Write(line)
		l.torn = written < len(line) && (l.torn || written > 0)
	}
	turned = l.failing != (err != nil)
	l.failing = err != nil
	return turned, err
}
