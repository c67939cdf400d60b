// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package send is `kubectl course send`, which behaves as the learning platform does, so that an installation can be
// tried before the platform is pointed at it.
package send

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/kubectl/pkg/util/templates"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/cli/cmdutil"
	"github.com/lxp-dev/course-completion-operator/internal/sender"
)

// maxRandomSeed keeps seeds short enough to type, and the ids that follow from them apart.
const maxRandomSeed = 999_999

// wrongCall is the exit code for wrong flags: a pipeline tells them from an installation that failed.
const wrongCall = 2

// options are the flags.
type options struct {
	*cmdutil.Factory
	webhook  cmdutil.Webhook
	courses  string
	mix      string
	start    string
	seed     uint64
	duration time.Duration
	ledger   string
	check    bool
	checkFor time.Duration
	send     sender.Options
	example  example
	output   cmdutil.Output
}

// NewCommand returns the command.
func NewCommand(f *cmdutil.Factory) *cobra.Command {
	o := &options{Factory: f}
	cmd := &cobra.Command{
		Use:   "send --url-file FILE",
		Short: "Send invented completions to a webhook to test an installation",
		Long: templates.LongDesc(`
			Send completions of invented people (example.edu) to a webhook URL, as the learning platform does, and report
			the outcomes. The same --seed and --start send the same deliveries again. Use an Institution for tests: its
			policies really grant.

			With --example, send one delivery: the example of the platform's contract, for the institution of the URL, dated
			one day ago. Without a URL, print it.

			Exit codes: 0 if every valid delivery was acknowledged, every invalid one was refused as expected, and with
			--check the cluster has everything that was acknowledged; 1 if not; 2 for a usage error.`),
		Example: templates.Examples(`
			# Print the example of the contract, for another user
			kubectl course send --example --user 987654321

			# Send it
			kubectl course send --example --user 987654321 --url-file webhook-url

			# A thousand deliveries, twenty per second, then check that the cluster has them
			kubectl course send --url-file webhook-url --count 1000 --rate 20 --check`),
		RunE: func(cmd *cobra.Command, args []string) error { return o.run(cmd, args) },
	}
	cmd.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return calledWrongly(cmdutil.FlagError(cmd, err))
	})
	o.bind(cmd)
	return cmd
}

func (o *options) bind(cmd *cobra.Command) {
	flags := cmd.Flags()
	o.webhook.AddFlags(cmd)
	flags.StringVar(&o.courses, "courses", "123456,123457,123458", "Platform ids of the courses that people complete.")
	flags.StringVar(&o.mix, "mix", sender.DefaultMix().String(), "The share of each `kind` of delivery.")
	flags.Uint64Var(&o.seed, "seed", 0, "Seed for the people and the deliveries; 0 picks one at random and prints it.")
	flags.StringVar(&o.start, "start", "",
		"The send_at of the first deliveries, yyyy-MM-dd HH:mm:ss (default: the current time in UTC, less a day).")
	flags.IntVar(&o.send.Count, "count", 100, "Number of deliveries to send; 0 means until --duration or ctrl-C.")
	flags.DurationVar(&o.duration, "duration", 0, "The maximum time to send; 0 means no limit.")
	flags.Float64Var(&o.send.Rate, "rate", 10, "Deliveries per second; 0 means as many as the connections allow.")
	flags.IntVar(&o.send.Connections, "connections", 4, "Number of deliveries to send concurrently.")
	flags.DurationVar(&o.send.Timeout, "timeout", 30*time.Second, "The maximum time for one delivery.")
	flags.StringVar(&o.ledger, "ledger", "",
		"`File` for the outcome of each valid delivery, as JSON lines without personal data.")
	flags.BoolVar(&o.check, "check", false,
		"At the end, check in the cluster that each acknowledged delivery exists exactly once with the newest content. "+
			"Requires permission to list CourseCompletions in all namespaces.")
	flags.DurationVar(&o.checkFor, "check-timeout", time.Minute,
		"The maximum time to wait until the cluster has everything.")
	o.example.bind(cmd)
	o.output.AddFlags(cmd, "Sending")
	prepare := cmd.PreRunE
	cmd.PreRunE = func(cmd *cobra.Command, args []string) error {
		if err := prepare(cmd, args); err != nil {
			return calledWrongly(err)
		}
		return nil
	}
}

// text is where people read what happens: beside the data, where that is asked for.
func (o *options) text() io.Writer {
	if o.output.Text() {
		return o.Out
	}
	return o.ErrOut
}

func calledWrongly(err error) error { return &cmdutil.ExitError{Code: wrongCall, Err: err} }

func (o *options) run(cmd *cobra.Command, args []string) error {
	ctx := cmd.Context()
	if len(args) > 0 {
		return calledWrongly(fmt.Errorf("takes no arguments, got %q", args))
	}
	if err := o.example.validate(cmd); err != nil {
		return calledWrongly(err)
	}
	if o.example.on {
		return o.sendExample(ctx)
	}
	plan, err := o.plan(o.Now())
	if err != nil {
		return calledWrongly(err)
	}
	return o.stream(ctx, plan)
}

// plan reads the flags that say what is sent.
func (o *options) plan(now time.Time) (sender.Plan, error) {
	if o.seed == 0 {
		o.seed = rand.Uint64N(maxRandomSeed) + 1
	}
	p := sender.Plan{Seed: o.seed}
	var err error
	if p.Institutions, err = o.webhook.Read(o.In); err != nil {
		return p, err
	}
	if p.Mix, err = sender.ParseMix(o.mix); err != nil {
		return p, fmt.Errorf("--mix: %w", err)
	}
	if p.Start, err = o.begin(now); err != nil {
		return p, err
	}
	for text := range strings.SplitSeq(o.courses, ",") {
		id, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
		if err != nil || id < 1 {
			return p, fmt.Errorf("%q in --courses is not a course id: use positive integers, separated by commas", text)
		}
		p.Courses = append(p.Courses, v1alpha1.PlatformID(id))
	}
	return p, o.send.Validate()
}

// begin is the send_at of the first deliveries. A day ago is past in every time zone.
func (o *options) begin(now time.Time) (time.Time, error) {
	if o.start == "" {
		return now.UTC().AddDate(0, 0, -1).Truncate(time.Second), nil
	}
	at, err := time.Parse(time.DateTime, o.start)
	if err != nil {
		return at, fmt.Errorf("--start is %q: write yyyy-MM-dd HH:mm:ss", o.start)
	}
	return at, nil
}

// stream sends, reports and checks.
func (o *options) stream(ctx context.Context, plan sender.Plan) error {
	generator, err := sender.NewGenerator(plan)
	if err != nil {
		return err
	}
	ledger := &sender.Ledger{}
	o.send.Ledger = ledger
	fmt.Fprintf(o.text(), "sending for %d institutions, --seed %d --start %q --mix %s\n",
		len(plan.Institutions), plan.Seed, plan.Start.Format(time.DateTime), plan.Mix)
	sending := ctx
	if o.duration > 0 {
		var cancel context.CancelFunc
		sending, cancel = context.WithTimeout(ctx, o.duration)
		defer cancel()
	}
	report, err := sender.Run(sending, generator.Next, o.send)
	if err != nil {
		return err
	}
	if done, err := o.output.Document(o.Out, sendingOf(plan, report)); err != nil {
		return err
	} else if !done {
		report.Print(o.Out)
	}
	failures := []error{report.Err()}
	if o.ledger != "" {
		failures = append(failures, writeLedger(o.ledger, ledger))
	}
	if o.check {
		failures = append(failures, o.checkCluster(ctx, plan, ledger, o.text()))
	}
	return errors.Join(failures...)
}

func writeLedger(path string, ledger *sender.Ledger) error {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("opening --ledger: %w", err)
	}
	if err := errors.Join(ledger.Write(file), file.Close()); err != nil {
		return fmt.Errorf("writing --ledger: %w", err)
	}
	return nil
}

// checkCluster compares the cluster with what was acknowledged.
func (o *options) checkCluster(ctx context.Context, plan sender.Plan, ledger *sender.Ledger, out io.Writer) error {
	reader, err := o.Client()
	if err != nil {
		return fmt.Errorf("--check: %w", err)
	}
	for _, institution := range plan.Institutions {
		if err := ledger.Await(ctx, reader, institution.ID, "", true, o.checkFor); err != nil {
			return cmdutil.Explain(err, cmdutil.RoleViewer)
		}
		deliveries, completions := ledger.Acknowledged(institution.ID)
		fmt.Fprintf(out, "checked: institution %d has all %d completions once, each as the newest of %d deliveries\n",
			institution.ID, completions, deliveries)
	}
	return nil
}
