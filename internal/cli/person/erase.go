// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package person

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/kubectl/pkg/util/templates"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/cli/cmdutil"
)

type eraseOptions struct {
	*cmdutil.Factory
	confirm     cmdutil.Confirmation
	output      cmdutil.Output
	user        string
	institution string
	reason      string
	keepGrace   bool
	timeout     time.Duration
	dryRun      bool
	// restored and allowAgain are what else the command can do; before is a day, for allowAgain.
	restored   bool
	allowAgain bool
	before     string
	day        time.Time
}

const eraseLong = `
	Erase everything that is stored about a person in an institution: access, seats, granted namespaces with their
	contents, completions and Grants. The command lists all of it and asks for confirmation. It then records the erasure,
	revokes the Grants, deletes the completions and the data, and finally deletes the Grants. It can be interrupted, and
	run again at any time.

	The data is deleted immediately, for which you need the right to delete the granted namespaces. With --keep-grace,
	the operator deletes it after the grace days instead, without a right of yours. The Grants remain until then: run the
	command again after the day it prints.

	The ErasureRegister of the namespace stores keyed digests of what was erased. Deliveries and imports that repeat it
	are not stored, nor is anything else about the person that was sent before the erasure. Deliveries in the inboxes are
	dropped. A course that the person completes later is stored as usual. --allow-again removes an erasure from the
	register, which restores nothing by itself.

	A backup made before an erasure brings the data back. --restored finds such people and erases them again, if the
	register still exists.

	An event of the Institution records the erasure and its reason, but not who was erased. The command ends with a list
	of what it could not reach.`

// NewEraseCommand returns `kubectl course erase`.
func NewEraseCommand(f *cmdutil.Factory) *cobra.Command {
	o := &eraseOptions{Factory: f}
	cmd := &cobra.Command{
		Use:   "erase --user ID",
		Short: "Erase everything that is stored about a person in an institution",
		Long:  templates.LongDesc(eraseLong),
		Example: templates.Examples(`
			# List what is stored, without erasing anything
			kubectl course erase -n institution-12345 --user 987654321 --dry-run

			# Erase it
			kubectl course erase -n institution-12345 --user 987654321 --reason "request 4711"

			# Allow deliveries about the person to be stored again
			kubectl course erase -n institution-12345 --user 987654321 --allow-again

			# Erase again everybody whom a backup has restored
			kubectl course erase -n institution-12345 --restored

			# Keep the data for its grace days
			kubectl course erase -n institution-12345 --user 987654321 --keep-grace`),
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context()) },
	}
	flags := cmd.Flags()
	flags.StringVar(&o.user, "user", "", "Platform `id` of the person.")
	flags.StringVar(&o.institution, "institution", "", "Name or id of the Institution, if the namespace has several.")
	flags.StringVar(&o.reason, "reason", "erasure", "The reason, stored with the change. Must not contain personal data.")
	flags.BoolVar(&o.keepGrace, "keep-grace", false, "Let the operator delete the data after the grace days.")
	flags.DurationVar(&o.timeout, "timeout", 15*time.Minute, "The maximum time to wait for each step.")
	flags.BoolVar(&o.dryRun, "dry-run", false, "Show what is stored, without changing anything.")
	flags.BoolVar(&o.restored, "restored", false, "Erase again everybody who was erased and is stored nevertheless.")
	flags.BoolVar(&o.allowAgain, "allow-again", false,
		"Forget that the person was erased, so that new deliveries are stored again.")
	flags.StringVar(&o.before, "before", "",
		"With --allow-again and without --user, everybody who was erased before this `day` (2021-01-31, in UTC).")
	o.confirm.AddFlags(cmd)
	o.output.AddFlags(cmd, "Erasure")
	return cmd
}

// erasure is the work on one person.
type erasure struct {
	*eraseOptions
	c           client.WithWatch
	institution *v1alpha1.Institution
	user        v1alpha1.PlatformID
	found       *stored
	// register is the one of the namespace, nil where there is none, or where it may not be read.
	register *v1alpha1.ErasureRegister
	// told is what is printed as data, and of is what it says of this person.
	told *told
	of   *toldOf
	// These count what has gone, for the record.
	completions, grants, namespaces, objects int
}

func (o *eraseOptions) run(ctx context.Context) error {
	if err := o.validate(); err != nil {
		return err
	}
	e := &erasure{eraseOptions: o}
	if err := e.prepare(ctx); err != nil {
		return cmdutil.Explain(err, cmdutil.RoleInstitutionAdmin)
	}
	e.told = &told{Namespace: e.institution.Namespace, Institution: e.institution.Spec.ID, DryRun: o.dryRun}
	var err error
	switch {
	case o.allowAgain:
		err = cmdutil.Explain(e.allow(ctx), cmdutil.RoleInstitutionAdmin)
	case o.restored:
		err = e.again(ctx)
	default:
		err = e.person(ctx)
	}
	_, failed := o.output.Document(o.Out, e.told)
	return errors.Join(err, failed)
}

func (o *eraseOptions) validate() error {
	switch {
	case o.reason == "" || len(o.reason) > 200:
		return cmdutil.Usagef("--reason must have 1 to 200 characters")
	case o.restored && (o.user != "" || o.allowAgain):
		return cmdutil.Usagef("--restored is for everybody who was erased: omit --user and --allow-again")
	case o.before != "" && (o.user != "" || !o.allowAgain):
		return cmdutil.Usagef("--before needs --allow-again without --user")
	case o.user == "" && !o.restored && o.before == "":
		return cmdutil.Usagef("--user is required: the platform id of the person")
	case o.before == "":
		return nil
	}
	var err error
	if o.day, err = time.Parse(time.DateOnly, o.before); err != nil {
		return cmdutil.Usagef("--before must be a day such as 2021-01-31: %q is not one", o.before)
	}
	return nil
}

func (e *erasure) prepare(ctx context.Context) error {
	var err error
	if e.eraseOptions.user != "" {
		if e.user, err = userOf(e.eraseOptions.user); err != nil {
			return err
		}
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
	if e.register, err = registerOf(ctx, e.c, namespace); apierrors.IsForbidden(err) && !e.restored && !e.allowAgain {
		// Whoever may not read it can look what there is.
		err = nil
	}
	return err
}

// person erases one person.
func (e *erasure) person(ctx context.Context) error {
	if err := e.look(ctx); err != nil {
		return cmdutil.Explain(err, cmdutil.RoleInstitutionAdmin)
	}
	at, erased, err := e.erasedAt()
	if err != nil {
		return err
	}
	e.show()
	if e.found.empty() && erased {
		e.of.ErasedAt = new(at.UTC())
		fmt.Fprintf(e.text(), "This person was erased: nothing that the platform sent until %s is stored.\n",
			at.UTC().Format(time.RFC3339))
		e.printElsewhere()
		return nil
	}
	if e.dryRun {
		return nil
	}
	if err := e.allowed(ctx); err != nil {
		return cmdutil.Explain(err, cmdutil.RoleInstitutionAdmin)
	}
	question := fmt.Sprintf("Erase all of this for user %d in institution %d? It cannot be undone.", e.user,
		e.institution.Spec.ID)
	if e.found.empty() {
		question = fmt.Sprintf("Record the erasure anyway, so that nothing that was sent about user %d until now "+
			"is stored later?", e.user)
	}
	if err := e.confirm.Ask(e.Factory, question); err != nil {
		return err
	}
	if left, err := e.all(ctx); left || err != nil {
		return err
	}
	e.printElsewhere()
	return nil
}

// all does it all, and says what came of it. It reports whether something is left to the operator.
func (e *erasure) all(ctx context.Context) (left bool, err error) {
	// First of all, so that nothing comes back meanwhile.
	if err = e.remember(ctx); err == nil && !e.found.empty() {
		left, err = e.erase(ctx)
	}
	if err != nil {
		return left, fmt.Errorf("%w\nRun the same again to go on", cmdutil.Explain(err, cmdutil.RoleInstitutionAdmin))
	}
	e.record(ctx)
	e.of.Erased = &removed{e.completions, e.grants, e.namespaces, e.objects}
	switch {
	case left:
	case e.found.empty() && e.completions+e.grants == 0:
		fmt.Fprintf(e.text(), "Recorded: nothing that was sent about user %d until now will be stored.\n", e.user)
	default:
		fmt.Fprintf(e.text(), "Erased: completions: %d, Grants: %d, namespaces: %d, other objects: %d\n",
			e.completions, e.grants, e.namespaces, e.objects)
	}
	return left, nil
}

// look reads what there is now.
func (e *erasure) look(ctx context.Context) (err error) {
	e.found, err = gather(ctx, e.c, e.institution.Namespace, e.user, e.institution.Spec.ID)
	return err
}

// show prints what there is, by ids and names.
func (e *erasure) show() {
	e.of = e.told.of(e.user, e.found)
	if e.found.empty() {
		fmt.Fprintf(e.text(), "Nothing is stored about user %d in institution %d.\n", e.user, e.institution.Spec.ID)
		return
	}
	fmt.Fprintf(e.text(), "User %d has in institution %d:\n", e.user, e.institution.Spec.ID)
	for i := range e.found.Completions {
		spec := &e.found.Completions[i].Spec
		fmt.Fprintf(e.text(), "  completion %s of course %d, sent %s\n", e.found.Completions[i].Name, spec.Course.ID,
			spec.Event.SendAt)
	}
	for i := range e.found.Grants {
		grant := &e.found.Grants[i]
		by := "made by hand"
		if grant.Planned() {
			by = "of policy " + string(grant.Spec.Policy)
		}
		fmt.Fprintf(e.text(), "  Grant %s %s, %s\n", grant.Name, by, grant.Status.Phase)
	}
	for i := range e.found.Seats {
		fmt.Fprintf(e.text(), "  Seat %s\n", e.found.Seats[i].Name)
	}
	for _, namespace := range e.found.GrantedNamespaces {
		fmt.Fprintf(e.text(), "  namespace %s with all that is in it\n", namespace)
	}
	for i := range e.found.Objects {
		entry := &e.found.Objects[i]
		if !slices.Contains(e.found.GrantedNamespaces, namespaceOf(entry)) {
			fmt.Fprintf(e.text(), "  %s\n", describe(entry))
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
	fmt.Fprintln(e.text(), "\nNot reached from here:")
	e.told.NotReached = elsewhere(e.institution.Namespace, e.user)
	for _, place := range e.told.NotReached {
		fmt.Fprintf(e.text(), "  %s: %s\n    %s\n", place.Place, place.What, place.How)
	}
	fmt.Fprintln(e.text(), "A delivery that repeats what was erased is acknowledged, but not stored.")
}

// suspended says which suspension keeps Grants from ending or from going.
func (e *erasure) suspended(ctx context.Context) error {
	if e.institution.Spec.Suspend != nil && *e.institution.Spec.Suspend {
		return fmt.Errorf("institution %d is suspended, so its Grants cannot be revoked: resume it first",
			e.institution.Spec.ID)
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
		return fmt.Errorf("policy %s is suspended, so its Grants cannot be revoked: resume it first",
			strings.Join(names, ", "))
	}
	return nil
}
