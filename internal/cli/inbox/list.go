// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package inbox

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/util/duration"
	"k8s.io/kubectl/pkg/util/templates"

	"github.com/lxp-dev/course-completion-operator/internal/cli/cmdutil"
	"github.com/lxp-dev/course-completion-operator/internal/cli/replicas"
)

type listing struct {
	asking
	selection
	output cmdutil.Output
	limit  int
	totals bool
}

func newList(f *cmdutil.Factory) *cobra.Command {
	o := &listing{asking: asking{Factory: f}}
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the records in the inboxes, with ages, reasons and totals",
		Long: templates.LongDesc(`
			List the records in the inboxes of all replicas: dead letters first, then by age, each with its age, the number
			of attempts and the reason why the API server did not accept it. Totals for each replica follow. With -n, only
			records for that institution's namespace are listed. The list contains ids, and no personal data.

			With -o json or yaml, the items are the records, or with --totals the totals of each replica.` + needs),
		Example: templates.Examples(`
			# All records
			kubectl course inbox list

			# The dead letters of one institution
			kubectl course inbox list -n institution-12345 --state dead

			# The records of a user
			kubectl course inbox list --user 987654321

			# Totals, for scripts
			kubectl course inbox list --totals -o json`),
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context()) },
	}
	o.selection.addFlags(cmd)
	o.addState(cmd, allStates, "The records to select: waiting, dead or all.")
	cmd.Flags().IntVar(&o.limit, "limit", 500, "The maximum number of records to show. 0 means all.")
	cmd.Flags().BoolVar(&o.totals, "totals", false, "Show only the counts.")
	o.asking.addFlags(cmd)
	o.output.AddFlags(cmd, "InboxRecord")
	return cmd
}

func (o *listing) run(ctx context.Context) error {
	if err := o.validate(); err != nil {
		return err
	}
	if o.limit < 0 {
		return cmdutil.Usagef("--limit is %d: use a number of records, or 0 for all", o.limit)
	}
	if err := o.connect(ctx); err != nil {
		return err
	}
	o.namespace = o.only()
	totals := newTotals(o.all)
	var failed error
	if o.totals {
		failed = o.connection.Each(ctx, o.all, func(ctx context.Context, r *replicas.Replica) error {
			return totals.ask(ctx, o.connection, r)
		})
	} else {
		shown := &shown{listing: o, now: o.Now(), data: o.output.List(o.Out)}
		var err error
		if failed, err = o.merge(ctx, totals, shown); err != nil {
			return err
		}
	}
	if failed != nil && !totals.any() {
		return failed
	}
	if err := o.sum(totals); err != nil {
		return err
	}
	return failed
}

// merge shows the records of all replicas in order as they come, and notes how much each has.
func (o *listing) merge(ctx context.Context, totals *totals, shown *shown) (failed, err error) {
	reading, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	streams := make(map[*replicas.Replica]chan *replicas.Record, len(o.all))
	for _, one := range o.all {
		streams[one] = make(chan *replicas.Record, 64)
	}
	most := 0
	if o.limit > 0 {
		// One more tells that there are more.
		most = o.limit + 1
	}
	done := make(chan error, 1)
	go func() {
		done <- o.connection.Each(reading, o.all, func(ctx context.Context, r *replicas.Replica) error {
			defer close(streams[r])
			if err := totals.ask(ctx, o.connection, r); err != nil {
				return err
			}
			return o.records(ctx, r, o.args(most), streams[r])
		})
	}()
	heads := make([]*replicas.Record, len(o.all))
	for i, one := range o.all {
		if one.Unavailable() == nil {
			heads[i] = <-streams[one]
		}
	}
	for {
		first := -1
		for i, head := range heads {
			if head != nil && (first < 0 || before(head, heads[first])) {
				first = i
			}
		}
		if first < 0 {
			break
		}
		if o.limit > 0 && shown.count == o.limit {
			shown.more = true
			stop(replicas.ErrEnough)
			break
		}
		if err := shown.add(heads[first]); err != nil {
			return nil, err
		}
		heads[first] = <-streams[o.all[first]]
	}
	if err := shown.finish(); err != nil {
		return nil, err
	}
	return <-done, nil
}

// records hands on the records of a replica that are wanted.
func (o *listing) records(
	ctx context.Context, r *replicas.Replica, args []string, to chan<- *replicas.Record,
) error {
	return o.connection.Records(ctx, r, args, func(record *replicas.Record) error {
		if !o.wants(record) {
			return nil
		}
		select {
		case to <- record:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	})
}

// before is the order in which records are shown: dead letters first, the oldest first.
func before(a, b *replicas.Record) bool {
	if a.State != b.State {
		return a.State == replicas.Dead
	}
	return a.Received.Before(b.Received)
}

// page is how many rows of a table are aligned with each other.
const page = 500

// shown prints records.
type shown struct {
	*listing
	now   time.Time
	data  *cmdutil.List
	rows  [][]string
	count int
	// more tells that there were more than --limit says.
	more, headed bool
}

func (s *shown) add(r *replicas.Record) error {
	s.count++
	if !s.output.Text() {
		return s.data.Add(r)
	}
	s.rows = append(s.rows, cells(r, s.now, s.output.Is(cmdutil.Wide)))
	if len(s.rows) < page {
		return nil
	}
	return s.flush()
}

func (s *shown) flush() error {
	var head []string
	if !s.headed {
		head = headers(s.output.Is(cmdutil.Wide))
	}
	rows := s.rows
	s.rows, s.headed = nil, true
	return s.output.Table(s.Out, head, rows)
}

func (s *shown) finish() error {
	if !s.output.Text() {
		if err := s.data.Close(); err != nil {
			return err
		}
	} else if len(s.rows) > 0 {
		if err := s.flush(); err != nil {
			return err
		}
	}
	if s.more {
		fmt.Fprintf(s.ErrOut, "There are more than the %d of --limit.\n", s.limit)
	}
	if s.count == 0 {
		fmt.Fprintln(s.ErrOut, "No such record is in the inboxes.")
	}
	return nil
}

func headers(wide bool) []string {
	head := []string{"RECORD", "STATE", "AGE", "ATTEMPTS", "REASON", "NAMESPACE", "COMPLETION", "DELIVERY"}
	if wide {
		head = append(head, "RECEIVED", "REPLICA")
	}
	return head
}

func cells(r *replicas.Record, now time.Time, wide bool) []string {
	row := []string{
		r.Name(), r.State, age(r.Received, now), strconv.FormatUint(uint64(r.Attempts), 10), r.Reason, r.Namespace(),
		r.CompletionName(), r.DeliveryID,
	}
	if wide {
		row = append(row, r.Received.UTC().Format(time.RFC3339), r.Replica)
	}
	return row
}

func age(since, now time.Time) string { return duration.HumanDuration(max(now.Sub(since), 0)) }

// totals are how much the replicas have.
type totals struct {
	all []*replicas.Replica

	mu    sync.Mutex
	known map[*replicas.Replica]*replicas.Status
}

func newTotals(all []*replicas.Replica) *totals {
	return &totals{all: all, known: map[*replicas.Replica]*replicas.Status{}}
}

func (t *totals) ask(ctx context.Context, c *replicas.Connection, r *replicas.Replica) error {
	status, err := c.Status(ctx, r)
	if err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.known[r] = status
	return nil
}

func (t *totals) any() bool { return len(t.known) > 0 }

// total is how much one replica has, for scripts.
type total struct {
	Replica string `json:"replica"`
	replicas.Status
}

// sum prints the totals.
func (o *listing) sum(t *totals) error {
	if !o.output.Text() {
		if !o.totals {
			return nil
		}
		o.output.SetKind("InboxTotal")
		var all []total
		for _, one := range t.all {
			if status := t.known[one]; status != nil {
				all = append(all, total{one.Pod, *status})
			}
		}
		_, err := o.output.Document(o.Out, all)
		return err
	}
	if o.output.NoHeaders && !o.totals {
		return nil
	}
	var rows [][]string
	var sum replicas.Count
	for _, one := range t.all {
		status := t.known[one]
		if status == nil {
			rows = append(rows, []string{one.Pod, "?", "?", "?", "?", "not known"})
			continue
		}
		count := status.Of(o.namespace)
		sum.Add(count)
		rows = append(rows, append(append([]string{one.Pod}, o.counted(count)...), used(status), trouble(status)))
	}
	unknown := "-"
	if len(t.known) < len(t.all) {
		unknown = "without those that are not known"
	}
	rows = append(rows, append(append([]string{"all"}, o.counted(sum)...), "-", unknown))
	head := []string{"REPLICA", "WAITING", "OLDEST", "DEAD LETTERS", "IN USE", "TROUBLE"}
	if !o.output.NoHeaders && !o.totals {
		fmt.Fprintln(o.Out)
	}
	return o.output.Table(o.Out, head, rows)
}

func (o *listing) counted(count replicas.Count) []string {
	oldest := "-"
	if count.Oldest != nil {
		oldest = age(*count.Oldest, o.Now())
	}
	return []string{strconv.Itoa(count.Records), oldest, strconv.Itoa(count.DeadLetters)}
}

func used(s *replicas.Status) string {
	if s.MaxBytes == 0 {
		return "-"
	}
	return fmt.Sprintf("%d%% of %d MiB", s.Bytes*100/s.MaxBytes, s.MaxBytes>>20)
}

// trouble says what keeps an inbox from being emptied or filled.
func trouble(s *replicas.Status) string {
	switch {
	case s.Failure != "":
		return s.Failure
	case s.APIAway:
		return "the API server is away"
	}
	return "-"
}
