// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package preview is `kubectl course preview`.
package preview

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"k8s.io/kubectl/pkg/util/templates"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/cli/cmdutil"
	"github.com/lxp-dev/course-completion-operator/internal/limits"
	"github.com/lxp-dev/course-completion-operator/internal/preview"
)

// Exit codes, as kubectl diff has them.
const (
	exitDiffers = 1
	exitError   = 2
)

type options struct {
	*cmdutil.Factory
	output cmdutil.Output
	limits limits.Flags

	files    []string
	remove   []string
	user     string
	payload  string
	offline  bool
	personal bool
	// limited reports that the limits of the installation were given.
	limited bool

	namespace string
	person    v1alpha1.PlatformID
}

// NewCommand returns the command.
func NewCommand(f *cmdutil.Factory) *cobra.Command {
	o := &options{Factory: f}
	cmd := &cobra.Command{
		Use:   "preview (-f FILENAME | --delete POLICY | --payload FILENAME)",
		Short: "Show what a policy would do before it is applied",
		Long: templates.LongDesc(`
			Show what a policy would do before it is applied: which users would gain a grant, whose grants would change,
			who would lose access or data, and how many revocations the brake would count. The operator's own planner
			computes this from the completions and grants in the cluster; nothing is written. Mistakes in a policy are
			shown with line and column. If you may write policies, the API server checks them as well, in a dry run.

			The preview needs the ClusterRole completion-viewer, and the check by the API server completion-policy-author.
			Personal data is hidden unless you give --show-personal-data.

			With --offline, no cluster is needed: the Institution, the policies and, optionally, completions and grants
			come from files. Use this in a pipeline, to test a policy with an example delivery.

			The exit code is that of kubectl diff: 0 if no grant would change, 1 if any would, and greater than 1 if the
			policy has a mistake or something went wrong.`),
		Example: templates.Examples(`
			# What would this policy do?
			kubectl course preview -f policy.yaml -n institution-12345

			# What would be revoked if the policy grad-lab were deleted?
			kubectl course preview --delete grad-lab -n institution-12345

			# What would it do for one user?
			kubectl course preview -f policy.yaml -n institution-12345 --user 987654321

			# What would this delivery grant with the current policies?
			kubectl course preview --payload delivery.json -n institution-12345

			# In a pipeline, without a cluster
			kubectl course preview --offline -f institution.yaml -f policy.yaml --payload delivery.json`),
		Args: func(cmd *cobra.Command, args []string) error {
			if err := cobra.NoArgs(cmd, args); err != nil {
				return &cmdutil.ExitError{Code: exitError, Err: err}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			cmd.Flags().Visit(func(f *pflag.Flag) { o.limited = o.limited || isLimit(f.Name) })
			return exit(o.run(cmd.Context()))
		},
	}
	cmd.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return exit(cmdutil.FlagError(cmd, err)) })
	o.addFlags(cmd)
	return cmd
}

func (o *options) addFlags(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringSliceVarP(&o.files, "filename", "f", nil,
		"A file with new or changed policies, - for stdin. May be repeated.")
	flags.StringSliceVar(&o.remove, "delete", nil, "The name of a policy to delete.")
	flags.StringVar(&o.user, "user", "", "Show the full details of one user, by platform id.")
	flags.StringVar(&o.payload, "payload", "", "The body of an additional delivery, - for stdin.")
	flags.BoolVar(&o.offline, "offline", false, "Do not use a cluster: read everything from files.")
	flags.BoolVar(&o.personal, "show-personal-data", false, "Include personal data, such as e-mail addresses.")
	o.output.AddFlags(cmd, "Preview")
	prepare := cmd.PreRunE
	cmd.PreRunE = func(cmd *cobra.Command, args []string) error { return exit(prepare(cmd, args)) }
	bound := flag.NewFlagSet("", flag.ContinueOnError)
	o.limits.Bind(bound)
	bound.VisitAll(func(f *flag.Flag) {
		f.Usage = "Only needed if you may not read the Deployment of the controller-manager. " + f.Usage
	})
	flags.AddGoFlagSet(bound)
	_ = cmd.RegisterFlagCompletionFunc("delete", cmdutil.CompleteNames(o.Factory, &v1alpha1.CompletionPolicyList{}, true))
	_ = cmd.MarkFlagFilename("filename", "yaml", "yml", "json")
	_ = cmd.MarkFlagFilename("payload", "json")
}

func isLimit(name string) bool {
	bound := flag.NewFlagSet("", flag.ContinueOnError)
	(&limits.Flags{}).Bind(bound)
	return bound.Lookup(name) != nil
}

// exit gives every error the exit code of one.
func exit(err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*cmdutil.ExitError](err); ok {
		return err
	}
	return &cmdutil.ExitError{Code: exitError, Err: err}
}

func (o *options) validate() error {
	if len(o.files)+len(o.remove) == 0 && o.payload == "" {
		return cmdutil.Usagef("nothing to preview: give a policy with -f or --delete, or a delivery with --payload")
	}
	stdin := 0
	for _, name := range append([]string{o.payload}, o.files...) {
		if name == "-" {
			stdin++
		}
	}
	if stdin > 1 {
		return cmdutil.Usagef("only one of -f and --payload can be - for stdin")
	}
	if o.user != "" {
		id, err := cmdutil.PlatformID(o.user, "user")
		if err != nil {
			return err
		}
		o.person = id
	}
	if err := o.limits.Validate(); err != nil {
		return cmdutil.Usagef("%w", err)
	}
	return nil
}

func (o *options) run(ctx context.Context) error {
	if err := o.validate(); err != nil {
		return err
	}
	documents, err := o.documents()
	if err != nil {
		return err
	}
	found, err := o.world(ctx, documents)
	if err != nil {
		return err
	}
	report := &report{Namespace: o.namespace, Policies: found.edits, Notes: found.notes}
	if err := found.compile(ctx, o, report); err != nil {
		return err
	}
	if len(report.Faults) > 0 {
		return o.faulty(report)
	}
	if err := o.deliver(found, report); err != nil {
		return err
	}
	if err := found.load(ctx, o); err != nil {
		return cmdutil.Explain(err, cmdutil.RoleViewer)
	}
	summary, err := found.preview(o, report)
	if err != nil {
		return err
	}
	report.fill(o, found, summary)
	if err := o.print(report); err != nil {
		return err
	}
	if summary.Any() {
		return &cmdutil.ExitError{Code: exitDiffers}
	}
	return nil
}

// faulty prints what is wrong with the policies.
func (o *options) faulty(report *report) error {
	if done, err := o.output.Document(o.Out, report); done {
		return errors.Join(err, &cmdutil.ExitError{Code: exitError})
	}
	var lines []string
	for _, fault := range report.Faults {
		lines = append(lines, fault.String())
	}
	report.printNotes(o.ErrOut)
	return fmt.Errorf("the policy has mistakes, so there is no preview:\n%s", strings.Join(lines, "\n"))
}

// documents reads the files.
func (o *options) documents() ([]document, error) {
	var all []document
	for _, name := range o.files {
		content, err := readFile(o.In, name)
		if err != nil {
			return nil, err
		}
		if name == "-" {
			name = "stdin"
		}
		found, err := parse(name, content)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	return all, nil
}

// look previews one person; it is what a Store calls.
func (w *world) look(o *options, person preview.Person, report *report, summary *preview.Summary) {
	planner := w.planners[person.Holder.InstitutionID]
	if w.delivery != nil && w.delivery.Spec.User.ID == person.Holder.UserID &&
		w.delivery.Spec.Institution.ID == person.Holder.InstitutionID {
		person.Delivery = w.merged(person, report)
	}
	outcome := planner.Preview(person)
	report.verdicts(o, person.Delivery, outcome.Verdicts)
	summary.Add(planner.Institution, person.Holder, outcome)
	if o.person != 0 {
		report.person(o, w, outcome)
	}
}
