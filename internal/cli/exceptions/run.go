// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package exceptions

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/cli/cmdutil"
)

const (
	// listed is how many Grants are shown before somebody is asked.
	listed = 20
	// attempts is how often a Grant is written that somebody else writes at the same time.
	attempts = 20
)

// step is what is to be done to one Grant. It holds no more of the Grant than that takes.
type step struct {
	name, version string
	decision
}

// work is what a command works with.
type work struct {
	*options
	order     order
	client    client.WithWatch
	namespace string
	zones     map[v1alpha1.PlatformID]*time.Location
	// now is one moment for all, so that what is decided anew differs only where the Grant does.
	now time.Time
}

func (o *options) run(ctx context.Context, names []string) error {
	ordered, err := o.order(names)
	if err != nil {
		return err
	}
	w := &work{options: o, order: ordered, now: o.Now()}
	if w.client, err = o.Client(); err != nil {
		return err
	}
	if w.namespace, err = o.Namespace(); err != nil {
		return err
	}
	if w.zones, err = zones(ctx, w.client, w.namespace); err != nil {
		return cmdutil.Explain(err, cmdutil.RoleInstitutionAdmin)
	}
	var steps []step
	if len(names) > 0 {
		steps, err = w.named(ctx, names)
	} else {
		steps, err = w.selected(ctx)
	}
	if err != nil {
		return cmdutil.Explain(err, cmdutil.RoleInstitutionAdmin)
	}
	if err := w.announce(steps); err != nil {
		return err
	}
	return w.all(ctx, steps)
}

// zones returns the time zones of the institutions of a namespace.
func zones(ctx context.Context, c client.Reader, namespace string) (map[v1alpha1.PlatformID]*time.Location, error) {
	institutions, err := cmdutil.Institutions(ctx, c, namespace)
	if err != nil {
		return nil, err
	}
	found := map[v1alpha1.PlatformID]*time.Location{}
	for i := range institutions {
		spec := &institutions[i].Spec
		if zone, err := time.LoadLocation(spec.TimeZone); err == nil {
			found[spec.ID] = zone
		}
	}
	return found, nil
}

// decide works out what is to be done to a Grant. Its errors name the Grant.
func (w *work) decide(grant *v1alpha1.Grant) (step, error) {
	zone := w.zones[grant.Spec.Holder.InstitutionID]
	if zone == nil {
		if w.order.verb == extend && w.order.until.at.IsZero() {
			return step{}, fmt.Errorf("grant %s: its institution %s is not in namespace %s, or has no valid time zone: "+
				"give --until with an offset, such as %sT23:59:59Z",
				grant.Name, grant.Spec.Holder.InstitutionID, w.namespace, w.order.until.text)
		}
		zone = time.UTC
	}
	decided, err := w.order.decide(grant, zone, w.now)
	if err != nil {
		return step{}, fmt.Errorf("grant %s %w", grant.Name, err)
	}
	return step{grant.Name, grant.ResourceVersion, decided}, nil
}

// named decides about the Grants of these names. Where one of them makes no sense nothing is done to any.
func (w *work) named(ctx context.Context, names []string) ([]step, error) {
	var steps []step
	var failed []error
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		grant := &v1alpha1.Grant{}
		err := w.client.Get(ctx, client.ObjectKey{Namespace: w.namespace, Name: bare(name)}, grant)
		switch {
		case apierrors.IsNotFound(err):
			failed = append(failed, fmt.Errorf("namespace %s has no Grant %s: `kubectl get grants -n %s` lists them",
				w.namespace, bare(name), w.namespace))
			continue
		case err != nil:
			return nil, err
		}
		decided, err := w.decide(grant)
		if err != nil {
			failed = append(failed, err)
			continue
		}
		steps = append(steps, decided)
	}
	if len(failed) > 0 && len(steps) > 0 {
		failed = append(failed, errors.New("nothing was changed"))
	}
	return steps, errors.Join(failed...)
}

// bare takes off what `kubectl get -o name` writes before a name.
func bare(name string) string {
	kind, rest, found := strings.Cut(name, "/")
	if found &&
		slices.Contains([]string{"grant", "grants", "grant." + v1alpha1.GroupName, "grants." + v1alpha1.GroupName}, kind) {
		return rest
	}
	return name
}

// selected decides about the Grants that the flags select, and leaves out those for which it makes no sense.
func (w *work) selected(ctx context.Context) ([]step, error) {
	fields := client.MatchingFields{}
	if w.policy != "" {
		fields["spec.policy"] = w.policy
	}
	if w.user != "" {
		fields["spec.holder.userID"] = w.user
	}
	if w.awaiting {
		fields["status.phase"] = string(v1alpha1.GrantAwaitingApproval)
	}
	selector, err := labels.Parse(w.selector)
	if err != nil {
		return nil, cmdutil.Usagef("-l: %w", err)
	}
	var left error
	found, skipped := map[string]step{}, 0
	err = cmdutil.Each(ctx, w.client, &v1alpha1.GrantList{},
		func(l *v1alpha1.GrantList) []v1alpha1.Grant { return l.Items },
		func(grant *v1alpha1.Grant) error {
			decided, err := w.decide(grant)
			switch {
			case errors.Is(err, errConcernsNot):
				skipped++
				left = err
			case err != nil:
				return err
			default:
				found[grant.Name] = decided
			}
			return nil
		}, client.InNamespace(w.namespace), fields, client.MatchingLabelsSelector{Selector: selector})
	switch {
	case err != nil:
		return nil, err
	case len(found) == 0 && skipped == 0:
		return nil, fmt.Errorf("no Grants in namespace %s are selected", w.namespace)
	case len(found) == 0:
		return nil, fmt.Errorf(
			"%s selected, and there is none to %s; the last one:\n%w",
			plural(skipped, "Grant"),
			w.verb,
			left,
		)
	case skipped > 0:
		fmt.Fprintf(w.ErrOut, "%s selected and left out, since there is nothing to %s.\n", plural(skipped, "Grant"), w.verb)
	}
	return slices.SortedFunc(maps.Values(found), func(a, b step) int { return strings.Compare(a.name, b.name) }), nil
}

// announce says what will be done, and asks where it concerns more than one Grant.
func (w *work) announce(steps []step) error {
	todo := 0
	for _, s := range steps {
		if !s.done {
			todo++
		}
	}
	for i, s := range steps {
		if i == listed && w.change.DryRun == "none" {
			fmt.Fprintf(w.ErrOut, "... and %d more: --dry-run lists all\n", len(steps)-listed)
			break
		}
		fmt.Fprintf(w.ErrOut, "%s: %s\n", s.name, s.effect)
	}
	if todo <= 1 || w.change.DryRun != "none" {
		return nil
	}
	return w.confirm.Ask(
		w.Factory,
		strings.ToUpper(string(w.verb[:1]))+string(w.verb[1:])+" these "+plural(todo, "Grant")+"?",
	)
}

// all does the steps. What fails is said in the end, and does not keep from the others.
func (w *work) all(ctx context.Context, steps []step) error {
	var failed []error
	done := 0
	for _, s := range steps {
		if s.done {
			continue
		}
		if ctx.Err() != nil {
			fmt.Fprintf(w.ErrOut, "%d of %s done; run it again for the others\n", done, plural(len(steps), "Grant"))
			return ctx.Err()
		}
		grant, err := w.one(ctx, s)
		if err != nil {
			failed = append(failed, fmt.Errorf("grant %s: %w", s.name, err))
			if apierrors.IsForbidden(err) {
				break
			}
			continue
		}
		done++
		if !w.personal {
			hidePersonalData(grant)
		}
		if err := w.change.Done(w.Out, w.verb.past(), grant); err != nil {
			return err
		}
	}
	if len(failed) > 0 && len(steps) > 1 {
		failed = append(failed, fmt.Errorf("%d of %s done; run it again for the others", done, plural(len(steps), "Grant")))
	}
	if slices.ContainsFunc(failed, apierrors.IsForbidden) {
		return cmdutil.Explain(errors.Join(failed...), cmdutil.RoleInstitutionAdmin)
	}
	return errors.Join(failed...)
}

// one writes the override of a Grant, as long as the Grant is what was decided about: where somebody else has written
// it meanwhile it is decided anew, and has to come out the same.
func (w *work) one(ctx context.Context, s step) (*v1alpha1.Grant, error) {
	key := client.ObjectKey{Namespace: w.namespace, Name: s.name}
	for range attempts {
		grant := &v1alpha1.Grant{}
		if !w.change.Writes() {
			if err := w.client.Get(ctx, key, grant); err != nil {
				return nil, err
			}
			grant.Spec.Override = v1alpha1.GrantOverride{}
			if s.override != nil {
				grant.Spec.Override = *s.override
			}
			return grant, nil
		}
		grant.Namespace, grant.Name = key.Namespace, key.Name
		patch, err := patchOf(s)
		if err != nil {
			return nil, err
		}
		err = w.change.Client(w.client).Patch(ctx, grant, client.RawPatch(types.MergePatchType, patch))
		if !apierrors.IsConflict(err) {
			return grant, err
		}
		if err := w.client.Get(ctx, key, grant); err != nil {
			return nil, err
		}
		again, err := w.decide(grant)
		switch {
		case err != nil:
			return nil, err
		case again.done:
			return grant, nil
		case again.effect != s.effect:
			return nil, fmt.Errorf("it has changed in the meantime, and now it %s: run it again if that is intended",
				again.effect)
		}
		s = again
	}
	return nil, errors.New("it keeps being changed by others: run it again")
}

// patchOf returns the merge patch of a step. It replaces the override as a whole, for that version of the Grant alone.
func patchOf(s step) ([]byte, error) {
	var override any
	if s.override != nil {
		override = map[string]any{"approved": s.override.Approved, "revoked": s.override.Revoked,
			"until": s.override.Until, "reason": s.override.Reason}
	}
	return json.Marshal(map[string]any{
		"metadata": map[string]any{"resourceVersion": s.version},
		"spec":     map[string]any{"override": override},
	})
}

// hidden stands where personal data was.
const hidden = "(hidden; --show-personal-data)"

// hidePersonalData takes the names of subjects and the objects out of a Grant that is printed.
func hidePersonalData(grant *v1alpha1.Grant) {
	grant.ManagedFields = nil
	delete(grant.Annotations, "kubectl.kubernetes.io/last-applied-configuration")
	for i := range grant.Spec.Namespaces {
		for j := range grant.Spec.Namespaces[i].Access {
			subjects := grant.Spec.Namespaces[i].Access[j].Subjects
			for k := range subjects {
				subjects[k].Name = hidden
			}
		}
	}
	for i := range grant.Spec.Objects {
		grant.Spec.Objects[i].Object.Raw = []byte(`{"hidden":"` + hidden + `"}`)
	}
}
