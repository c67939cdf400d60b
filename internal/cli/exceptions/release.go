// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package exceptions

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/kubectl/pkg/util/templates"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/cli/cmdutil"
	"github.com/lxp-dev/course-completion-operator/internal/lifecycle"
)

// poll is how often something is looked at that is waited for.
const poll = 500 * time.Millisecond

type releasing struct {
	*cmdutil.Factory
	change  cmdutil.Change
	confirm cmdutil.Confirmation
	wait    bool
	timeout time.Duration
}

func newRelease(f *cmdutil.Factory) *cobra.Command {
	o := &releasing{Factory: f}
	cmd := &cobra.Command{
		Use:   "release [INSTITUTION]",
		Short: "Release the revocations that the brake of an institution pauses",
		Long: templates.LongDesc(`
			Release the revocations that the brake of an institution pauses.

			The brake pauses revocations when more Grants are due within an hour than the institution's revocationBudget;
			their holders keep everything until a person confirms. The command first shows who would lose what, and asks for
			confirmation. It releases only the trip that it has shown: later revocations count anew.

			If the revocations are a mistake, do not release them. Correct the cause, and the brake recovers by itself.`),
		Example: templates.Examples(`
			# Show who would lose what, without releasing anything
			kubectl course release institution-12345 --dry-run

			# Show it, ask for confirmation, and wait until it is released
			kubectl course release institution-12345

			# For scripts
			kubectl course release institution-12345 --yes --timeout 5m`),
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: cmdutil.CompleteNames(f, &v1alpha1.InstitutionList{}, false),
		RunE: func(cmd *cobra.Command, args []string) error {
			return o.run(cmd.Context(), strings.Join(args, ""))
		},
	}
	cmd.Flags().BoolVar(&o.wait, "wait", true, "Wait until it is released.")
	cmd.Flags().DurationVar(&o.timeout, "timeout", time.Minute, "The maximum time to wait.")
	o.confirm.AddFlags(cmd)
	o.change.AddFlags(cmd)
	return cmd
}

func (o *releasing) run(ctx context.Context, which string) error {
	if err := o.change.Validate(); err != nil {
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
	institution, err := cmdutil.Institution(ctx, c, namespace, which)
	if err != nil {
		return cmdutil.Explain(err, cmdutil.RoleInstitutionAdmin)
	}
	trip := institution.Status.Brake.Trip
	if trip == "" {
		return fmt.Errorf("the brake of institution %s pauses nothing%s", institution.Name, lastRelease(institution))
	}
	zone, err := time.LoadLocation(institution.Spec.TimeZone)
	if err != nil {
		zone = time.UTC
	}
	waiting, err := o.show(ctx, c, institution, zone)
	if err != nil {
		return cmdutil.Explain(err, cmdutil.RoleInstitutionAdmin)
	}
	if o.change.DryRun == "none" {
		question := fmt.Sprintf("Release trip %s, so that these Grants are revoked?", trip)
		if err := o.confirm.Ask(o.Factory, question); err != nil {
			return err
		}
	}
	released, err := o.release(ctx, c, institution, trip, waiting)
	if err != nil {
		return cmdutil.Explain(err, cmdutil.RoleInstitutionAdmin)
	}
	if o.wait && o.change.DryRun == "none" {
		if released, err = o.await(ctx, c, released, trip); err != nil {
			return err
		}
	}
	return o.change.Done(o.Out, "released", released)
}

func lastRelease(institution *v1alpha1.Institution) string {
	brake := institution.Status.Brake
	if brake.ReleasedTrip == "" || brake.ReleasedAt == nil {
		return ""
	}
	return fmt.Sprintf("; trip %s was released %s", brake.ReleasedTrip, brake.ReleasedAt.UTC().Format(time.RFC3339))
}

// show says who goes, and returns how many.
func (o *releasing) show(
	ctx context.Context, c client.Reader, institution *v1alpha1.Institution, zone *time.Location,
) (int, error) {
	type goer struct {
		user v1alpha1.PlatformID
		text string
	}
	var first []goer
	count, now := 0, o.Now()
	err := cmdutil.Each(ctx, c, &v1alpha1.GrantList{},
		func(l *v1alpha1.GrantList) []v1alpha1.Grant { return l.Items },
		func(grant *v1alpha1.Grant) error {
			if !waits(grant, now) {
				return nil
			}
			count++
			user := grant.Spec.Holder.UserID
			first = append(first, goer{user, fmt.Sprintf("  %s (user %s): %s", grant.Name, user, loses(grant, zone, now))})
			slices.SortFunc(first, func(a, b goer) int {
				if a.user != b.user {
					return int(min(max(a.user-b.user, -1), 1))
				}
				return strings.Compare(a.text, b.text)
			})
			first = first[:min(len(first), listed)]
			return nil
		},
		client.InNamespace(institution.Namespace),
		client.MatchingFields{"spec.holder.institutionID": institution.Spec.ID.String()})
	if err != nil {
		return 0, err
	}
	brake := institution.Status.Brake
	since := ""
	if brake.TrippedAt != nil {
		since = " since " + show(brake.TrippedAt.Time, zone)
	}
	fmt.Fprintf(o.ErrOut, "Trip %s of institution %s pauses %s%s (revocationBudget %d within an hour).\n",
		brake.Trip, institution.Name, plural(count, "Grant"), since, institution.Spec.Budget())
	for _, one := range first {
		fmt.Fprintln(o.ErrOut, one.text)
	}
	if count > len(first) {
		fmt.Fprintf(o.ErrOut, "  ... and %d more: `kubectl get grants -n %s -o wide` has those with reason %s\n",
			count-len(first), institution.Namespace, v1alpha1.ReasonRevocationPaused)
	}
	if brake.Held != nil && int(*brake.Held) > count {
		fmt.Fprintf(
			o.ErrOut,
			"The operator counts %d. Those that are not shown have yet to say so in their status.\n",
			*brake.Held,
		)
		count = int(*brake.Held)
	}
	return count, nil
}

// waits reports whether a Grant has something that the brake holds back.
func waits(grant *v1alpha1.Grant, now time.Time) bool {
	return lifecycle.WaitsForBrake(grant, now) || grant.Status.AccessChangeDigest != ""
}

// loses says what a Grant that waits for the brake loses once that is released.
func loses(grant *v1alpha1.Grant, zone *time.Location, now time.Time) string {
	var parts []string
	taking := meta.FindStatusCondition(grant.Status.Conditions, v1alpha1.ConditionRevocationsComplete)
	if taking != nil && taking.Reason == v1alpha1.ReasonRevocationPaused {
		var names []string
		for _, ns := range grant.Spec.Revokes.Namespaces {
			names = append(names, ns.Name)
		}
		parts = append(parts, "its completion revokes namespace "+strings.Join(names, ", ")+" away; "+
			grace(grant, zone, now))
	}
	if grant.Status.AccessChangeDigest != "" {
		parts = append(parts, "the subjects with access to its namespaces are replaced by others")
	}
	switch {
	case !grant.DeletionTimestamp.IsZero():
		parts = append(parts, "it was deleted: loses "+holdings(grant)+"; "+dataGoes(grant, zone, now))
	case lifecycle.StateOf(grant, now).Paused:
		parts = append(parts, "ended "+endOf(grant, zone)+whyEnded(grant)+": loses "+holdings(grant)+"; "+
			dataGoes(grant, zone, now))
	case lifecycle.ForwardWaits(grant):
		parts = append(parts, "a delivery moved its end forward to "+endOf(grant, zone)+": loses "+holdings(grant)+" then")
	}
	if len(parts) == 0 {
		return "loses " + holdings(grant)
	}
	return strings.Join(parts, "; ")
}

// grace says when a namespace is deleted that a completion takes away now.
func grace(grant *v1alpha1.Grant, zone *time.Location, now time.Time) string {
	if days := grant.Spec.Lifetime.Grace(); days > 0 {
		return "the data is deleted " + show(now.Add(time.Duration(days)*24*time.Hour), zone)
	}
	return "ITS DATA IS DELETED AT ONCE (graceDays is 0)"
}

// whyEnded names the reasons for which the causes of a Grant end.
func whyEnded(grant *v1alpha1.Grant) string {
	var why []string
	for _, cause := range grant.Spec.Causes {
		if cause.End != "" && !slices.Contains(why, string(cause.End)) {
			why = append(why, string(cause.End))
		}
	}
	if len(why) == 0 {
		return ""
	}
	return " (" + strings.Join(why, ", ") + ")"
}

// release names the trip in the annotation, as long as it is that trip which holds, and no more than was shown.
func (o *releasing) release(
	ctx context.Context, c client.WithWatch, shown *v1alpha1.Institution, trip string, waiting int,
) (*v1alpha1.Institution, error) {
	key := client.ObjectKeyFromObject(shown)
	for range attempts {
		now := &v1alpha1.Institution{}
		if err := c.Get(ctx, key, now); err != nil {
			return nil, err
		}
		brake := now.Status.Brake
		switch {
		case now.UID != shown.UID:
			return nil, fmt.Errorf("institution %s was recreated in the meantime: nothing was released; run it again", key.Name)
		case brake.Trip == "" && brake.ReleasedTrip == trip:
			return now, nil
		case brake.Trip == "":
			return nil, fmt.Errorf("trip %s is over: nothing is left to release", trip)
		case brake.Trip != trip:
			return nil, fmt.Errorf("the brake has tripped again (trip %s, shown was %s): nothing "+
				"was released; run the command again to see the present revocations", brake.Trip, trip)
		case brake.Held != nil && int(*brake.Held) > waiting:
			return nil, fmt.Errorf("%d Grants are paused now, but %d were shown: nothing was released; "+
				"run the command again to see the present revocations", *brake.Held, waiting)
		}
		if !o.change.Writes() {
			if now.Annotations == nil {
				now.Annotations = map[string]string{}
			}
			now.Annotations[v1alpha1.AnnotationReleaseBrake] = trip
			return now, nil
		}
		patch, err := json.Marshal(map[string]any{"metadata": map[string]any{
			"resourceVersion": now.ResourceVersion, "annotations": map[string]string{v1alpha1.AnnotationReleaseBrake: trip}}})
		if err != nil {
			return nil, err
		}
		err = o.change.Client(c).Patch(ctx, now, client.RawPatch(types.MergePatchType, patch))
		if !apierrors.IsConflict(err) {
			return now, err
		}
	}
	return nil, fmt.Errorf("institution %s keeps being changed by others: run it again", key.Name)
}

// await waits until the operator has released a trip.
func (o *releasing) await(
	ctx context.Context, c client.Reader, institution *v1alpha1.Institution, trip string,
) (*v1alpha1.Institution, error) {
	key := client.ObjectKeyFromObject(institution)
	err := wait.PollUntilContextTimeout(ctx, poll, o.timeout, true, func(ctx context.Context) (bool, error) {
		institution = &v1alpha1.Institution{}
		if err := c.Get(ctx, key, institution); err != nil {
			return false, err
		}
		return institution.Status.Brake.Trip != trip, nil
	})
	if wait.Interrupted(err) && ctx.Err() == nil {
		return nil, fmt.Errorf("trip %s is not released after %s: is the controller-manager running? "+
			"It releases the trip once it runs, for the annotation is set", trip, o.timeout)
	}
	return institution, err
}
