// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package importing is `kubectl course import`, which delivers completions that were never delivered.
package importing

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/kubectl/pkg/util/templates"
	"k8s.io/utils/clock"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/cli/cmdutil"
	"github.com/lxp-dev/course-completion-operator/internal/sender"
)

type options struct {
	*cmdutil.Factory
	webhook     cmdutil.Webhook
	confirm     cmdutil.Confirmation
	output      cmdutil.Output
	file        string
	maps, sets  []string
	delimiter   string
	rejects     string
	fromLine    int
	connections int
	timeout     time.Duration
	patience    time.Duration
	dryRun      bool
	institution int64
}

// NewCommand returns the command.
func NewCommand(f *cmdutil.Factory) *cobra.Command {
	o := &options{Factory: f}
	cmd := &cobra.Command{
		Use:   "import -f FILE --url-file FILE",
		Short: "Import completions that were never delivered",
		Long: templates.LongDesc(`
			Import completions that were never delivered, from a CSV file with a header or from JSON lines.

			Each row goes through the webhook as if the platform had sent it, so validation, privacy, limits and the audit
			log apply. Name the columns like the fields of the contract (event.send_at, course.id, user.id,
			enrollment.date_expire and so on), or map them with --map. An empty cell is null. Without a column
			enrollment.course_id, course.id is used. A line of JSON is a whole delivery, or an object with these names.

			All rows are checked first, and nothing is sent until you confirm. Rows that the server refuses are written to
			--rejects, with line number and reason, in a form that you can correct and import again. If the server is away
			or asks to wait, rows are sent again.

			After an interruption, run the same command again: rows that have arrived already are answered with duplicate,
			and change nothing. To skip them, use --from-line. The command stores no progress, because that could differ
			from what the cluster has.

			Rows about people who were erased are not stored if they were sent before the erasure; the summary counts them.
			Releases without the ErasureRegister did not remember erasures: leave out people who were erased by one of
			these.

			The exit code is 1 if rows were refused or not delivered.`),
		Example: templates.Examples(`
			# Check all rows, without a cluster
			kubectl course import -f export.csv --institution 12345 --dry-run

			# Import them
			kubectl course import -f export.csv --url-file webhook-url

			# A file with another column name, and without the status, which is active for all
			kubectl course import -f graduates.csv --url-file webhook-url --map student=user.id --set enrollment.status=1`),
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context()) },
	}
	flags := cmd.Flags()
	flags.StringVarP(&o.file, "filename", "f", "", "The file with the completions, - for stdin.")
	o.webhook.AddFlags(cmd)
	flags.StringArrayVar(&o.maps, "map", nil,
		"`COLUMN=FIELD`: maps a column to a field of the contract; without a field, the column is ignored.")
	flags.StringArrayVar(&o.sets, "set", nil, "`FIELD=VALUE`: sets a field to the same value in all rows.")
	flags.StringVar(&o.delimiter, "delimiter", "",
		"The column separator: a character, or tab. Detected from the header by default.")
	flags.StringVar(&o.rejects, "rejects", "",
		"`File` for refused rows (default: beside the input, as NAME.rejected.csv).")
	flags.IntVar(&o.fromLine, "from-line", 0, "Skip everything before this `line` of the file.")
	flags.IntVar(&o.connections, "connections", 4, "Number of rows to post concurrently.")
	flags.DurationVar(&o.timeout, "timeout", 30*time.Second, "The maximum time for one delivery.")
	flags.DurationVar(&o.patience, "give-up-after", 15*time.Minute,
		"How long to retry a row that the server does not accept for now.")
	flags.BoolVar(&o.dryRun, "dry-run", false, "Validate all rows as the webhook server does, without posting them.")
	flags.Int64Var(&o.institution, "institution", 0, "With --dry-run, the id of the institution, instead of a URL.")
	o.confirm.AddFlags(cmd)
	o.output.AddFlags(cmd, "Import")
	_ = cmd.MarkFlagFilename("filename", "csv", "jsonl", "json")
	return cmd
}

// validate checks the flags and returns where to post.
func (o *options) validate() (sender.Institution, error) {
	var to sender.Institution
	switch {
	case o.file == "":
		return to, cmdutil.Usagef("no file: give it with -f")
	case o.connections < 1 || o.timeout <= 0 || o.patience < 0 || o.fromLine < 0:
		return to, cmdutil.Usagef("--connections, --timeout, --give-up-after and --from-line must be positive")
	case o.file == "-" && o.webhook.File == "-":
		return to, cmdutil.Usagef("-f and --url-file cannot both be stdin")
	case o.file == "-" && !o.dryRun && !o.confirm.Yes:
		return to, cmdutil.Usagef("stdin is used for the file, so it cannot be used for the confirmation: add --yes")
	case o.institution != 0 && !o.dryRun:
		return to, cmdutil.Usagef("--institution is only for --dry-run: otherwise the webhook URL contains the id")
	}
	if o.institution > 0 && !o.webhook.Given() {
		return sender.Institution{ID: v1alpha1.PlatformID(o.institution)}, nil
	}
	if o.dryRun && !o.webhook.Given() {
		return to, cmdutil.Usagef("say for which institution: give its id with --institution, or its webhook URL with " +
			"--url-file")
	}
	institutions, err := o.webhook.Read(o.In)
	if err != nil {
		return to, err
	}
	if len(institutions) != 1 {
		return to, cmdutil.Usagef("a file is imported for one institution, but the webhook URLs are of %d", len(institutions))
	}
	return institutions[0], nil
}

func (o *options) run(ctx context.Context) error {
	to, err := o.validate()
	if err != nil {
		return err
	}
	if o.rejects == "" {
		o.rejects = rejectsPath(o.file)
	}
	if o.rejects == o.file {
		return cmdutil.Usagef("--rejects is the imported file: choose another one")
	}
	if o.dryRun {
		return o.check(ctx, to.ID)
	}
	total := 0
	if !o.confirm.Yes {
		if total, err = o.ask(ctx, to.ID); err != nil {
			return err
		}
	}
	p := &poster{
		client: sender.NewClient(o.connections, o.timeout, nil), urls: to.URLs, clock: clock.RealClock{},
		patience: o.patience,
	}
	defer p.client.Close()
	w := &work{
		options: o, connections: o.connections, total: total, outcomes: make(map[string]int),
		rejects: &rejects{path: o.rejects, more: o.fromLine > 1},
		judge:   func(r *row) (verdict, error) { return p.post(ctx, r.body) },
	}
	err = w.run(ctx, to.ID)
	return o.finish(w, p.repeated, err)
}

// check validates all rows as the server would.
func (o *options) check(ctx context.Context, institution v1alpha1.PlatformID) error {
	w := o.checking(institution)
	w.rejects = &rejects{path: o.rejects}
	if err := w.run(ctx, institution); err != nil {
		return err
	}
	w.complete = true
	if done, err := o.output.Document(o.Out, o.summary(w, 0)); done {
		return errors.Join(err, o.refusals(w))
	}
	fmt.Fprintf(o.Out, "%d rows: %d would be accepted, %d refused\n", w.done, w.done-w.refused, w.refused)
	if n := w.outcomes[outcomeIgnored]; n > 0 {
		fmt.Fprintf(o.Out, "%d of these are other events, which are ignored\n", n)
	}
	return o.refusals(w)
}

// ask checks all rows and asks whether to post them. It returns how many there are.
func (o *options) ask(ctx context.Context, institution v1alpha1.PlatformID) (int, error) {
	w := o.checking(institution)
	if err := w.run(ctx, institution); err != nil {
		return 0, err
	}
	if w.done == 0 {
		return 0, errors.New("there are no rows to import")
	}
	fmt.Fprintf(o.ErrOut, "%d rows: %d are valid, and %d will be refused.\n", w.done, w.done-w.refused, w.refused)
	return w.done, o.confirm.Ask(o.Factory, fmt.Sprintf(
		"Deliver them for institution %d? What its policies grant for them is granted.", institution))
}

// summary is what came of the rows, as data.
type summary struct {
	Institution v1alpha1.PlatformID `json:"institution"`
	DryRun      bool                `json:"dryRun,omitempty"`
	// Complete reports whether every row of the file has an answer.
	Complete bool `json:"complete"`
	Rows     int  `json:"rows"`
	Taken    int  `json:"taken"`
	Refused  int  `json:"refused"`
	Erased   int  `json:"erased"`
	// Outcomes counts what was taken by what the server made of it.
	Outcomes map[string]int `json:"outcomes"`
	Repeated int            `json:"repeated"`
	// Rejects is the file with the refused rows.
	Rejects string `json:"rejects,omitempty"`
	// NextLine is where --from-line goes on.
	NextLine int `json:"nextLine,omitempty"`
}

func (o *options) summary(w *work, repeated int) summary {
	erased := w.outcomes[outcomeErased]
	s := summary{Institution: w.institution, DryRun: o.dryRun, Complete: w.complete, Rows: w.done,
		Taken: w.done - w.refused - erased, Refused: w.refused, Erased: erased, Outcomes: w.outcomes, Repeated: repeated}
	if w.refused > 0 {
		s.Rejects = o.rejects
	}
	if !w.complete && w.last > 0 {
		s.NextLine = w.missing()
	}
	return s
}

// finish says what came of it.
func (o *options) finish(w *work, repeated int, err error) error {
	w.complete = err == nil
	if done, failed := o.output.Document(o.Out, o.summary(w, repeated)); failed != nil {
		return errors.Join(err, failed)
	} else if !done {
		o.tell(w, repeated)
	}
	if err == nil {
		return o.refusals(w)
	}
	if w.refused > 0 {
		fmt.Fprintf(o.ErrOut, "The refused rows, with their reasons, are in %s\n", o.rejects)
	}
	if next := w.missing(); w.last > 0 {
		fmt.Fprintf(o.ErrOut,
			"Not all rows were delivered. Run the same command again to continue: rows that have arrived change nothing. "+
				"All rows before line %d have been answered: --from-line %d leaves them out.\n", next, next)
	}
	return err
}

// tell says it to people.
func (o *options) tell(w *work, repeated int) {
	erased := w.outcomes[outcomeErased]
	fmt.Fprintf(o.Out, "%d rows: %d taken, %d refused\n", w.done, w.done-w.refused-erased, w.refused)
	for _, outcome := range sortedKeys(w.outcomes) {
		fmt.Fprintf(o.Out, "  %8d  %s\n", w.outcomes[outcome], outcome)
	}
	if erased > 0 {
		fmt.Fprintf(o.Out,
			"%d rows are about people who were erased, and were not stored: see `kubectl course erase --help`\n",
			erased)
	}
	if repeated > 0 {
		fmt.Fprintf(o.Out, "%d times the server did not answer or asked to wait, and the row was posted again\n", repeated)
	}
}

// refusals is nil where no row was refused.
func (o *options) refusals(w *work) error {
	if w.refused == 0 {
		return nil
	}
	return fmt.Errorf("%d rows were refused: %s has them with their reasons, and can be imported once they are put right",
		w.refused, o.rejects)
}

// input opens the file. What is before --from-line is left out by the caller.
func (o *options) input() (io.ReadCloser, error) {
	if o.file == "-" {
		return io.NopCloser(o.In), nil
	}
	file, err := os.Open(o.file)
	if err != nil {
		return nil, fmt.Errorf("opening the file to import: %w", err)
	}
	return file, nil
}

// comma returns the delimiter; 0 finds it out.
func (o *options) comma() (rune, error) {
	switch runes := []rune(o.delimiter); {
	case o.delimiter == "tab":
		return '\t', nil
	case len(runes) > 1:
		return 0, cmdutil.Usagef("--delimiter %q is longer than one character", o.delimiter)
	case len(runes) == 1:
		return runes[0], nil
	}
	return 0, nil
}
