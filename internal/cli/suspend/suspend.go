// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package suspend is `kubectl course suspend` and `kubectl course resume`.
package suspend

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/kubectl/pkg/util/templates"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/cli/cmdutil"
)

// options are of both commands; to is what spec.suspend is to be.
type options struct {
	*cmdutil.Factory
	change  cmdutil.Change
	confirm cmdutil.Confirmation
	to      bool
}

// target is an object that can be suspended.
type target interface {
	client.Object
	*v1alpha1.Institution | *v1alpha1.CompletionPolicy
}

// NewSuspend returns the command suspend.
func NewSuspend(f *cmdutil.Factory) *cobra.Command {
	return newCommand(f, true, &cobra.Command{
		Use:   "suspend",
		Short: "Suspend an institution, or policies",
		Long: templates.LongDesc(`
			Suspend an institution, or policies.

			A suspended institution accepts and stores deliveries, but grants and revokes nothing. A suspended policy grants
			nothing new and changes nothing; recorded ends still take effect. Suspending revokes nothing, and "resume"
			catches up on everything that was missed.`),
	})
}

// NewResume returns the command resume.
func NewResume(f *cmdutil.Factory) *cobra.Command {
	return newCommand(f, false, &cobra.Command{
		Use:   "resume",
		Short: "Resume an institution, or policies",
		Long: templates.LongDesc(`
			Resume an institution, or policies, that were suspended.

			What was delivered in the meantime is granted now, and what ended in the meantime is revoked now, within the
			budget of the institution's brake.`),
	})
}

func newCommand(f *cmdutil.Factory, to bool, parent *cobra.Command) *cobra.Command {
	verb := parent.Use
	parent.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			return cmdutil.Usagef("%q cannot be suspended: use institution or policy", args[0])
		}
		return cmd.Help()
	}
	institution := &options{Factory: f, to: to}
	one := &cobra.Command{
		Use:   "institution [NAME]",
		Short: parent.Short[:len(verb)] + " an institution",
		Long: templates.LongDesc(map[bool]string{
			true:  "Suspend an institution: deliveries are accepted and stored, but nothing is granted or revoked.",
			false: "Resume an institution: grants and ends that came due in the meantime take effect.",
		}[to]),
		Example: templates.Examples(`
			# The only institution in the namespace
			kubectl course ` + verb + ` institution

			# By name, or by platform id
			kubectl course ` + verb + ` institution 12345`),
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: cmdutil.CompleteNames(f, &v1alpha1.InstitutionList{}, false),
		RunE: func(cmd *cobra.Command, args []string) error {
			return institution.institution(cmd.Context(), strings.Join(args, ""))
		},
	}
	policy := &options{Factory: f, to: to}
	many := &cobra.Command{
		Use:     "policy NAME...",
		Aliases: []string{"policies"},
		Short:   parent.Short[:len(verb)] + " policies",
		Long: templates.LongDesc(map[bool]string{
			true:  "Suspend policies: they grant and change nothing. Recorded ends still take effect.",
			false: "Resume policies: they grant again, including deliveries from the meantime.",
		}[to]),
		Example: templates.Examples(`
			kubectl course ` + verb + ` policy grad-lab`),
		Args:              cobra.MinimumNArgs(1),
		ValidArgsFunction: cmdutil.CompleteNames(f, &v1alpha1.CompletionPolicyList{}, true),
		RunE:              func(cmd *cobra.Command, names []string) error { return policy.policies(cmd.Context(), names) },
	}
	institution.change.AddFlags(one)
	policy.change.AddFlags(many)
	policy.confirm.AddFlags(many)
	parent.AddCommand(one, many)
	return parent
}

func (o *options) past() string {
	if o.to {
		return "suspended"
	}
	return "resumed"
}

func (o *options) connect() (client.WithWatch, string, error) {
	if err := o.change.Validate(); err != nil {
		return nil, "", err
	}
	c, err := o.Client()
	if err != nil {
		return nil, "", err
	}
	namespace, err := o.Namespace()
	return c, namespace, err
}

func (o *options) institution(ctx context.Context, which string) error {
	c, namespace, err := o.connect()
	if err != nil {
		return err
	}
	institution, err := cmdutil.Institution(ctx, c, namespace, which)
	if err != nil {
		return cmdutil.Explain(err, cmdutil.RoleInstitutionAdmin)
	}
	if err := set(ctx, o, c, institution, &institution.Spec.Suspend); err != nil {
		return cmdutil.Explain(err, cmdutil.RoleInstitutionAdmin)
	}
	return nil
}

func (o *options) policies(ctx context.Context, names []string) error {
	c, namespace, err := o.connect()
	if err != nil {
		return err
	}
	var found []*v1alpha1.CompletionPolicy
	var failed []error
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		policy := &v1alpha1.CompletionPolicy{}
		err := c.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, policy)
		switch {
		case apierrors.IsNotFound(err):
			failed = append(
				failed,
				fmt.Errorf("namespace %s has no policy %s: `kubectl get completionpolicies -n %s` lists them",
					namespace, name, namespace),
			)
		case err != nil:
			return cmdutil.Explain(err, cmdutil.RolePolicyAuthor)
		default:
			found = append(found, policy)
		}
	}
	if len(failed) > 0 {
		return errors.Join(failed...)
	}
	if len(found) > 1 && o.change.DryRun == "none" {
		for _, policy := range found {
			fmt.Fprintf(o.ErrOut, "%s: is to be %s\n", policy.Name, o.past())
		}
		if err := o.confirm.Ask(
			o.Factory,
			"Are these "+strconv.Itoa(len(found))+" policies to be "+o.past()+"?",
		); err != nil {
			return err
		}
	}
	for _, policy := range found {
		if err := set(ctx, o, c, policy, &policy.Spec.Suspend); err != nil {
			return cmdutil.Explain(err, cmdutil.RolePolicyAuthor)
		}
	}
	return nil
}

// set writes spec.suspend, and prints the object. What is so already is said and left alone.
func set[T target](ctx context.Context, o *options, c client.WithWatch, object T, suspend **bool) error {
	is := *suspend != nil && **suspend
	if is == o.to {
		fmt.Fprintf(
			o.ErrOut,
			"%s is %s already\n",
			object.GetName(),
			map[bool]string{true: "suspended", false: "not suspended"}[o.to],
		)
		return nil
	}
	switch {
	case !o.change.Writes() && o.to:
		*suspend = new(true)
	case !o.change.Writes():
		*suspend = nil
	default:
		patch := `{"spec":{"suspend":null}}`
		if o.to {
			patch = `{"spec":{"suspend":true}}`
		}
		err := o.change.Client(c).Patch(ctx, object, client.RawPatch(types.MergePatchType, []byte(patch)))
		if err != nil {
			return err
		}
	}
	return o.change.Done(o.Out, o.past(), object)
}
