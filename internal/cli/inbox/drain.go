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
		Short: "Let every replica store its waiting records now, and wait for it",
		Long: templates.LongDesc(`
			Have every replica try at once everything that waits in its inbox, whenever it would have done so by itself, and
			wait until nothing waits any more. It concerns all institutions, whatever -n says. It can be run again at any
			time: nothing is stored twice.

			It leaves dead letters alone, see "retry" and "drop". It does not reach the volume of a replica that was scaled
			away, which it names: scale up again, or empty it by the Job of config/examples/drain-inbox
			(docs/inbox.md, Scale down). It neither stops a webhook server nor keeps it from taking more.

			The exit code is 1 where something waits after all.` + needs),
		Example: templates.Examples(`
			# Once the API server is back
			kubectl course inbox drain

			# A long backlog
			kubectl course inbox drain --timeout 30m`),
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context()) },
	}
	o.output.AddFlags(cmd, "InboxTotal")
	cmd.Flags().DurationVar(&o.patience, "timeout", time.Minute,
		"The maximum time to wait until nothing is waiting any more.")
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
