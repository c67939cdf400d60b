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

	"github.com/lxp-dev/course-completion-operator/webhookserver"
)

// Outcomes of what was asked for one record, as --json says them.
const (
	outcomeRetried = "retried"
	outcomeDropped = "dropped"
	// outcomeGone: there is no such record, or for retry no such dead letter.
	outcomeGone = "gone"
	// outcomeBusy: it is being tried now, and can be dropped in a moment.
	outcomeBusy = "busy"
)

// recordOutcome is what came of one record.
type recordOutcome struct {
	Record  uint64 `json:"record"`
	Outcome string `json:"outcome"`
}

// outcomeOf tells what an error says about one record. It is empty where the error concerns more than that.
func outcomeOf(err error) string {
	refused, ok := errors.AsType[*refusedError](err)
	switch {
	case !ok:
		return ""
	case refused.status == http.StatusNotFound:
		return outcomeGone
	case refused.status == http.StatusConflict:
		return outcomeBusy
	}
	return ""
}

// each does something to every record, and goes on with the others where it cannot be done to one.
func (c *inboxCommand) each(records []uint64, done string, do func(record uint64) error) error {
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
			err = encoder.Encode(recordOutcome{record, outcome})
		case c.json && done != "":
			err = encoder.Encode(recordOutcome{record, done})
		default:
			err = nil
		}
		if err != nil {
			return err
		}
	}
	if left > 0 {
		return fmt.Errorf("%d of %d records were left as they are", left, len(records))
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
		var r webhookserver.InboxRecord
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
func (c *inboxCommand) describe(r *webhookserver.InboxRecord) {
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
		err := c.client.pages(ctx, "dead", func(page []webhookserver.InboxRecord) (bool, error) {
			for _, r := range page {
				records = append(records, r.Record)
			}
			return true, nil
		})
		if err != nil {
			return err
		}
	}
	return c.each(records, outcomeRetried, func(record uint64) error {
		return c.change(ctx, record, http.MethodPost, "/retry", "waits again")
	})
}

func (c *inboxCommand) drop(ctx context.Context, records []uint64) error {
	if len(records) == 0 {
		return fmt.Errorf("%w: name the records to drop", errUsage)
	}
	return c.each(records, outcomeDropped, func(record uint64) error {
		return c.change(ctx, record, http.MethodDelete, "", "is removed")
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
