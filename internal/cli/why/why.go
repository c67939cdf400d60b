// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package why is `kubectl course why`: the whole story of one person, completion, grant, namespace or seat.
package why

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/kubectl/pkg/util/templates"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/cli/cmdutil"
	"github.com/lxp-dev/course-completion-operator/internal/cli/deliveries"
)

// kind is what somebody asks about.
type kind string

const (
	kindUser       kind = "user"
	kindCompletion kind = "completion"
	kindGrant      kind = "grant"
	kindNamespace  kind = "namespace"
	kindSeat       kind = "seat"
)

// kinds are the words for them, as kubectl takes them.
var kinds = map[string]kind{
	"user": kindUser, "users": kindUser,
	"completion": kindCompletion, "completions": kindCompletion, "cc": kindCompletion,
	"coursecompletion": kindCompletion, "coursecompletions": kindCompletion,
	"grant": kindGrant, "grants": kindGrant,
	"namespace": kindNamespace, "namespaces": kindNamespace, "ns": kindNamespace,
	"seat": kindSeat, "seats": kindSeat,
}

// target is what somebody asks about, and its name.
type target struct {
	kind kind
	name string
}

// String returns the target as it is asked for.
func (t target) String() string { return string(t.kind) + "/" + t.name }

// parseTarget reads the arguments: a user's number, KIND/NAME, or KIND NAME.
func parseTarget(args []string) (target, error) {
	text := strings.Join(args, "/")
	word, name, found := strings.Cut(text, "/")
	if !found {
		if _, err := cmdutil.PlatformID(text, "user"); err != nil {
			return target{}, cmdutil.Usagef("%q is neither the number of a user nor one of completion/NAME, grant/NAME, "+
				"namespace/NAME and seat/NAME", text)
		}
		return target{kindUser, text}, nil
	}
	known, ok := kinds[strings.ToLower(word)]
	switch {
	case !ok:
		return target{}, cmdutil.Usagef("%q is unknown: ask for user, completion, grant, namespace or seat", word)
	case name == "" || strings.Contains(name, "/"):
		return target{}, cmdutil.Usagef("%q is not a valid name of a %s", name, known)
	}
	return target{known, name}, nil
}

type options struct {
	*cmdutil.Factory
	output      cmdutil.Output
	institution string
	personal    bool
}

// NewCommand returns the command.
func NewCommand(f *cmdutil.Factory) *cobra.Command {
	o := &options{Factory: f}
	cmd := &cobra.Command{
		Use:   "why (USER-ID | completion/NAME | grant/NAME | namespace/NAME | seat/NAME)",
		Short: "Explain why somebody has access, or has none",
		Long: templates.LongDesc(`
			Explain why somebody has access, or has none.

			The first line is the answer. Below it come the events in chronological order, up to what happens next, in the
			institution's time zone; each completion with its delivery; each policy, and why it does not match; and each
			grant, with what determines its end and with its objects in the cluster.

			Requires the ClusterRole completion-viewer in the institution's namespace. Objects that you may not read are
			listed by name. With completion-operations in the namespace completion-system, the story of a user or a
			completion includes every delivery in the audit log, even if it changed nothing. Personal data is shown only
			with --show-personal-data.`),
		Example: templates.Examples(`
			# The whole story of a user
			kubectl course why 987654321 -n institution-12345

			# The result of one completion
			kubectl course why completion/12345-123456-11-987654321 -n institution-12345

			# The state of a grant, and when it ends
			kubectl course why grant/grad-lab.12345-987654321 -n institution-12345

			# The owner of a namespace
			kubectl course why namespace/grad-987654321 -n institution-12345

			# The holder of a seat
			kubectl course why seat/tutors-0 -n institution-12345

			# As data
			kubectl course why 987654321 -n institution-12345 -o json`),
		Args: cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error { return o.run(cmd.Context(), args) },
	}
	cmd.Flags().StringVar(&o.institution, "institution", "",
		"Name or id of the Institution, if the namespace has several.")
	cmd.Flags().BoolVar(&o.personal, "show-personal-data", false,
		"Include names, addresses and other personal data, and who gets access.")
	o.output.AddFlags(cmd, "Explanation")
	cmd.ValidArgsFunction = complete(f)
	_ = cmd.RegisterFlagCompletionFunc("institution", cmdutil.CompleteNames(f, &v1alpha1.InstitutionList{}, true))
	return cmd
}

func (o *options) run(ctx context.Context, args []string) error {
	asked, err := parseTarget(args)
	if err != nil {
		return err
	}
	c, err := o.Client()
	if err != nil {
		return err
	}
	namespace, err := o.Namespace()
	if err != nil {
		return err
	}
	r := &reader{client: c, namespace: namespace, institution: o.institution, personal: o.personal, now: o.Now(),
		logged: func(ctx context.Context, who v1alpha1.GrantHolder) ([]deliveries.Delivery, []string) {
			return deliveries.About(ctx, o.Factory, who)
		}}
	told, err := r.tell(ctx, asked)
	if err != nil {
		return cmdutil.Explain(err, cmdutil.RoleViewer)
	}
	if done, err := o.output.Document(o.Out, told); done {
		return err
	}
	return told.print(o.Out)
}

// complete completes KIND/NAME.
func complete(f *cmdutil.Factory) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, start string) ([]string, cobra.ShellCompDirective) {
		word, name, found := strings.Cut(start, "/")
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		if !found {
			return []string{"completion/", "grant/", "namespace/", "seat/"},
				cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
		}
		var names []string
		directive := cobra.ShellCompDirectiveNoFileComp
		switch kinds[word] {
		case kindCompletion:
			names, directive = cmdutil.CompleteNames(f, &v1alpha1.CourseCompletionList{}, false)(cmd, nil, name)
		case kindGrant:
			names, directive = cmdutil.CompleteNames(f, &v1alpha1.GrantList{}, false)(cmd, nil, name)
		case kindSeat:
			names, directive = cmdutil.CompleteNames(f, &v1alpha1.SeatList{}, false)(cmd, nil, name)
		}
		for i := range names {
			names[i] = fmt.Sprintf("%s/%s", word, names[i])
		}
		return names, directive
	}
}
