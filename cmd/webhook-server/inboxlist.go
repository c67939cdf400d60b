// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/lxp-dev/course-completion-operator/internal/inboxapi"
)

// list shows records as they come, a page at a time: an inbox may have a million, and its pod half a gigabyte.
func (c *inboxCommand) list(ctx context.Context, _ []uint64) error {
	states := []string{c.state}
	switch c.state {
	case "all":
		states = []string{"dead", "waiting"}
	case "dead", "waiting":
	default:
		return fmt.Errorf("%w: --state must be waiting, dead or all", errUsage)
	}
	if c.limit < 0 {
		return fmt.Errorf("%w: --limit must be a number of records, or 0 for all", errUsage)
	}
	show := c.printer()
	shown, cut := 0, false
	for _, state := range states {
		err := c.client.pages(ctx, state, func(page []inboxapi.Record) (bool, error) {
			if c.limit > 0 && shown+len(page) > c.limit {
				page, cut = page[:c.limit-shown], true
			}
			shown += len(page)
			if len(page) == 0 {
				return !cut, nil
			}
			return !cut, show(page)
		})
		if err != nil {
			return err
		}
	}
	// The head alone, where there is nothing else.
	if err := show(nil); err != nil {
		return err
	}
	if cut {
		fmt.Fprintf(c.errOut, "There are more than the %d records of --limit; webhook-server inbox status shows how "+
			"many.\n", c.limit)
	}
	return nil
}

// printer returns what prints a page of records.
func (c *inboxCommand) printer() func([]inboxapi.Record) error {
	if c.json {
		encoder := json.NewEncoder(c.out)
		return func(page []inboxapi.Record) error {
			for _, r := range page {
				if err := encoder.Encode(r); err != nil {
					return err
				}
			}
			return nil
		}
	}
	t := newTable(c.out)
	return func(page []inboxapi.Record) error {
		for _, r := range page {
			t.add(strconv.FormatUint(r.Record, 10), r.State, r.Received.Format(time.RFC3339), r.Reason,
				strconv.FormatUint(uint64(r.Attempts), 10), r.Completion, r.DeliveryID)
		}
		return t.flush()
	}
}

// table prints rows in columns. A column never becomes narrower, so that what is printed later stands below what was
// printed before.
type table struct {
	out    io.Writer
	rows   [][]string
	widths []int
}

// newTable begins with the head. The columns have the room that most records need, so that few of them grow later.
func newTable(out io.Writer) *table {
	t := &table{out: out, widths: []int{6, len("waiting"), len(time.RFC3339) - len("07:00"), 15, 8, 20, 0}}
	t.add("RECORD", "STATE", "RECEIVED", "REASON", "ATTEMPTS", "COMPLETION", "DELIVERY")
	return t
}

func (t *table) add(cells ...string) {
	t.rows = append(t.rows, cells)
	for i, cell := range cells {
		t.widths[i] = max(t.widths[i], len(cell))
	}
}

// flush prints what was added, and keeps nothing of it.
func (t *table) flush() error {
	var text strings.Builder
	for _, row := range t.rows {
		for i, cell := range row[:len(row)-1] {
			fmt.Fprintf(&text, "%-*s", t.widths[i]+2, cell)
		}
		text.WriteString(row[len(row)-1] + "\n")
	}
	t.rows = nil
	_, err := io.WriteString(t.out, text.String())
	return err
}
