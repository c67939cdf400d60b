// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package deliveries is `kubectl course deliveries`.
package deliveries

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/kubectl/pkg/util/templates"

	"github.com/lxp-dev/course-completion-operator/internal/cli/cmdutil"
	"github.com/lxp-dev/course-completion-operator/internal/cli/replicas"
)

type options struct {
	*cmdutil.Factory
	filter filter
	output cmdutil.Output
	since  string
	until  string
	limit  int
	follow bool
}

// outcomes are what can come of a delivery, see docs/glossary.md.
var outcomes = []string{"created", "updated", "duplicate", "stale", "queued", "held", "erased", "ignored", "refused",
	"unavailable", "failed", outcomeChecked}

// NewCommand returns the command.
func NewCommand(f *cmdutil.Factory) *cobra.Command {
	o := &options{Factory: f}
	cmd := &cobra.Command{
		Use:   "deliveries",
		Short: "Search the audit records: did it arrive, and what was it answered?",
		Long: templates.LongDesc(`
			Search the audit records in the logs of all replicas of the webhook server: who called and when, what the
			delivery was about, and the answer. Audit records contain ids, and no personal data.

			A request with a wrong token belongs to no institution: omit --institution to find it. Times are in the time
			zone of this machine; -o json has UTC.

			Logs go back as far as the cluster keeps them. A replica that writes its audit log to a file has no audit
			records in its log; the output says so.

			Requires the ClusterRole completion-operations in the namespace completion-system.`),
		Example: templates.Examples(`
			# The deliveries of a user in the last day, and their outcomes
			kubectl course deliveries --user 987654321 --since 24h

			# Follow the deliveries that are not stored
			kubectl course deliveries --outcome refused,unavailable,failed --follow

			# Everything recorded about one delivery, by the id in its answer
			kubectl course deliveries --delivery 01a218b8-8dae-7f29-a7e0-413db6c824f1 -o json`),
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return explain(o.run(cmd.Context()))
		},
	}
	flags := cmd.Flags()
	flags.Int64Var(&o.filter.institution, "institution", 0, "Platform id of the institution.")
	flags.Int64Var(&o.filter.course, "course", 0, "Platform id of the course.")
	flags.Int64Var(&o.filter.enrollment, "enrollment", 0, "Platform id of the enrollment.")
	flags.Int64Var(&o.filter.user, "user", 0, "Platform id of the user.")
	flags.StringVar(&o.filter.delivery, "delivery", "", "The delivery id in the answer to the sender.")
	flags.StringVar(&o.filter.completion, "completion", "", "The name of the CourseCompletion.")
	flags.StringSliceVar(&o.filter.outcomes, "outcome", nil, "Outcomes, such as created, duplicate or refused.")
	flags.StringSliceVar(&o.filter.reasons, "reason", nil, "Reasons, such as unauthorized or api-away.")
	flags.BoolVar(&o.filter.checks, "checks", false, "Include requests that only checked the webhook URL (GET).")
	flags.StringVar(&o.since, "since", "", "Show only newer ones: within a duration such as 2h, or since a time such as "+
		"2026-10-01T12:00:00Z.")
	flags.StringVar(&o.until, "until", "", "Show only older ones, in the same formats.")
	flags.IntVar(&o.limit, "limit", 500, "The maximum number to show, the newest ones.")
	flags.BoolVarP(&o.follow, "follow", "f", false, "Keep showing new ones until interrupted.")
	o.output.AddFlags(cmd, "Delivery")
	return cmd
}

// explain says of an error where which role has the right that is missing.
func explain(err error) error {
	if !apierrors.IsForbidden(err) {
		return cmdutil.Explain(err, cmdutil.RoleOperations)
	}
	return fmt.Errorf("%w\nThe ClusterRole %s allows it, bound in namespace %s: ask a cluster administrator", err,
		cmdutil.RoleOperations, replicas.Namespace)
}

func (o *options) run(ctx context.Context) error {
	if err := o.validate(); err != nil {
		return err
	}
	c, pods, err := servers(ctx, o.Factory)
	if err != nil {
		return err
	}
	pods = readable(pods, func(why string) { fmt.Fprintln(o.ErrOut, why) })
	if o.follow {
		return o.followAll(ctx, c, pods)
	}
	found := newest{most: o.limit}
	failed := read(ctx, c, sources(pods, false), o.filter.since, false, func(r *record) error {
		if o.filter.wants(r) {
			found.add(r)
		}
		return nil
	})
	found.trim()
	if err := o.print(&found); err != nil {
		return err
	}
	return failed
}

func (o *options) validate() error {
	if o.limit < 1 {
		return cmdutil.Usagef("--limit is %d: must be at least 1", o.limit)
	}
	for _, one := range o.filter.outcomes {
		if !slices.Contains(outcomes, one) {
			return cmdutil.Usagef("--outcome %s is unknown: use one or more of %s", one, strings.Join(outcomes, ", "))
		}
	}
	// The answer to a delivery names the completion as namespace/name.
	o.filter.completion = o.filter.completion[strings.LastIndex(o.filter.completion, "/")+1:]
	var err error
	if o.filter.since, err = moment(o.since, "--since", o.Now()); err != nil {
		return err
	}
	o.filter.until, err = moment(o.until, "--until", o.Now())
	return err
}

// moment reads how long ago something was, or when.
func moment(text, flag string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if ago, err := time.ParseDuration(text); err == nil && ago >= 0 {
		return now.Add(-ago), nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}, cmdutil.Usagef("%s is %q: write a duration such as 2h, or a moment such as 2026-10-01T12:00:00Z",
			flag, text)
	}
	return at, nil
}

// readable leaves out the pods whose audit log is elsewhere, or that have not started yet, and says so.
func readable(pods []corev1.Pod, say func(string)) []corev1.Pod {
	return slices.DeleteFunc(pods, func(pod corev1.Pod) bool {
		if file := elsewhere(&pod); file != "" && file != "-" {
			say(fmt.Sprintf("pod %s writes its audit log to the file %s: its records are not in its log", pod.Name, file))
			return true
		}
		if pod.Spec.NodeName == "" || pod.Status.Phase == corev1.PodPending {
			say(fmt.Sprintf("pod %s has not started and has no records", pod.Name))
			return true
		}
		return false
	})
}

func (o *options) print(found *newest) error {
	if found.left > 0 {
		fmt.Fprintf(o.ErrOut, "%d older ones are not shown: use --since, --until or --limit\n", found.left)
	}
	list := o.output.List(o.Out)
	if !o.output.Text() {
		for _, r := range found.kept {
			if err := list.Add(r.data()); err != nil {
				return err
			}
		}
		return list.Close()
	}
	if len(found.kept) == 0 {
		fmt.Fprintln(o.ErrOut, "No such delivery in the logs.")
		return nil
	}
	rows := make([][]string, 0, len(found.kept))
	for _, r := range found.kept {
		rows = append(rows, r.cells(time.Local, o.output.Is(cmdutil.Wide)))
	}
	return o.output.Table(o.Out, headers(o.output.Is(cmdutil.Wide)), rows)
}

// followAll shows records as they come.
func (o *options) followAll(ctx context.Context, c typedcorev1.PodsGetter, pods []corev1.Pod) error {
	if o.filter.since.IsZero() {
		o.filter.since = o.Now()
	}
	wide := o.output.Is(cmdutil.Wide)
	widths := []int{29, 11, 20, 6, 11, 10, 10, 12, 36, 15, 24, 40, 0}
	show := func(cells []string) {
		var line strings.Builder
		for i, cell := range cells {
			fmt.Fprintf(&line, "%-*s ", widths[i], cell)
		}
		fmt.Fprintln(o.Out, strings.TrimRight(line.String(), " "))
	}
	if o.output.Text() && !o.output.NoHeaders {
		show(headers(wide))
	}
	err := read(ctx, c, sources(pods, true), o.filter.since, true, func(r *record) error {
		if !o.filter.wants(r) {
			return nil
		}
		// Each is data of its own, since nobody knows when the last one comes.
		if done, err := o.output.Document(o.Out, r.data()); done {
			return err
		}
		show(r.cells(time.Local, wide))
		return nil
	})
	if ctx.Err() != nil && (err == nil || errors.Is(err, context.Canceled)) {
		return nil
	}
	return err
}

// servers returns a client, and the pods of the webhook servers.
func servers(ctx context.Context, f *cmdutil.Factory) (typedcorev1.PodsGetter, []corev1.Pod, error) {
	config, err := f.Flags.ToRESTConfig()
	if err != nil {
		return nil, nil, fmt.Errorf("find the cluster: %w", err)
	}
	c, err := typedcorev1.NewForConfig(config)
	if err != nil {
		return nil, nil, fmt.Errorf("connect to the cluster: %w", err)
	}
	pods, err := replicas.Pods(ctx, c)
	return c, pods, err
}
