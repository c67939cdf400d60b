// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package cli is the kubectl plugin `kubectl course`: one command for what platform teams and institutions do. It
// decides nothing of its own: what it explains and previews comes out of the packages that the controllers use.
package cli

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/kubectl/pkg/cmd/options"
	"k8s.io/kubectl/pkg/util/templates"

	"github.com/lxp-dev/course-completion-operator/internal/cli/cmdutil"
	"github.com/lxp-dev/course-completion-operator/internal/cli/create"
	"github.com/lxp-dev/course-completion-operator/internal/cli/deliveries"
	"github.com/lxp-dev/course-completion-operator/internal/cli/doctor"
	"github.com/lxp-dev/course-completion-operator/internal/cli/exceptions"
	"github.com/lxp-dev/course-completion-operator/internal/cli/importing"
	"github.com/lxp-dev/course-completion-operator/internal/cli/inbox"
	"github.com/lxp-dev/course-completion-operator/internal/cli/person"
	"github.com/lxp-dev/course-completion-operator/internal/cli/preview"
	"github.com/lxp-dev/course-completion-operator/internal/cli/report"
	"github.com/lxp-dev/course-completion-operator/internal/cli/send"
	"github.com/lxp-dev/course-completion-operator/internal/cli/status"
	"github.com/lxp-dev/course-completion-operator/internal/cli/suspend"
	"github.com/lxp-dev/course-completion-operator/internal/cli/token"
	"github.com/lxp-dev/course-completion-operator/internal/cli/version"
	"github.com/lxp-dev/course-completion-operator/internal/cli/why"
)

const long = `
	Follow course completions, and manage what they grant.

	A learning platform reports who completed which course. Policies say what that grants in this cluster: namespaces,
	seats and other objects. These commands create institutions, write and preview policies, explain why somebody has
	access or has none, and make exceptions.

	Every command has -o and --no-headers, like kubectl. -o table, the default, and -o wide are for people. json, yaml,
	kyaml, jsonpath=... and go-template=... print the same data, with an apiVersion and a kind, and rows as items. -o
	name prints resource/name where rows are API objects, and is refused elsewhere. --no-headers omits the headers of
	tables and the notes below them.`

// NewCommand returns the command with all its subcommands.
func NewCommand(streams genericiooptions.IOStreams) *cobra.Command {
	f := cmdutil.NewFactory(streams)
	root := &cobra.Command{
		Use:           "kubectl-course",
		Short:         "Follow course completions, and manage what they grant",
		Long:          templates.LongDesc(long),
		SilenceErrors: true,
		SilenceUsage:  true,
		Annotations:   map[string]string{cobra.CommandDisplayNameAnnotation: "kubectl course"},
	}
	f.Flags.AddFlags(root.PersistentFlags())
	// kubectl completes plugins by a program of its own, kubectl_complete-course.
	root.CompletionOptions.DisableDefaultCmd = true
	root.SetIn(streams.In)
	root.SetOut(streams.Out)
	root.SetErr(streams.ErrOut)
	overview := status.NewCommand(f)
	// Without a subcommand it is status.
	root.Flags().AddFlagSet(overview.Flags())
	root.PreRunE, root.RunE = overview.PreRunE, overview.RunE
	groups := templates.CommandGroups{
		{Message: "See what there is:", Commands: []*cobra.Command{
			overview,
			why.NewCommand(f),
			report.NewCommand(f),
			deliveries.NewCommand(f),
		}},
		{Message: "Set up:", Commands: []*cobra.Command{
			create.NewCommand(f),
			preview.NewCommand(f),
			token.NewCommand(f),
			suspend.NewSuspend(f),
			suspend.NewResume(f),
		}},
		{Message: "Make exceptions:", Commands: exceptions.Commands(f)},
		{Message: "Operate:", Commands: []*cobra.Command{
			doctor.NewCommand(f),
			inbox.NewCommand(f),
			importing.NewCommand(f),
			person.NewExportCommand(f),
			person.NewEraseCommand(f),
			send.NewCommand(f),
			version.NewCommand(f),
		}},
	}
	groups.Add(root)
	templates.ActsAsRootCommand(root, []string{"options"}, groups...)
	root.AddCommand(options.NewCmdOptions(streams.Out))
	_ = root.RegisterFlagCompletionFunc("namespace", completeNamespaces(f))
	root.SetFlagErrorFunc(cmdutil.FlagError)
	explainArguments(root)
	return root
}

// memory is what the program is to get along with beside its own code, in bytes: it collects garbage sooner as it comes
// near.
const memory = 80 << 20

// Run runs a command and returns the exit code of the program: 0, 1, or what the command says.
func Run(ctx context.Context, root *cobra.Command, args []string) int {
	debug.SetMemoryLimit(memory)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	code := 1
	if exit, ok := errors.AsType[*cmdutil.ExitError](err); ok {
		if code = exit.Code; exit.Err == nil {
			return code
		}
	}
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		err = errors.New("interrupted")
	}
	fmt.Fprintf(root.ErrOrStderr(), "error: %v\n", cmdutil.ExplainConnection(err))
	return code
}
