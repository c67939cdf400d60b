// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/lxp-dev/course-completion-operator/internal/inboxapi"
)

// outcomeOf tells what an error says about one record. It is empty where the error concerns more than that.
func outcomeOf(err error) inboxapi.Outcome {
	refused, ok := errors.AsType[*refusedError](err)
	switch {
	case !ok:
		return ""
	case refused.status == http.StatusNotFound:
		return inboxapi.Gone
	case refused.status == http.StatusConflict:
		return inboxapi.Busy
	}
	return ""
}

// each does something to every record, and goes on with the others where it cannot be done to one.
func (c *inboxCommand) each(records []uint64, done inboxapi.Outcome, do func(record uint64) error) error {
	encoder, left := json.NewEncoder(c.out), 0
	for _, record := range records {
		err := do(record)
		outcome := outcomeOf(err)
		if err != nil && outcome == "" {
			return fmt.Errorf("record %d: %w", record, err)
		}
		if err != nil {
			left++
			fmt.Fprintf(c.errOut, "record %d: %v\n", record, err)
		}
		switch {
		case c.json && outcome != "":
			err = encoder.Encode(inboxapi.Record{Record: record, Outcome: outcome})
		case c.json && done != "":
			err = encoder.Encode(inboxapi.Record{Record: record, Outcome: done})
		default:
			err = nil
		}
		if err != nil {
			return err
		}
	}
	if left > 0 {
		return fmt.Errorf("%d of %d records were not changed", left, len(records))
	}
	return nil
}

func (c *inboxCommand) show(ctx context.Context, records []uint64) error {
	if len(records) == 0 {
		return fmt.Errorf("%w: name the records to show", errUsage)
	}
	query := ""
	if c.withData {
		query = "?data=true"
	}
	shown := 0
	return c.each(records, "", func(record uint64) error {
		var r inboxapi.Record
		if err := c.client.get(ctx, fmt.Sprintf("/records/%d%s", record, query), &r); err != nil {
			return err
		}
		if c.json {
			return json.NewEncoder(c.out).Encode(r)
		}
		if shown++; shown > 1 {
			fmt.Fprintln(c.out)
		}
		c.describe(&r)
		return nil
	})
}

// describe prints a record for people.
func (c *inboxCommand) describe(r *inboxapi.Record) {
	fmt.Fprintf(c.out, "record:      %d\nstate:       %s\nreceived:    %s\nreason:      %s\nattempts:    %d\n"+
		"completion:  %s\ndelivery:    %s\n", r.Record, r.State, r.Received.Format(time.RFC3339Nano), r.Reason,
		r.Attempts, r.Completion, r.DeliveryID)
	if c.withData {
		fmt.Fprintf(c.out, "data:        %s\n", r.Data)
	}
}

func (c *inboxCommand) retry(ctx context.Context, records []uint64) error {
	if c.all == (len(records) > 0) {
		return fmt.Errorf("%w: name the records to retry, or use --all", errUsage)
	}
	if c.all {
		err := c.client.pages(ctx, "dead", func(page []inboxapi.Record) (bool, error) {
			for _, r := range page {
				records = append(records, r.Record)
			}
			return true, nil
		})
		if err != nil {
			return err
		}
	}
	return c.each(records, inboxapi.Retried, func(record uint64) error {
		return c.change(ctx, record, http.MethodPost, "/retry", "queued for retry")
	})
}

func (c *inboxCommand) drop(ctx context.Context, records []uint64) error {
	if len(records) == 0 {
		return fmt.Errorf("%w: name the records to drop", errUsage)
	}
	return c.each(records, inboxapi.Dropped, func(record uint64) error {
		return c.change(ctx, record, http.MethodDelete, "", "dropped")
	})
}

func (c *inboxCommand) change(ctx context.Context, record uint64, method, suffix, done string) error {
	if err := c.client.do(ctx, method, fmt.Sprintf("/records/%d%s", record, suffix), nil); err != nil {
		return err
	}
	if !c.json {
		fmt.Fprintf(c.out, "record %d %s\n", record, done)
	}
	return nil
}
