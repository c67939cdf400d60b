// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package status is `kubectl course status`.
package status

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/kubectl/pkg/util/templates"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/internal/cli/cmdutil"
	"github.com/lxp-dev/course-completion-operator/internal/cli/replicas"
)

// clearScreen moves the cursor to the top of an empty screen.
const clearScreen = "\x1b[H\x1b[2J"

type options struct {
	*cmdutil.Factory
	scope    cmdutil.Scope
	output   cmdutil.Output
	watch    bool
	interval time.Duration
}

// NewCommand returns the command.
func NewCommand(f *cmdutil.Factory) *cobra.Command {
	o := &options{Factory: f}
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show an overview, and what needs attention",
		Long: templates.LongDesc(`
			Show each institution at a glance: completions, grants, seats, upcoming ends of access, and the state of the
			brake. Below follows what needs attention, most urgent first, each with its reason and the command that helps.

			Requires the ClusterRole completion-viewer. With completion-inbox-admin in the namespace completion-system, it
			also shows what waits in the inboxes, like "inbox list".`),
		Example: templates.Examples(`
			# The institution in the namespace of the context
			kubectl course status

			# All institutions, refreshed every five seconds
			kubectl course status --all-namespaces --watch

			# For scripts
			kubectl course status -n institution-12345 -o json`),
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return cmdutil.Explain(o.run(cmd.Context()), cmdutil.RoleViewer)
		},
	}
	o.scope.AddFlags(cmd)
	o.output.AddFlags(cmd, "Status", cmdutil.Name)
	cmd.Flags().BoolVarP(&o.watch, "watch", "w", false, "Refresh until interrupted.")
	cmd.Flags().DurationVar(&o.interval, "interval", 5*time.Second, "Interval of --watch.")
	return cmd
}

func (o *options) run(ctx context.Context) error {
	if o.interval < time.Second {
		return cmdutil.Usagef("--interval is %s: must be at least 1s", o.interval)
	}
	namespace, err := o.scope.In(o.Factory)
	if err != nil {
		return err
	}
	c, err := o.Client()
	if err != nil {
		return err
	}
	connection, err := replicas.Connect(o.Factory, inboxSilence)
	if err != nil {
		return err
	}
	for {
		if err := o.show(ctx, c, connection, namespace); err != nil || !o.watch {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(o.interval):
		}
	}
}

func (o *options) show(
	ctx context.Context, c client.Client, connection *replicas.Connection, namespace string,
) error {
	asking, stop := context.WithCancel(ctx)
	defer stop()
	found, err := gather(ctx, c, namespace, o.Now(), askInboxes(asking, connection))
	if err != nil {
		if o.watch && ctx.Err() != nil {
			// Interrupted, which ends the watch.
			err = nil
		}
		return err
	}
	if done, err := o.output.Document(o.Out, found); done {
		return err
	}
	if done, err := o.output.Names(o.Out, found.objects()...); done {
		return err
	}
	if o.watch {
		if cmdutil.IsTerminal(o.Factory) {
			fmt.Fprint(o.Out, clearScreen)
		}
		fmt.Fprintf(o.Out, "%s\n\n", o.Now().Format(time.RFC3339))
	}
	if len(found.Institutions) == 0 {
		where := "in namespace " + namespace
		if namespace == "" {
			where = "in this cluster"
		}
		fmt.Fprintf(o.Out, "There is no Institution %s. Choose another namespace with -n, show all with -A, "+
			"or create one with `kubectl course create institution`.\n\n", where)
	}
	return found.write(o.Out, o.scope.All)
}
