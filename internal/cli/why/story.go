// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package why

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// tell tells the stories about a target.
func (r *reader) tell(ctx context.Context, asked target) (*document, error) {
	if err := r.begin(ctx); err != nil {
		return nil, err
	}
	told := &document{Subject: asked.String(), Namespace: r.namespace, Stories: []*story{}}
	whose, err := r.focuses(ctx, asked, told)
	if err != nil {
		return nil, err
	}
	_, _, zone := r.institutionOf(r.institutions[0].Spec.ID)
	var said []string
	for i := range whose {
		f, err := r.gather(ctx, &whose[i])
		if err != nil {
			return nil, err
		}
		if asked.kind == kindUser || asked.kind == kindCompletion {
			var unknown []string
			f.deliveries, unknown = r.logged(ctx, f.holder)
			r.unknown = append(r.unknown, unknown...)
		}
		one, err := r.story(ctx, f)
		if err != nil {
			return nil, err
		}
		zone = f.zone
		told.Stories = append(told.Stories, one)
		said = append(said, one.sentence(asked, f))
	}
	told.At, told.Unknown = r.now.In(zone).Truncate(time.Second), r.unknown
	told.Answer, err = r.say(ctx, asked, told, said, zone)
	return told, err
}

// focuses finds out whom a target is about.
func (r *reader) focuses(ctx context.Context, asked target, told *document) ([]focus, error) {
	switch asked.kind {
	case kindCompletion:
		return r.completionFocus(ctx, asked.name)
	case kindGrant:
		return r.grantFocus(ctx, asked.name)
	case kindNamespace:
		return r.namespaceFocus(ctx, asked.name)
	case kindSeat:
		whose, facts, err := r.seatFocus(ctx, asked.name)
		if facts != nil {
			told.Pool = facts.view()
		}
		return whose, err
	}
	return r.users(ctx, asked.name)
}

// say puts the answers together, and what is to be said of a namespace or a seat before.
func (r *reader) say(
	ctx context.Context, asked target, told *document, said []string, zone *time.Location,
) (string, error) {
	switch asked.kind {
	case kindNamespace:
		about := r.namespaceAnswer(ctx, asked.name, told)
		return strings.Join(append([]string{about}, said...), ". "), nil
	case kindSeat:
		about, err := r.seatAnswer(ctx, asked.name, told, zone)
		return strings.Join(append([]string{about}, said...), ". "), err
	}
	return strings.Join(said, ". "), nil
}

// namespaceAnswer says whose a namespace is.
func (r *reader) namespaceAnswer(ctx context.Context, name string, told *document) string {
	told.Object = &object{Kind: "Namespace", Name: name}
	found := r.look(ctx, told.Object)
	is := string(told.Object.State)
	switch {
	case len(told.Stories) == 1 && len(told.Stories[0].Grants) == 1:
		grant := &told.Stories[0].Grants[0]
		return fmt.Sprintf("Namespace %s (%s) is named by grant %s", name, is, grant.Name)
	case len(told.Stories) > 0:
		return fmt.Sprintf("Namespace %s (%s) is named by several grants", name, is)
	}
	about := fmt.Sprintf("Namespace %s (%s) is named by no grant of namespace %s", name, is, r.namespace)
	if found == nil {
		return about + ": it may be another institution's, give its namespace with -n"
	}
	if by := found.Annotations[v1alpha1.AnnotationGrant]; by != "" {
		return about + ": it says that it was granted by " + by + " (namespace/grant)"
	}
	return about + ": nothing says that it was granted at all"
}

// seatAnswer says who has a seat.
func (r *reader) seatAnswer(ctx context.Context, name string, told *document, zone *time.Location) (string, error) {
	seat, err := r.seat(ctx, name)
	if err != nil {
		return "", err
	}
	if seat != nil {
		answer := fmt.Sprintf("Seat %s is taken by grant %s since %s", name, seat.Spec.Grant,
			text(seat.CreationTimestamp.In(zone)))
		if len(told.Stories) == 0 {
			answer += ", which does not exist: the seat is reserved while the grant is expected back"
		}
		return answer, nil
	}
	dash := strings.LastIndexByte(name, '-')
	switch {
	case told.Pool.Missing:
		return fmt.Sprintf("There is no pool %s in namespace %s, so there is no seat %s", told.Pool.Name, r.namespace,
			name), nil
	case atLeast(name[dash+1:], told.Pool.Capacity):
		return fmt.Sprintf("There is no seat %s: pool %s has the capacity %d, and its seats are numbered from 0", name,
			told.Pool.Name, told.Pool.Capacity), nil
	case told.Pool.Waiting > 0:
		return fmt.Sprintf("Seat %s is free, and %d grants wait for a seat of pool %s: the first is %s", name,
			told.Pool.Waiting, told.Pool.Name, told.Pool.Queue[0]), nil
	}
	return fmt.Sprintf("Seat %s is free: nobody waits for a seat of pool %s", name, told.Pool.Name), nil
}

func atLeast(digits string, capacity int32) bool {
	n := int32(0)
	_, err := fmt.Sscan(digits, &n)
	return err == nil && n >= capacity
}

// story tells everything about one person, or the part that is asked for.
func (r *reader) story(ctx context.Context, f *facts) (*story, error) {
	told := &story{
		Institution: r.view(f), User: f.holder.UserID, Completions: []completion{}, Policies: []policy{},
		Grants: []grant{},
	}
	for i := range f.beside {
		if !f.shows(&f.beside[i]) {
			continue
		}
		one, err := r.grantStory(ctx, f, &f.beside[i])
		if err != nil {
			return nil, err
		}
		told.Grants = append(told.Grants, one)
		told.HasAccess = told.HasAccess || one.Access == accessAll
	}
	for i := range f.completions {
		if f.tells(f.completions[i].Name) {
			told.Completions = append(told.Completions, f.completionStory(&f.completions[i]))
		}
	}
	for i := range f.deliveries {
		if f.tells(f.deliveries[i].Completion) {
			told.Deliveries = append(told.Deliveries, f.deliveries[i])
		}
	}
	for _, p := range f.policies {
		if !f.concerns(p) {
			continue
		}
		one, err := r.policyStory(f, p)
		if err != nil {
			return nil, err
		}
		told.Policies = append(told.Policies, one)
	}
	if r.personal && len(f.completions) > 0 {
		user := &f.completions[len(f.completions)-1].Spec.User
		told.Person = &person{user.Name, user.Email, user.CPF, user.Nickname, user.UUID}
	}
	told.History, told.Next = r.history(f), r.next(f, told)
	told.Answer = told.answer(f)
	return told, nil
}

// view says what of the institution matters.
func (r *reader) view(f *facts) institution {
	told := institution{ID: f.holder.InstitutionID, TimeZone: f.zone.String(), Problem: f.problem}
	if f.institution == nil {
		return told
	}
	told.Name = f.institution.Name
	if status := &f.institution.Status.Brake; status.Trip != "" {
		told.Brake = &brake{Trip: status.Trip, Held: number(status.Held), Release: fmt.Sprintf(
			"kubectl course release %s -n %s", told.Name, r.namespace)}
		if status.TrippedAt != nil {
			told.Brake.TrippedAt = new(f.in(status.TrippedAt.Time))
		}
	}
	return told
}

// shows reports whether a Grant is in the part of the story that is told.
func (f *facts) shows(g *v1alpha1.Grant) bool {
	switch {
	case len(f.grants) > 0:
		return slices.Contains(f.grants, g.Name)
	case f.completion != "":
		return slices.ContainsFunc(g.Spec.Causes, func(c v1alpha1.GrantCause) bool {
			return string(c.Completion) == f.completion
		})
	}
	return true
}

// tells reports whether a completion is in that part: where it is about Grants, those that cause them, and all where
// there are none.
func (f *facts) tells(name string) bool {
	if f.completion != "" {
		return f.completion == name
	}
	if len(f.grants) == 0 {
		return true
	}
	there := false
	for i := range f.beside {
		g := &f.beside[i]
		if !f.shows(g) {
			continue
		}
		there = true
		for j := range g.Spec.Causes {
			if string(g.Spec.Causes[j].Completion) == name {
				return true
			}
		}
	}
	return !there
}

// concerns reports whether a policy is in that part.
func (f *facts) concerns(p *compiledPolicy) bool {
	if len(f.grants) == 0 {
		return true
	}
	return p.object.Name == f.focus.policy || slices.ContainsFunc(f.beside, func(g v1alpha1.Grant) bool {
		return f.shows(&g) && string(g.Spec.Policy) == p.object.Name
	})
}

func (f *facts) completionStory(c *v1alpha1.CourseCompletion) completion {
	spec := &c.Spec
	told := completion{
		Name: c.Name, Course: spec.Course.ID, CourseName: spec.Course.Name, Enrollment: spec.Enrollment.ID,
		Active: spec.Enrollment.Active(), DateExpire: spec.Enrollment.DateExpire, Delivery: spec.Delivery.ID,
		Warnings: spec.Delivery.Warnings, SendAt: spec.Event.SendAt, FirstSentAt: f.in(spec.Event.First().Time),
		SentAt: f.in(spec.Event.SentAt.Time), StoredAt: f.in(c.CreationTimestamp.Time), Outcome: "Pending",
		Message: "the result follows within a minute",
	}
	if ready := meta.FindStatusCondition(c.Status.Conditions, v1alpha1.ConditionReady); ready != nil {
		told.Outcome, told.Message = ready.Reason, ready.Message
		if c.Status.ObservedGeneration != c.Generation {
			told.Message += " (before the newest delivery)"
		}
	}
	return told
}
