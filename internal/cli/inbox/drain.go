// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package inbox

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/kubectl/pkg/util/templates"

	"github.com/lxp-dev/course-completion-operator/internal/cli/cmdutil"
	"github.com/lxp-dev/course-completion-operator/internal/cli/replicas"
)

type draining struct {
	asking
	output   cmdutil.Output
	patience time.Duration
}

func newDrain(f *cmdutil.Factory) *cobra.Command {
	o := &draining{asking: asking{Factory: f, silence: defaultSilence}}
	cmd := &cobra.Command{
		Use:   "drain",
		Short: "Make every replica store its waiting records now, and wait for it",
		Long: templates.LongDesc(`
			Make every replica store everything that waits in its inbox now, instead of at its next attempt, and wait until
			nothing is left. This affects all institutions, regardless of -n. You can repeat it at any time: nothing is
			stored twice.

			Dead letters stay: see "retry" and "drop". The volume of a replica that was scaled away is named, but not
			reached: scale up again, or empty it with the Job in config/examples/drain-inbox (docs/inbox.md, Scale down).
			The webhook servers continue to run and to accept deliveries.

			The exit code is 1 if something still waits.` + needs),
		Example: templates.Examples(`
			# After an outage of the API server
			kubectl course inbox drain

			# A long backlog
			kubectl course inbox drain --timeout 30m`),
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context()) },
	}
	o.output.AddFlags(cmd, "InboxTotal")
	cmd.Flags().DurationVar(&o.patience, "timeout", time.Minute,
		"The maximum time to wait until nothing is left.")
	return cmd
}

func (o *draining) run(ctx context.Context) error {
	if o.patience <= 0 {
		return cmdutil.Usagef("--timeout is %s: use a duration such as 1m", o.patience)
	}
	if err := o.connect(ctx); err != nil {
		return err
	}
	var mu sync.Mutex
	left := map[*replicas.Replica]*replicas.Status{}
	failed := o.connection.Each(ctx, o.all, func(ctx context.Context, r *replicas.Replica) error {
		status, err := o.connection.Drain(ctx, r, o.patience)
		if exit, ok := errors.AsType[*replicas.ExitError](err); ok && exit.Code == exitLeft && status != nil {
			err = fmt.Errorf("%d are still waiting after %s: `kubectl course inbox list --state waiting` shows why; run the "+
				"same command again "+
				"once that is put right", status.Records, o.patience)
		}
		mu.Lock()
		defer mu.Unlock()
		left[r] = status
		return err
	})
	var rows [][]string
	var all []total
	for _, one := range o.all {
		if status := left[one]; status != nil {
			all = append(all, total{one.Pod, *status})
			rows = append(rows, []string{one.Pod, strconv.Itoa(status.Records), strconv.Itoa(status.DeadLetters)})
		}
	}
	if done, err := o.output.Document(o.Out, all); done && err != nil {
		return err
	} else if !done && len(rows) > 0 {
		if err := o.output.Table(o.Out, []string{"REPLICA", "WAITING", "DEAD LETTERS"}, rows); err != nil {
			return err
		}
	}
	return failed
}

// exitLeft is the exit code of the command in the pod where records wait after all.
const exitLeft = 3
