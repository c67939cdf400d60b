// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package token is `kubectl course token`.
package token

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/kubectl/pkg/util/templates"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/cli/cmdutil"
)

type options struct {
	*cmdutil.Factory
	output  cmdutil.Output
	confirm cmdutil.Confirmation
	// name of the Secret, and host of the URL.
	name, host string
	timeout    time.Duration
	force      bool
	// evenIfUsed removes also what the platform uses still.
	evenIfUsed bool
	// rotates says how the old tokens are removed.
	rotates bool
}

// NewCommand returns the command with its subcommands.
func NewCommand(f *cmdutil.Factory) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "token",
		Short: "List, add, rotate and remove the webhook tokens of an institution",
		Long: templates.LongDesc(`
			List, add, rotate and remove the webhook tokens of an institution.

			The token proves that a delivery comes from the institution's platform. It is in a Secret that the Institution
			names. Up to four tokens are accepted at a time, so you can change the token without losing a delivery: rotate,
			enter the new URL on the platform, then remove the old token. A token is shown only when it is created.`),
		Example: templates.Examples(`
			# List the tokens, and whether they are accepted
			kubectl course token list institution-12345

			# Add a new token next to the old ones
			kubectl course token rotate institution-12345 --host completions.example.com`),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return cmdutil.Usagef("%q is unknown: use list, add, rotate or remove", args[0])
			}
			return cmd.Help()
		},
	}
	cmd.AddCommand(newList(f), newAdd(f), newRotate(f), newRemove(f))
	return cmd
}

func newList(f *cmdutil.Factory) *cobra.Command {
	o := &options{Factory: f}
	cmd := &cobra.Command{
		Use:   "list [INSTITUTION]",
		Short: "List the tokens of an institution by the names of their Secrets",
		Long: templates.LongDesc(`
			List the tokens of an institution by the names of their Secrets: whether each is accepted and, if not, what to
			do. The tokens themselves are not shown.`),
		Example: templates.Examples(`
			kubectl course token list institution-12345`),
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: cmdutil.CompleteNames(f, &v1alpha1.InstitutionList{}, false),
		RunE: func(cmd *cobra.Command, args []string) error {
			return o.list(cmd.Context(), strings.Join(args, ""))
		},
	}
	o.output.AddFlags(cmd, "Token", cmdutil.Name)
	return cmd
}

func newAdd(f *cmdutil.Factory) *cobra.Command {
	o := &options{Factory: f}
	cmd := &cobra.Command{
		Use:   "add [INSTITUTION]",
		Short: "Create a random token, and show its webhook URL once",
		Long: templates.LongDesc(`
			Create a Secret with a random token, add it to the Institution, wait until it is accepted, and show the webhook
			URL once. Existing tokens stay accepted.`),
		Example: templates.Examples(`
			kubectl course token add institution-12345 --host completions.example.com`),
	}
	return o.adds(cmd)
}

func newRotate(f *cmdutil.Factory) *cobra.Command {
	o := &options{Factory: f, rotates: true}
	cmd := &cobra.Command{
		Use:   "rotate [INSTITUTION]",
		Short: "Add a token, and show how to remove the old ones",
		Long: templates.LongDesc(`
			Rotate the token of an institution without losing a delivery: add a new one, and show its webhook URL once.

			The old tokens stay accepted until you remove them. Enter the new URL on the platform first; the command prints
			how to remove the old tokens.`),
		Example: templates.Examples(`
			kubectl course token rotate institution-12345 --host completions.example.com`),
	}
	return o.adds(cmd)
}

func (o *options) adds(cmd *cobra.Command) *cobra.Command {
	cmd.Args = cobra.MaximumNArgs(1)
	cmd.ValidArgsFunction = cmdutil.CompleteNames(o.Factory, &v1alpha1.InstitutionList{}, false)
	cmd.RunE = func(cmd *cobra.Command, args []string) error { return o.add(cmd.Context(), strings.Join(args, "")) }
	cmd.Flags().StringVar(
		&o.name,
		"secret",
		"",
		"Name of the Secret. Default: webhook-token, the day, and random letters.",
	)
	AddURLFlags(cmd, &o.host, &o.timeout)
	o.output.AddFlags(cmd, "WebhookURL")
	return cmd
}

// AddURLFlags adds the flags of commands that show a webhook URL, once its token is accepted.
func AddURLFlags(cmd *cobra.Command, host *string, timeout *time.Duration) {
	cmd.Flags().StringVar(host, "host", "", "Host of the webhook URL, such as completions.example.com. "+
		"Default: the host of an Ingress or HTTPRoute in completion-system, if you are allowed to read it.")
	cmd.Flags().DurationVar(timeout, "timeout", 2*time.Minute, "The maximum time to wait.")
}

func newRemove(f *cmdutil.Factory) *cobra.Command {
	o := &options{Factory: f}
	cmd := &cobra.Command{
		Use:     "remove [INSTITUTION] SECRET",
		Aliases: []string{"rm"},
		Short:   "Remove a token, and delete its Secret",
		Long: templates.LongDesc(`
			Remove a token from the Institution, and delete its Secret. Deliveries with this token then get 401 and are
			lost.

			The command refuses to remove a token that the audit log of the webhook servers has seen within the last day:
			enter the new URL on the platform first. --even-if-used removes it anyway. Reading the audit log requires the
			ClusterRole completion-operations in the namespace completion-system; without it, the command asks for
			confirmation.

			The last accepted token requires --force, because no delivery is accepted without one.`),
		Example: templates.Examples(`
			# Remove a token, after confirmation
			kubectl course token remove institution-12345 webhook-token

			# For scripts
			kubectl course token remove institution-12345 webhook-token --yes`),
		Args: cobra.RangeArgs(1, 2),
		ValidArgsFunction: func(cmd *cobra.Command, args []string, start string) ([]string, cobra.ShellCompDirective) {
			if len(args) == 1 {
				return o.completeTokens(cmd.Context(), args[0], start), cobra.ShellCompDirectiveNoFileComp
			}
			return cmdutil.CompleteNames(f, &v1alpha1.InstitutionList{}, false)(cmd, args, start)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return o.remove(cmd.Context(), strings.Join(args[:len(args)-1], ""), args[len(args)-1])
		},
	}
	cmd.Flags().BoolVar(&o.force, "force", false, "Remove the token even if it is the last accepted one.")
	cmd.Flags().BoolVar(&o.evenIfUsed, "even-if-used", false, "Remove the token even if it was used within the last day.")
	o.confirm.AddFlags(cmd)
	o.output.AddFlags(cmd, "TokenRemoval", cmdutil.Name)
	return cmd
}

func (o *options) completeTokens(ctx context.Context, which, start string) []string {
	_, institution, err := o.institution(ctx, which)
	if err != nil {
		return nil
	}
	return slices.DeleteFunc(refs(institution), func(name string) bool { return !strings.HasPrefix(name, start) })
}

func (o *options) institution(ctx context.Context, which string) (client.WithWatch, *v1alpha1.Institution, error) {
	c, err := o.Client()
	if err != nil {
		return nil, nil, err
	}
	namespace, err := o.Namespace()
	if err != nil {
		return nil, nil, err
	}
	institution, err := cmdutil.Institution(ctx, c, namespace, which)
	return c, institution, err
}

// entry is one token, without the token.
type entry struct {
	Secret string `json:"secret"`
	// State is empty while the operator has not looked at it.
	State v1alpha1.TokenState `json:"state,omitempty"`
	Hint  string              `json:"hint,omitempty"`
}

func (o *options) list(ctx context.Context, which string) error {
	_, institution, err := o.institution(ctx, which)
	if err != nil {
		return cmdutil.Explain(err, cmdutil.RoleViewer)
	}
	var found []entry
	var rows [][]string
	var secrets []client.Object
	for _, name := range refs(institution) {
		state := stateOf(institution, name)
		found = append(found, entry{name, state, Hint(state)})
		secrets = append(secrets, Secret(institution.Namespace, name, ""))
		row := []string{name, string(state), Hint(state)}
		if state == "" {
			row[1] = "Unknown"
		}
		rows = append(rows, row)
	}
	if done, err := o.output.Document(o.Out, found); done {
		return err
	}
	if done, err := o.output.Names(o.Out, secrets...); done {
		return err
	}
	return o.output.Table(o.Out, []string{"SECRET", "STATE", "WHAT TO DO"}, rows)
}

func (o *options) add(ctx context.Context, which string) error {
	base := ""
	if o.host != "" {
		var err error
		if base, err = Base(o.host); err != nil {
			return err
		}
	}
	if o.name != "" && len(validation.IsDNS1123Subdomain(o.name)) > 0 {
		return cmdutil.Usagef("--secret=%s is not a valid Secret name: use lowercase letters, digits, - and .", o.name)
	}
	c, institution, err := o.institution(ctx, which)
	if err != nil {
		return cmdutil.Explain(err, cmdutil.RoleInstitutionAdmin)
	}
	before := refs(institution)
	name := o.name
	if name == "" {
		name = NewName(o.Now())
	}
	token, err := add(ctx, c, institution, name)
	switch {
	case apierrors.IsAlreadyExists(err):
		return fmt.Errorf("there is a Secret %s in namespace %s already: leave --secret out, or give another name",
			name, institution.Namespace)
	case err != nil:
		return cmdutil.Explain(fmt.Errorf("institution %s: %w", institution.Name, err), cmdutil.RoleInstitutionAdmin)
	}
	fmt.Fprintf(
		o.ErrOut,
		"secret/%s created, and named in institution %s; waiting until it is accepted\n",
		name,
		institution.Name,
	)
	waited := Await(ctx, c, client.ObjectKeyFromObject(institution), name, o.timeout)
	// In any case: nobody can read it later.
	shown := &URL{Namespace: institution.Namespace, Institution: institution.Name, Secret: name, Accepted: waited == nil}
	printed := shown.Show(context.WithoutCancel(ctx), o.Factory, &o.output, c, base, institution.Spec.ID, token)
	if waited != nil {
		fmt.Fprintf(
			o.ErrOut,
			"Do not tell the platform before it is accepted: `kubectl course token list %s -n %s` says when.\n",
			institution.Name,
			institution.Namespace,
		)
		return errors.Join(waited, printed)
	}
	fmt.Fprintf(o.ErrOut, "It is accepted.\n")
	if o.rotates && len(before) > 0 {
		fmt.Fprintln(o.ErrOut, "Once the platform uses it, remove what it used before:")
		for _, old := range before {
			fmt.Fprintf(o.ErrOut, "  kubectl course token remove %s %s -n %s\n", institution.Name, old, institution.Namespace)
		}
	}
	return printed
}

func (o *options) remove(ctx context.Context, which, name string) error {
	name = strings.TrimPrefix(name, "secret/")
	c, institution, err := o.institution(ctx, which)
	if err != nil {
		return cmdutil.Explain(err, cmdutil.RoleInstitutionAdmin)
	}
	plan, err := o.removal(ctx, c, institution, name)
	if err != nil {
		return cmdutil.Explain(err, cmdutil.RoleInstitutionAdmin)
	}
	if err := o.checkUse(ctx, institution, name); err != nil {
		return err
	}
	fmt.Fprintf(o.ErrOut, "What the platform still sends with token %s gets 401 and is lost.\n", name)
	if plan.note != "" {
		fmt.Fprintln(o.ErrOut, plan.note)
	}
	if err := o.confirm.Ask(o.Factory, "Remove token "+name+" of institution "+institution.Name+"?"); err != nil {
		return err
	}
	if !plan.keepRef {
		err := setRefs(ctx, c, institution, func(names []string) ([]string, bool, error) {
			left := slices.DeleteFunc(slices.Clone(names), func(one string) bool { return one == name })
			if len(left) == len(names) {
				return nil, false, nil
			}
			if !o.force && isLast(institution, name) {
				return nil, false, errLast(name)
			}
			return left, true, nil
		})
		if err != nil {
			return cmdutil.Explain(err, cmdutil.RoleInstitutionAdmin)
		}
		o.say("institution/%s no longer names secret/%s\n", institution.Name, name)
	}
	if plan.keepSecret {
		return o.removed(institution, name, plan)
	}
	err = c.Delete(ctx, Secret(institution.Namespace, name, ""))
	if client.IgnoreNotFound(err) != nil {
		return cmdutil.Explain(fmt.Errorf("%w\nThe token is no longer accepted, but its Secret still exists: "+
			"kubectl delete secret %s -n %s", err, name, institution.Namespace), cmdutil.RoleInstitutionAdmin)
	}
	o.say("secret/%s deleted\n", name)
	return o.removed(institution, name, plan)
}

// say prints something for people.
func (o *options) say(format string, values ...any) {
	if o.output.Text() {
		fmt.Fprintf(o.Out, format, values...)
	}
}

// removed prints as data, or by name, what was removed.
func (o *options) removed(institution *v1alpha1.Institution, name string, plan removal) error {
	if done, err := o.output.Names(o.Out, Secret(institution.Namespace, name, "")); done {
		return err
	}
	_, err := o.output.Document(o.Out, struct {
		Namespace   string `json:"namespace"`
		Institution string `json:"institution"`
		Secret      string `json:"secret"`
		// Named tells that the Institution goes on naming the Secret, and Deleted that the Secret has gone.
		Named   bool `json:"named"`
		Deleted bool `json:"deleted"`
	}{institution.Namespace, institution.Name, name, plan.keepRef, !plan.keepSecret})
	return err
}

// removal is what the removal of a token leaves.
type removal struct {
	keepRef, keepSecret bool
	note                string
}

// removal works out how a token is to be removed, and refuses the last one that is accepted.
func (o *options) removal(
	ctx context.Context, c client.Reader, institution *v1alpha1.Institution, name string,
) (removal, error) {
	names := refs(institution)
	if !slices.Contains(names, name) {
		return removal{}, fmt.Errorf("institution %s has no token %s: it has %s. "+
			"If its Secret is left over from before: kubectl delete secret %s -n %s",
			institution.Name, name, strings.Join(names, ", "), name, institution.Namespace)
	}
	if !o.force && isLast(institution, name) {
		return removal{}, errLast(name)
	}
	var r removal
	if len(names) == 1 {
		r.keepRef = true
		r.note = "It is the only one. The Institution still names it, because it must name one, and will not be Ready."
	}
	switch state := stateOf(institution, name); state {
	case v1alpha1.TokenNotFound, v1alpha1.TokenForbidden, "":
		if r.keepRef {
			return r, errors.New("it is the only one, and its Secret has no token: add another one first")
		}
		r.keepSecret = true
		r.note = "If a Secret " + name + " exists, it is kept: it may not be a token."
	}
	beside, err := cmdutil.Institutions(ctx, c, institution.Namespace)
	if err != nil {
		return r, err
	}
	for i := range beside {
		if beside[i].Name != institution.Name && slices.Contains(refs(&beside[i]), name) {
			if r.keepRef {
				return r, fmt.Errorf("institution %s names the same Secret: add another token first", beside[i].Name)
			}
			r.keepSecret, r.note = true, "Its Secret stays: institution "+beside[i].Name+" names it as well."
		}
	}
	return r, nil
}

// isLast reports whether a token is accepted, or may be, and no other one is.
func isLast(institution *v1alpha1.Institution, name string) bool {
	switch stateOf(institution, name) {
	case v1alpha1.TokenNotFound, v1alpha1.TokenInvalid, v1alpha1.TokenShared:
		return false
	}
	return !slices.ContainsFunc(refs(institution), func(other string) bool {
		return other != name && stateOf(institution, other) == v1alpha1.TokenAccepted
	})
}

func errLast(name string) error {
	return fmt.Errorf("without token %s no delivery would be accepted: add another one first, or give --force to "+
		"refuse all deliveries", name)
}
