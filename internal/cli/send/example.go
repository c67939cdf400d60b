// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package send

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/lxp-dev/course-completion-operator/internal/sender"
)

// exampleIDs are the flags that change the ids of the example, by the contract's fields.
var exampleIDs = []struct{ flag, field string }{
	{"institution", "institution.id"}, {"course", "course.id"}, {"user", "user.id"}, {"enrollment", "enrollment.id"},
}

// example are the flags of one delivery.
type example struct {
	on  bool
	ids map[string]*int64
}

func (e *example) bind(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.BoolVar(&e.on, "example", false,
		"Send one delivery, the example of the contract; without a URL, print it.")
	e.ids = make(map[string]*int64)
	for _, id := range exampleIDs {
		e.ids[id.field] = flags.Int64(id.flag, 0, "With --example, another id of the "+id.flag+".")
	}
}

// answered is what one delivery was answered, as data.
type answered struct {
	Status     int      `json:"status"`
	Outcome    string   `json:"outcome,omitempty"`
	DeliveryID string   `json:"deliveryID,omitempty"`
	Completion string   `json:"completion,omitempty"`
	Warnings   []string `json:"warnings,omitempty"`
	// Reason is why it was not taken.
	Reason string `json:"reason,omitempty"`
}

// validate checks that the flags go together. The flag --start is for both.
func (e *example) validate(cmd *cobra.Command) error {
	for _, id := range exampleIDs {
		switch changed := cmd.Flags().Changed(id.flag); {
		case changed && !e.on:
			return fmt.Errorf("--%s needs --example: a run generates its deliveries from --seed", id.flag)
		case changed && *e.ids[id.field] < 1:
			return fmt.Errorf("--%s is %d: use an id from 1", id.flag, *e.ids[id.field])
		}
	}
	for _, flag := range []string{"count", "mix", "seed", "courses", "check", "duration", "ledger"} {
		if e.on && cmd.Flags().Changed(flag) {
			return fmt.Errorf("--%s cannot be combined with --example, which sends one delivery", flag)
		}
	}
	return nil
}

// sendExample sends the example of the contract, or prints it where there is no URL.
func (o *options) sendExample(ctx context.Context) error {
	values := make(map[string]any)
	for field, id := range o.example.ids {
		if *id > 0 {
			values[field] = *id
		}
	}
	start, err := o.begin(o.Now())
	if err != nil {
		return calledWrongly(err)
	}
	// The contract's own date is long past, so that a policy which grants for some days would grant nothing.
	values["event.send_at"] = start.Format(time.DateTime)
	var to []sender.Institution
	if o.webhook.Given() {
		if to, err = o.webhook.Read(o.In); err != nil {
			return calledWrongly(err)
		}
		if len(to) != 1 {
			return calledWrongly(errors.New("--example needs the webhook URL of one institution"))
		}
		if values["institution.id"] == nil {
			values["institution.id"] = int64(to[0].ID)
		}
	}
	body, err := sender.Example(values)
	if err != nil {
		return err
	}
	if to == nil {
		if !o.output.Text() {
			return calledWrongly(errors.New("without a webhook URL, the delivery itself is printed: omit -o"))
		}
		_, err := fmt.Fprintf(o.Out, "%s\n", body)
		return err
	}
	client := sender.NewClient(1, o.send.Timeout, nil)
	defer client.Close()
	answer, err := client.Post(ctx, to[0].URLs[0], body)
	if err != nil {
		return fmt.Errorf("no answer: %w\nCheck the host of the webhook URL: `kubectl course doctor --url-file FILE`", err)
	}
	return o.printAnswer(answer)
}

// notTaken says why, and what helps.
func notTaken(answer sender.Answer) error {
	body := answer.Document()
	if answer.Status == http.StatusUnauthorized {
		return fmt.Errorf("the delivery was not accepted: %s\n`kubectl course token list` shows whether the tokens of an "+
			"institution are accepted, and `kubectl course token add` creates another one", body.Reason())
	}
	if answer.Status == http.StatusUnprocessableEntity {
		return fmt.Errorf("the delivery was not accepted: %s\nGive other values: see `kubectl course send --help`",
			body.Reason())
	}
	return fmt.Errorf("the delivery was not accepted: %s", body.Reason())
}

func (o *options) printAnswer(answer sender.Answer) error {
	body := answer.Document()
	done, err := o.output.Document(o.Out, answered{answer.Status, answer.Outcome, answer.DeliveryID, body.Completion,
		body.Warnings, body.Reason()})
	switch {
	case err != nil:
		return err
	case done && answer.Status == http.StatusOK:
		return nil
	case done:
		return notTaken(answer)
	}
	fmt.Fprintf(o.Out, "%d %s, delivery id %s\n", answer.Status, answer.Outcome, answer.DeliveryID)
	if body.Completion != "" {
		fmt.Fprintf(o.Out, "completion %s\n", body.Completion)
	}
	if len(body.Warnings) > 0 {
		fmt.Fprintf(o.Out, "warnings: %s\n", strings.Join(body.Warnings, ", "))
	}
	if answer.Status == http.StatusOK {
		return nil
	}
	return notTaken(answer)
}
