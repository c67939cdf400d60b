// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package inbox is `kubectl course inbox`: what the webhook servers keep on their disks, over all replicas at once.
package inbox

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/kubectl/pkg/util/templates"

	"github.com/lxp-dev/course-completion-operator/internal/cli/cmdutil"
	"github.com/lxp-dev/course-completion-operator/internal/cli/replicas"
)

// needs says who may use the commands.
const needs = `

			Requires the ClusterRole completion-inbox-admin in the namespace completion-system.`

// defaultSilence is how long a replica may say nothing, which itself waits 30 seconds for its disk.
const defaultSilence = time.Minute

// NewCommand returns the command with its subcommands.
func NewCommand(f *cmdutil.Factory) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "inbox",
		Short: "List, retry, drop and drain deliveries that are not in the API server yet",
		Long: templates.LongDesc(`
			List, retry, drop and drain deliveries that are not in the API server yet, in all replicas of the webhook
			server.

			Each replica keeps deliveries that the API server does not accept in an inbox on its disk. A delivery waits
			there until the replica can store it. If the API server refuses it for good, it becomes a dead letter and waits
			for you. These commands run the webhook server's own command in each of its pods. A replica that does not answer
			is named, with what to do; the command continues with the others.

			Name a record by the number of its replica and its own number, such as 0/17, or by its delivery id. With -n,
			only records for that institution's namespace are selected; without it, those of all.` + needs),
		Example: templates.Examples(`
			# List the dead letters, and why they were refused
			kubectl course inbox list --state dead

			# Retry them, after correcting the cause
			kubectl course inbox retry -n institution-12345 --all`),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return cmdutil.Usagef("%q is unknown: use list, show, retry, drop or drain", args[0])
			}
			return cmd.Help()
		},
	}
	cmd.AddCommand(newList(f), newShow(f), newRetry(f), newDrop(f), newDrain(f))
	return cmd
}

// asking is what all commands have in common.
type asking struct {
	*cmdutil.Factory
	silence time.Duration

	connection *replicas.Connection
	all        []*replicas.Replica
}

func (a *asking) addFlags(cmd *cobra.Command) {
	cmd.Flags().DurationVar(&a.silence, "timeout", defaultSilence, "The maximum time to wait for output of a replica.")
}

// connect finds the replicas, and says what is to be known beside them.
func (a *asking) connect(ctx context.Context) error {
	if a.silence <= 0 {
		return cmdutil.Usagef("--timeout is %s: use a duration such as 1m", a.silence)
	}
	var err error
	if a.connection, err = replicas.Connect(a.Factory, a.silence); err != nil {
		return err
	}
	var notes []string
	a.all, notes, err = a.connection.Find(ctx)
	for _, note := range notes {
		fmt.Fprintln(a.ErrOut, note)
	}
	return err
}

// maxNumbers is how many records one command in a pod is given: they stand in the URL of a request.
const maxNumbers = 500

// about runs a command about records of a replica, and calls take with what it says of each. That something could not
// be done to one of them is said, and no error.
func (a *asking) about(
	ctx context.Context, r *replicas.Replica, what []string, numbers []uint64, take func(*replicas.Record) error,
) error {
	said := 0
	for some := range slices.Chunk(numbers, maxNumbers) {
		args, before := append(slices.Clone(what), "--json"), said
		for _, number := range some {
			args = append(args, strconv.FormatUint(number, 10))
		}
		err := a.connection.Records(ctx, r, args, func(record *replicas.Record) error {
			said++
			return take(record)
		})
		switch {
		case said-before == len(some):
		case err != nil:
			return fmt.Errorf("after %d of %d records, so run the same command again: %w", said, len(numbers), err)
		default:
			return fmt.Errorf("its command ended after %d of %d records: run the same command again", said, len(numbers))
		}
	}
	return nil
}

// only is the namespace of -n; empty where it was not given.
func (a *asking) only() string {
	if a.Flags.Namespace == nil {
		return ""
	}
	return *a.Flags.Namespace
}
