// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package inbox

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/kubectl/pkg/util/templates"

	"github.com/lxp-dev/course-completion-operator/internal/cli/cmdutil"
	"github.com/lxp-dev/course-completion-operator/internal/cli/replicas"
)

type showing struct {
	asking
	output   cmdutil.Output
	personal bool
}

func newShow(f *cmdutil.Factory) *cobra.Command {
	o := &showing{asking: asking{Factory: f}}
	cmd := &cobra.Command{
		Use:   "show RECORD|DELIVERY...",
		Short: "Show records of the inboxes",
		Long: templates.LongDesc(`
			Show records of the inboxes: when each was received, what it is about, the number of attempts, and why the API
			server did not accept it. The delivery itself contains personal data, and is shown only with
			--show-personal-data.` + needs),
		Example: templates.Examples(`
			# Record 17 of the first replica
			kubectl course inbox show 0/17

			# Including the delivery, which contains personal data
			kubectl course inbox show 0/17 --show-personal-data -o json`),
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return o.run(cmd.Context(), args) },
	}
	cmd.Flags().BoolVar(&o.personal, "show-personal-data", false, "Include the delivery, which contains personal data.")
	o.addFlags(cmd)
	o.output.AddFlags(cmd, "InboxRecord")
	return cmd
}

func (o *showing) run(ctx context.Context, args []string) error {
	if err := o.connect(ctx); err != nil {
		return err
	}
	named, err := parseNames(args, o.all)
	if err != nil {
		return err
	}
	found := newFinding(&o.asking)
	failed := found.named(ctx, named, o.personal)
	slices.SortFunc(found.records, func(a, b *replicas.Record) int { return strings.Compare(a.Name(), b.Name()) })
	if done, err := o.output.Document(o.Out, found.records); done && err != nil {
		return err
	} else if !done {
		o.describe(found.records)
	}
	return errors.Join(found.missing(named), failed)
}

func (o *showing) describe(records []*replicas.Record) {
	now := o.Now()
	for i, r := range records {
		if i > 0 {
			fmt.Fprintln(o.Out)
		}
		fmt.Fprintf(o.Out, "Record:      %s\nReplica:     %s\nState:       %s\nReceived:    %s (%s ago)\nReason:      %s\n"+
			"Attempts:    %d\nNamespace:   %s\nCompletion:  %s\nDelivery:    %s\n", r.Name(), r.Replica, r.State,
			r.Received.Format(time.RFC3339), age(r.Received, now), r.Reason, r.Attempts, r.Namespace(), r.CompletionName(),
			r.DeliveryID)
		if o.personal {
			fmt.Fprintf(o.Out, "Data:        %s\n", r.Data)
		}
	}
}

// finding gathers records of all replicas.
type finding struct {
	*asking

	mu      sync.Mutex
	records []*replicas.Record
	// gone are those that are named by number and not there.
	gone []string
}

func newFinding(a *asking) *finding { return &finding{asking: a, records: []*replicas.Record{}} }

func (f *finding) add(r *replicas.Record) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if r.Outcome == replicas.Gone {
		f.gone = append(f.gone, r.Name())
	} else {
		f.records = append(f.records, r)
	}
	return nil
}

// named finds the records that somebody names, with their deliveries where those are wanted.
func (f *finding) named(ctx context.Context, n *names, data bool) error {
	asked := f.all
	if len(n.deliveries) == 0 {
		asked = slices.DeleteFunc(slices.Clone(f.all), func(r *replicas.Replica) bool { return n.numbers[r] == nil })
	}
	return f.connection.Each(ctx, asked, func(ctx context.Context, r *replicas.Replica) error {
		numbers := n.numbers[r]
		if len(n.deliveries) > 0 {
			of := &selection{state: allStates, deliveries: n.deliveries}
			err := f.connection.Records(ctx, r, of.args(0), func(record *replicas.Record) error {
				if of.wants(record) && !slices.Contains(numbers, record.Record) {
					numbers = append(numbers, record.Record)
				}
				return nil
			})
			if err != nil {
				return err
			}
		}
		what := []string{"show"}
		if data {
			what = append(what, "--with-data")
		}
		return f.about(ctx, r, what, numbers, f.add)
	})
}

// missing is an error where something is not there that somebody names.
func (f *finding) missing(n *names) error {
	all := slices.Clone(f.gone)
	for _, id := range n.deliveries {
		if !slices.ContainsFunc(f.records, func(r *replicas.Record) bool { return r.DeliveryID == id }) {
			all = append(all, id)
		}
	}
	if len(all) == 0 {
		return nil
	}
	slices.Sort(all)
	return fmt.Errorf("not in the inboxes, since it was stored or dropped, or never was: %s", strings.Join(all, ", "))
}
