// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package inbox

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sort"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/kubectl/pkg/util/templates"

	"github.com/lxp-dev/course-completion-operator/internal/cli/cmdutil"
	"github.com/lxp-dev/course-completion-operator/internal/cli/replicas"
)

// listed is how many records are shown before somebody is asked.
const listed = 20

// changing is retry or drop.
type changing struct {
	asking
	selection
	confirm cmdutil.Confirmation
	output  cmdutil.Output
	// said is what came of each record, as data.
	said   *cmdutil.List
	verb   string
	every  bool
	dryRun bool
}

func newRetry(f *cmdutil.Factory) *cobra.Command {
	o := &changing{asking: asking{Factory: f}, selection: selection{state: replicas.Dead}, verb: "retry"}
	return o.command(&cobra.Command{
		Short: "Retry dead letters",
		Long: templates.LongDesc(`
			Retry dead letters, after correcting the reason why the API server refused them. Name them, select them with -n,
			--user or --reason, or give --all. Waiting records are retried anyway, and are not changed: see "drain".

			A retried record is stored, or refused and a dead letter again. If several are selected, the command asks for
			confirmation. It can be repeated after an interruption.` + needs),
		Example: templates.Examples(`
			# One record
			kubectl course inbox retry 0/17

			# All of an institution, without confirmation
			kubectl course inbox retry -n institution-12345 --yes

			# Show which were refused for a certain reason
			kubectl course inbox retry --reason api-invalid --dry-run`),
	})
}

func newDrop(f *cmdutil.Factory) *cobra.Command {
	o := &changing{asking: asking{Factory: f}, verb: "drop"}
	cmd := o.command(&cobra.Command{
		Short: "Remove records for good, without storing them",
		Long: templates.LongDesc(`
			Remove records from the inboxes for good, without storing them. Name them, select dead letters with -n, --user
			or --reason, or give --all. --state selects waiting records too.

			The platform considers these deliveries received and does not send them again: their completions are lost. The
			command first shows the records, and asks for confirmation. The webhook server logs each dropped record. The
			command can be repeated after an interruption.` + needs),
		Example: templates.Examples(`
			# Show what would be dropped
			kubectl course inbox drop -n institution-12345 --dry-run

			# One record
			kubectl course inbox drop 0/17

			# All records of a user, without confirmation
			kubectl course inbox drop -n institution-12345 --user 987654321 --state all --yes`),
	})
	o.addState(cmd, replicas.Dead,
		"The records to select: waiting, dead or all. Named records are dropped whatever their state.")
	return cmd
}

func (o *changing) command(cmd *cobra.Command) *cobra.Command {
	cmd.Use = o.verb + " (RECORD|DELIVERY... | -n NAMESPACE | --user ID | --reason REASON | --all)"
	cmd.DisableFlagsInUseLine = true
	cmd.RunE = func(cmd *cobra.Command, args []string) error { return o.run(cmd.Context(), args) }
	o.selection.addFlags(cmd)
	cmd.Flags().BoolVar(&o.every, "all", false, "All records of the state, in all institutions or in that of -n.")
	cmd.Flags().BoolVar(&o.dryRun, "dry-run", false, "Show which records would change, without changing them.")
	o.confirm.AddFlags(cmd)
	o.output.AddFlags(cmd, "InboxRecord")
	o.asking.addFlags(cmd)
	return cmd
}

func (o *changing) run(ctx context.Context, args []string) error {
	o.namespace = o.only()
	selects := o.narrow() || o.every
	switch {
	case len(args) == 0 && !selects:
		return cmdutil.Usagef("select records by name, or with -n, --user, --reason or --all")
	case len(args) > 0 && (o.user != "" || len(o.reasons) > 0 || o.every):
		return cmdutil.Usagef("use names or a selection (--user, --reason, --all), not both")
	}
	if err := o.validate(); err != nil {
		return err
	}
	if err := o.connect(ctx); err != nil {
		return err
	}
	o.said = o.output.List(o.Out)
	chosen := &choice{numbers: map[*replicas.Replica][]uint64{}, first: newFinding(&o.asking)}
	failed := o.choose(ctx, args, chosen)
	if chosen.count() == 0 {
		if failed == nil {
			fmt.Fprintf(o.ErrOut, "There is nothing to %s.\n", o.verb)
		}
		return failed
	}
	if failed != nil {
		// Whoever is asked has to know that it is not all.
		fmt.Fprintln(o.ErrOut, failed)
	}
	o.announce(chosen)
	if o.dryRun {
		return failed
	}
	if err := o.ask(chosen); err != nil {
		return err
	}
	failed = errors.Join(failed, o.do(ctx, chosen))
	if !o.output.Text() {
		failed = errors.Join(failed, o.said.Close())
	}
	return failed
}

// choice is what is to be changed. It holds no more of most records than their numbers.
type choice struct {
	numbers map[*replicas.Replica][]uint64
	// first are some, for whoever is asked.
	first         *finding
	waiting, dead int
}

func (c *choice) count() int { return c.waiting + c.dead }

// add chooses a record. It may be called by several goroutines.
func (c *choice) add(of *replicas.Replica, r *replicas.Record) error {
	c.first.mu.Lock()
	defer c.first.mu.Unlock()
	if r.State == replicas.Dead {
		c.dead++
	} else {
		c.waiting++
	}
	c.numbers[of] = append(c.numbers[of], r.Record)
	at := sort.Search(len(c.first.records), func(i int) bool { return before(r, c.first.records[i]) })
	if at < listed {
		c.first.records = slices.Insert(c.first.records, at, r)
		c.first.records = c.first.records[:min(len(c.first.records), listed)]
	}
	return nil
}

// choose finds what is to be changed. Whatever is not there any more is said, and left out.
func (o *changing) choose(ctx context.Context, args []string, chosen *choice) error {
	if len(args) == 0 {
		return o.connection.Each(ctx, o.all, func(ctx context.Context, r *replicas.Replica) error {
			return o.connection.Records(ctx, r, o.args(0), func(record *replicas.Record) error {
				if !o.wants(record) {
					return nil
				}
				return chosen.add(r, record)
			})
		})
	}
	named, err := parseNames(args, o.all)
	if err != nil {
		return err
	}
	found := newFinding(&o.asking)
	failed := found.named(ctx, named, false)
	for _, record := range found.records {
		switch {
		case !o.wants(record):
			fmt.Fprintf(o.ErrOut, "%s is in namespace %s and was not changed\n", record.Name(), record.Namespace())
		case o.verb == "retry" && record.State != replicas.Dead:
			fmt.Fprintf(o.ErrOut, "%s waits already\n", record.Name())
		default:
			of := slices.IndexFunc(o.all, func(r *replicas.Replica) bool { return r.Pod == record.Replica })
			if err := chosen.add(o.all[of], record); err != nil {
				return err
			}
		}
	}
	if err := found.missing(named); err != nil && failed == nil {
		// It may have been done by the run before.
		fmt.Fprintln(o.ErrOut, err)
	}
	return failed
}

// announce says what will be changed.
func (o *changing) announce(c *choice) {
	now := o.Now()
	for _, r := range c.first.records {
		fmt.Fprintf(o.ErrOut, "%s: %s, %s old, %s (%s), delivery %s\n", r.Name(), r.State, age(r.Received, now), r.Completion,
			r.Reason, r.DeliveryID)
	}
	if more := c.count() - len(c.first.records); more > 0 {
		fmt.Fprintf(o.ErrOut, "... and %d more: `kubectl course inbox list --limit 0` with the same flags lists all\n", more)
	}
}

func (o *changing) ask(c *choice) error {
	what := count(c.dead, "dead letter", "dead letters")
	waiting := count(c.waiting, "delivery that waits", "deliveries that wait")
	switch {
	case o.verb == "retry" && c.count() == 1:
		return nil
	case o.verb == "retry":
		return o.confirm.Ask(o.Factory, "Try these "+what+" again?")
	case c.dead == 0:
		what = waiting
	case c.waiting > 0:
		what += " and " + waiting
	}
	return o.confirm.Ask(o.Factory, "Drop "+what+" for good, without storing them? It cannot be undone.")
}

func count(n int, one, many string) string {
	if n == 1 {
		many = one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// do changes what was chosen, in all replicas at once, and says of each record what came of it.
func (o *changing) do(ctx context.Context, c *choice) error {
	var done int
	var busy []string
	asked := slices.DeleteFunc(slices.Clone(o.all), func(r *replicas.Replica) bool { return c.numbers[r] == nil })
	failed := o.connection.Each(ctx, asked, func(ctx context.Context, r *replicas.Replica) error {
		return o.about(ctx, r, []string{o.verb}, c.numbers[r], func(record *replicas.Record) error {
			c.first.mu.Lock()
			defer c.first.mu.Unlock()
			switch record.Outcome {
			case replicas.Retried, replicas.Dropped:
				done++
			case replicas.Busy:
				busy = append(busy, record.Name())
			}
			return o.say(record)
		})
	})
	fmt.Fprintf(o.ErrOut, "%d of %d %s.\n", done, c.count(), past(o.verb))
	if len(busy) > 0 {
		slices.Sort(busy)
		failed = errors.Join(failed, fmt.Errorf("being tried now, and cannot be dropped: %s; run the command "+
			"again", strings.Join(busy, ", ")))
	}
	return failed
}

// say prints what came of a record.
func (o *changing) say(r *replicas.Record) error {
	if !o.output.Text() {
		return o.said.Add(r)
	}
	text := string(r.Outcome)
	switch {
	case r.Outcome == replicas.Gone && o.verb == "retry":
		text = "is no longer a dead letter"
	case r.Outcome == replicas.Gone:
		text = "no longer exists"
	case r.Outcome == replicas.Busy:
		text = "is being tried"
	}
	_, err := fmt.Fprintln(o.Out, r.Name(), text)
	return err
}

func past(verb string) string {
	if verb == "drop" {
		return "dropped"
	}
	return "retried"
}
