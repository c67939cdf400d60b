// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package person

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/kubectl/pkg/util/templates"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/cli/cmdutil"
)

type eraseOptions struct {
	*cmdutil.Factory
	confirm     cmdutil.Confirmation
	user        string
	institution string
	reason      string
	keepGrace   bool
	timeout     time.Duration
}

// NewEraseCommand returns `kubectl course erase`.
func NewEraseCommand(f *cmdutil.Factory) *cobra.Command {
	o := &eraseOptions{Factory: f}
	cmd := &cobra.Command{
		Use:   "erase --user ID",
		Short: "Remove everything that is stored about one person in an institution",
		Long: templates.LongDesc(`
			Remove everything that is stored about one person in an institution: access and seats, granted namespaces with
			all that is in them, completions and Grants. It shows what there is and asks. Then, in this order, it revokes
			the Grants, deletes the completions, has the data go, and deletes the Grants when nothing of theirs is left.
			It can be interrupted and run again at any time.

			The data goes at once, for which you need the right to delete the granted namespaces. With --keep-grace the
			operator deletes it after the grace days, and needs no right of yours: run the command again after the day that
			it names, for the Grants.

			An event of the Institution records the act, with the reason and without saying who was erased. What cannot be
			reached from here is named at the end. Stop the platform first: a late repetition of an old delivery is a new one
			once the Grants have gone, is stored again, and grants anew.`),
		Example: templates.Examples(`
			# What there is, without erasing anything
			kubectl course erase -n institution-12345 --user 987654321 --dry-run

			# Erase it
			kubectl course erase -n institution-12345 --user 987654321 --reason "request 4711"

			# Leave the data its grace days
			kubectl course erase -n institution-12345 --user 987654321 --keep-grace`),
		Args: cobra.NoArgs,
	}
	flags := cmd.Flags()
	flags.StringVar(&o.user, "user", "", "The platform's `id` of the person.")
	flags.StringVar(&o.institution, "institution", "", "The Institution, by name or id, where the namespace has several.")
	flags.StringVar(&o.reason, "reason", "erasure", "Why, for the record: no personal data.")
	flags.BoolVar(&o.keepGrace, "keep-grace", false, "Leave it to the operator to delete the data after the grace days.")
	flags.DurationVar(&o.timeout, "timeout", 15*time.Minute, "How long to wait for each step.")
	dryRun := flags.Bool("dry-run", false, "Show what there is, and change nothing.")
	o.confirm.AddFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context(), *dryRun) }
	return cmd
}

// erasure is the work on one person.
type erasure struct {
	*eraseOptions
	c           client.WithWatch
	institution *v1alpha1.Institution
	user        v1alpha1.PlatformID
	found       *stored
	// removed counts what has gone, for the record.
	completions, grants, namespaces, objects int
}

func (o *eraseOptions) run(ctx context.Context, dryRun bool) error {
	e := &erasure{eraseOptions: o}
	if err := e.prepare(ctx); err != nil {
		return cmdutil.Explain(err, cmdutil.RoleInstitutionAdmin)
	}
	if e.found.empty() {
		fmt.Fprintf(o.Out, "Nothing is stored about user %d in institution %d.\n", e.user, e.institution.Spec.ID)
		e.printElsewhere()
		return nil
	}
	e.show()
	if dryRun {
		return nil
	}
	if err := e.allowed(ctx); err != nil {
		return cmdutil.Explain(err, cmdutil.RoleInstitutionAdmin)
	}
	if err := o.confirm.Ask(o.Factory, fmt.Sprintf("Erase all of it, of user %d in institution %d? It cannot be undone.",
		e.user, e.institution.Spec.ID)); err != nil {
		return err
	}
	left, err := e.erase(ctx)
	if err != nil {
		return fmt.Errorf("%w\nRun the same again to go on", cmdutil.Explain(err, cmdutil.RoleInstitutionAdmin))
	}
	e.record(ctx)
	if left {
		return nil
	}
	fmt.Fprintf(o.Out, "Erased: %d completions, %d Grants, %d namespaces and %d other objects.\n",
		e.completions, e.grants, e.namespaces, e.objects)
	e.printElsewhere()
	return nil
}

func (e *erasure) prepare(ctx context.Context) error {
	var err error
	if e.user, err = userOf(e.eraseOptions.user); err != nil {
		return err
	}
	if e.reason == "" || len(e.reason) > 200 {
		return cmdutil.Usagef("--reason has to have 1 to 200 characters")
	}
	if e.c, err = e.Client(); err != nil {
		return err
	}
	namespace, err := e.Namespace()
	if err != nil {
		return err
	}
	if e.institution, err = cmdutil.Institution(ctx, e.c, namespace, e.eraseOptions.institution); err != nil {
		return err
	}
	return e.look(ctx)
}

// look reads what there is now.
func (e *erasure) look(ctx context.Context) (err error) {
	e.found, err = gather(ctx, e.c, e.institution.Namespace, e.user, e.institution.Spec.ID)
	return err
}

// show prints what there is, by ids and names.
func (e *erasure) show() {
	fmt.Fprintf(e.Out, "User %d has in institution %d:\n", e.user, e.institution.Spec.ID)
	for i := range e.found.Completions {
		spec := &e.found.Completions[i].Spec
		fmt.Fprintf(e.Out, "  completion %s of course %d, sent %s\n", e.found.Completions[i].Name, spec.Course.ID,
			spec.Event.SendAt)
	}
	for i := range e.found.Grants {
		grant := &e.found.Grants[i]
		by := "made by hand"
		if grant.Planned() {
			by = "of policy " + string(grant.Spec.Policy)
		}
		fmt.Fprintf(e.Out, "  Grant %s %s, %s\n", grant.Name, by, grant.Status.Phase)
	}
	for i := range e.found.Seats {
		fmt.Fprintf(e.Out, "  Seat %s\n", e.found.Seats[i].Name)
	}
	for _, namespace := range e.found.GrantedNamespaces {
		fmt.Fprintf(e.Out, "  namespace %s with all that is in it\n", namespace)
	}
	for i := range e.found.Objects {
		entry := &e.found.Objects[i]
		if !slices.Contains(e.found.GrantedNamespaces, namespaceOf(entry)) {
			fmt.Fprintf(e.Out, "  %s\n", describe(entry))
		}
	}
}

func describe(entry *v1alpha1.InventoryEntry) string {
	if namespace := namespaceOf(entry); namespace != "" {
		return fmt.Sprintf("%s %s/%s", entry.Kind, namespace, entry.Name)
	}
	return entry.Kind + " " + entry.Name
}

// printElsewhere says what was not reached.
func (e *erasure) printElsewhere() {
	fmt.Fprintln(e.Out, "\nNot reached from here:")
	for _, place := range elsewhere {
		fmt.Fprintf(e.Out, "  %s: %s\n    %s\n", place.Place, place.What, place.How)
	}
	fmt.Fprintln(e.Out, "A late repetition of an old delivery is stored again and grants anew: have the platform forget "+
		"the person too.")
}

// suspended says which suspension keeps Grants from ending or from going.
func (e *erasure) suspended(ctx context.Context) error {
	if e.institution.Spec.Suspend != nil && *e.institution.Spec.Suspend {
		return fmt.Errorf("institution %d is suspended, so that nothing is taken: resume it first", e.institution.Spec.ID)
	}
	var policies v1alpha1.CompletionPolicyList
	if err := e.c.List(ctx, &policies, client.InNamespace(e.institution.Namespace)); err != nil {
		return err
	}
	var names []string
	for i := range policies.Items {
		policy := &policies.Items[i]
		has := func(g v1alpha1.Grant) bool { return string(g.Spec.Policy) == policy.Name }
		if policy.Spec.Suspend != nil && *policy.Spec.Suspend && slices.ContainsFunc(e.found.Grants, has) {
			names = append(names, policy.Name)
		}
	}
	if names != nil {
		return fmt.Errorf("policy %s is suspended, so that its Grants stay as they are: resume it first",
			strings.Join(names, ", "))
	}
	return nil
}
