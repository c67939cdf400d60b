// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package person

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/cli/cmdutil"
	keyed "github.com/lxp-dev/course-completion-operator/internal/erasure"
)

// again erases everybody again who was erased and is stored all the same, as after a backup was restored.
func (e *erasure) again(ctx context.Context) error {
	back, mixed, err := e.returned(ctx)
	if err != nil {
		return cmdutil.Explain(err, cmdutil.RoleInstitutionAdmin)
	}
	for _, user := range mixed {
		fmt.Fprintf(e.text(), "User %d was erased, and is stored again with both erased and newer data: check, and erase "+
			"all of it with --user %d.\n", user, user)
	}
	e.told.Newer = mixed
	if len(back) == 0 {
		fmt.Fprintf(e.text(), "Institution %d stores nobody with only erased data.\n",
			e.institution.Spec.ID)
		return nil
	}
	people := make([]*erasure, 0, len(back))
	for _, user := range back {
		one := *e
		one.user = user
		if err := one.look(ctx); err != nil {
			return cmdutil.Explain(err, cmdutil.RoleInstitutionAdmin)
		}
		one.show()
		people = append(people, &one)
	}
	if e.dryRun {
		return nil
	}
	for _, one := range people {
		if err := one.allowed(ctx); err != nil {
			return cmdutil.Explain(err, cmdutil.RoleInstitutionAdmin)
		}
	}
	if err := e.confirm.Ask(e.Factory, fmt.Sprintf(
		"Erase all of this for %d people in institution %d? It cannot be undone.",
		len(people), e.institution.Spec.ID)); err != nil {
		return err
	}
	for _, one := range people {
		if _, err := one.all(ctx); err != nil {
			return err
		}
	}
	e.printElsewhere()
	return nil
}

// returned finds the people who were erased and are stored: with nothing but what was erased, and with newer things
// too.
func (e *erasure) returned(ctx context.Context) (back, mixed []v1alpha1.PlatformID, err error) {
	if e.register == nil {
		return nil, nil, errors.New("namespace " + e.institution.Namespace + " has no erasure register: nobody was erased " +
			"here, or the register was lost. If it was lost, erase again everybody in your own records")
	}
	register, err := keyed.Read(&e.register.Spec)
	if err != nil {
		return nil, nil, err
	}
	covered, newer := map[v1alpha1.PlatformID]bool{}, map[v1alpha1.PlatformID]bool{}
	note := func(user v1alpha1.PlatformID, erased bool) {
		if erased {
			covered[user] = true
		} else {
			newer[user] = true
		}
	}
	of := func(user v1alpha1.PlatformID) keyed.Person {
		return keyed.Person{Institution: e.institution.Spec.ID, User: user}
	}
	err = cmdutil.Each(ctx, e.c, &v1alpha1.CourseCompletionList{},
		func(l *v1alpha1.CourseCompletionList) []v1alpha1.CourseCompletion { return l.Items },
		func(c *v1alpha1.CourseCompletion) error {
			user := c.Spec.User.ID
			note(user, register.Covers(of(user), c.Spec.Enrollment.ID, c.Spec.Event.SentAt.Time))
			return nil
		}, client.InNamespace(e.institution.Namespace),
		client.MatchingFields{"spec.institution.id": e.institution.Spec.ID.String()})
	if err != nil {
		return nil, nil, err
	}
	err = cmdutil.Each(ctx, e.c, &v1alpha1.GrantList{},
		func(l *v1alpha1.GrantList) []v1alpha1.Grant { return l.Items },
		func(g *v1alpha1.Grant) error {
			user := g.Spec.Holder.UserID
			for i := range g.Spec.Causes {
				cause := &g.Spec.Causes[i]
				enrollment, _ := keyed.EnrollmentIn(string(cause.Completion), of(user))
				note(user, register.Covers(of(user), enrollment, cause.SentAt.Time))
			}
			if len(g.Spec.Causes) == 0 {
				// Made by hand: nothing says when.
				note(user, false)
			}
			return nil
		}, client.InNamespace(e.institution.Namespace),
		client.MatchingFields{"spec.holder.institutionID": e.institution.Spec.ID.String()})
	for _, user := range slices.Sorted(maps.Keys(covered)) {
		if newer[user] {
			mixed = append(mixed, user)
		} else {
			back = append(back, user)
		}
	}
	return back, mixed, err
}
