// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package why

import (
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/cli/deliveries"
	"github.com/lxp-dev/course-completion-operator/internal/lifecycle"
	"github.com/lxp-dev/course-completion-operator/internal/plan"
)

// timeline collects events.
type timeline struct {
	zone   *time.Location
	events []event
}

func (t *timeline) note(at time.Time, format string, values ...any) {
	if !at.IsZero() {
		at = at.In(t.zone)
	}
	t.events = append(t.events, event{At: at, What: fmt.Sprintf(format, values...)})
}

// noteTime notes an event if its time is known.
func (t *timeline) noteTime(at *metav1.Time, format string, values ...any) {
	if at != nil && !at.IsZero() {
		t.note(at.Time, format, values...)
	}
}

// sorted returns the events in the order of time, those that have none first.
func (t *timeline) sorted() []event {
	// The API keeps whole seconds of most times. Within one it is as it was noted.
	slices.SortStableFunc(t.events, func(a, b event) int {
		return a.At.Truncate(time.Second).Compare(b.At.Truncate(time.Second))
	})
	if t.events == nil {
		return []event{}
	}
	return t.events
}

// history tells what has happened.
func (r *reader) history(f *facts) []event {
	t := &timeline{zone: f.zone}
	if !f.erasedAt.IsZero() {
		t.note(f.erasedAt, "the data of the user is erased: what was sent until then is no longer stored")
	}
	for i := range f.completions {
		if c := &f.completions[i]; f.tells(c.Name) {
			t.completion(c)
		}
	}
	for i := range f.deliveries {
		if d := &f.deliveries[i]; f.tells(d.Completion) {
			t.delivery(f, d)
		}
	}
	for i := range f.beside {
		if g := &f.beside[i]; f.shows(g) {
			t.grant(f, g, r.now)
		}
	}
	return t.sorted()
}

func (t *timeline) completion(c *v1alpha1.CourseCompletion) {
	event := &c.Spec.Event
	first := event.First()
	t.note(first.Time, "course %d completed: completion %s is sent", c.Spec.Course.ID, c.Name)
	delivery := "a delivery"
	if c.Spec.Delivery.ID != "" {
		delivery = "delivery " + c.Spec.Delivery.ID
	}
	if first.Before(&event.SentAt) {
		t.note(event.SentAt.Time, "completion %s is sent again: %s is stored", c.Name, delivery)
		t.note(c.CreationTimestamp.Time, "completion %s is stored, by an earlier delivery", c.Name)
	} else {
		t.note(c.CreationTimestamp.Time, "completion %s is stored, by %s", c.Name, delivery)
	}
	t.noteTime(c.DeletionTimestamp, "completion %s is deleted", c.Name)
}

// delivery tells of one that the audit log has, unless its completion tells that it is stored.
func (t *timeline) delivery(f *facts, d *deliveries.Delivery) {
	if c := f.stored(d.Completion); c != nil && c.Spec.Delivery.ID == d.ID {
		return
	}
	t.note(d.At, "delivery %s about completion %s arrives and is answered %d: %s (%s)", d.ID, d.Completion, d.Status,
		d.Outcome, d.Reason)
}

func (t *timeline) grant(f *facts, g *v1alpha1.Grant, now time.Time) {
	by := "policy " + string(g.Spec.Policy)
	if !g.Planned() {
		by = "hand"
	}
	t.note(g.CreationTimestamp.Time, "grant %s is created by %s", g.Name, by)
	if ready := meta.FindStatusCondition(g.Status.Conditions, v1alpha1.ConditionReady); ready != nil {
		becomes := "Ready"
		if ready.Status != metav1.ConditionTrue {
			becomes = "not Ready; the reason now is " + ready.Reason
		}
		t.note(ready.LastTransitionTime.Time, "grant %s becomes %s", g.Name, becomes)
	}
	for i := range g.Spec.Causes {
		c := &g.Spec.Causes[i]
		if f.stored(string(c.Completion)) == nil {
			t.note(c.First().Time, "completion %s, which is no longer stored, is sent", c.Completion)
		}
		if c.ArchivedAt != nil {
			t.note(c.ArchivedAt.Time, "completion %s is archived by retention: grant %s keeps what it has", c.Completion, g.Name)
		}
		if c.EndsAt != nil && !c.EndsAt.After(now) {
			t.note(c.EndsAt.Time, "completion %s no longer entitles to grant %s: %s", c.Completion, g.Name, f.whyEnds(g, c))
		}
	}
	if until := g.Spec.Override.Until; until != nil && !until.After(now) {
		t.note(until.Time, "grant %s ends, as a person set it: %s", g.Name, g.Spec.Override.Reason)
	}
	if forward := g.Spec.EndBroughtForward; forward != nil {
		t.note(forward.At.Time, "the end of grant %s is brought forward", g.Name)
	}
	for _, held := range g.Status.Seats {
		name := v1alpha1.SeatName(string(held.Pool), *held.Number)
		if seat := f.seats[name]; seat != nil && string(seat.Spec.Grant) == g.Name {
			t.note(seat.CreationTimestamp.Time, "seat %s is given to grant %s", name, g.Name)
		}
	}
	for _, admission := range g.Status.Admissions {
		how := "within the budget"
		if admission.ReleasedTrip != "" {
			how = "since a person released trip " + admission.ReleasedTrip
		}
		t.note(admission.At.Time, "the brake admits %s of grant %s, %s", admission.Type, g.Name, how)
	}
	for _, begun := range g.Status.Revocations {
		t.note(begun.At.Time, "grant %s begins to revoke namespace %s", g.Name, begun.Name)
	}
	t.noteTime(g.Status.RestoredAt, "grant %s comes from a backup", g.Name)
	t.noteTime(g.Status.AccessEndedAt, "access by grant %s is removed", g.Name)
	t.noteTime(g.DeletionTimestamp, "grant %s is deleted", g.Name)
}

// next tells what happens by itself, and what waits for somebody.
func (r *reader) next(f *facts, told *story) []event {
	t := &timeline{zone: f.zone}
	if f.problem != "" {
		t.note(time.Time{}, "nothing is planned: %s", f.problem)
	}
	for i := range f.completions {
		c := &f.completions[i]
		if !f.tells(c.Name) {
			continue
		}
		if at := plan.InRange(&c.Spec); r.now.Before(at) {
			t.note(at, "completion %s, dated in the future, is planned", c.Name)
		}
		if f.institution != nil {
			retention := time.Duration(f.institution.Spec.RetentionDays) * 24 * time.Hour
			if at := plan.Expires(c, retention); !at.IsZero() {
				t.note(later(at, r.now), "retention deletes completion %s, which ends no grant", c.Name)
			}
		}
	}
	for i := range f.beside {
		if g := &f.beside[i]; f.shows(g) {
			r.nextOf(f, g, t)
		}
	}
	for i := range told.Grants {
		r.waits(&told.Grants[i], told, t)
	}
	return t.sorted()
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// nextOf tells how a Grant goes on.
func (r *reader) nextOf(f *facts, g *v1alpha1.Grant, t *timeline) {
	now := lifecycle.StateOf(g, r.now)
	switch {
	case now.Stage == lifecycle.Active && !now.Next.IsZero():
		t.note(now.Next, "access by grant %s ends: %s", g.Name, f.endOf(g).Message)
		switch then := lifecycle.StateOf(g, now.Next); {
		case then.Paused:
			t.note(now.Next, "the brake pauses this end if more than %d grants are to be revoked within the hour", budget(f))
		case then.Stage == lifecycle.AccessExpired && !then.Next.IsZero():
			t.note(then.Next, "the data of grant %s %s, after %d grace days", g.Name, goes(g), g.Spec.Lifetime.Grace())
		case then.Stage == lifecycle.DataExpired:
			t.note(now.Next, "the data of grant %s %s together with the access", g.Name, goes(g))
		}
	case now.Stage == lifecycle.AccessExpired && !now.Next.IsZero():
		t.note(now.Next, "the data of grant %s %s, after %d grace days", g.Name, goes(g), g.Spec.Lifetime.Grace())
	}
	revoked := lifecycle.RevokedFrom(g, f.beside, r.now)
	if !revoked.Next.IsZero() {
		t.note(revoked.Next, "what protects grant %s from a revocation ends", g.Name)
	}
	for name, by := range revoked.Namespaces {
		if by.DataEndsAt.After(r.now) {
			t.note(by.DataEndsAt, "namespace %s, revoked by completion %s, is deleted at the earliest", name,
				by.Completion)
		}
	}
}

func goes(g *v1alpha1.Grant) string {
	if g.Spec.OnRevoke == v1alpha1.RemovalRetain {
		return "is kept"
	}
	return "is deleted"
}

func budget(f *facts) int32 {
	if f.institution == nil {
		return 0
	}
	return f.institution.Spec.Budget()
}

// waits tells what a Grant waits for, and who or what helps.
func (r *reader) waits(told *grant, of *story, t *timeline) {
	if told.Phase == v1alpha1.GrantAwaitingApproval {
		t.note(time.Time{}, "grant %s waits until a person approves it: kubectl course approve %s -n %s --reason REASON",
			told.Name, told.Name, r.namespace)
	}
	for _, seat := range told.Seats {
		if seat.Place == 0 {
			continue
		}
		if p := r.pools[v1alpha1.LocalName(seat.Pool)]; p != nil && !p.frees.IsZero() {
			t.note(p.frees, "the first known end of access frees a seat of pool %s; grant %s has place %d in the queue",
				seat.Pool, told.Name, seat.Place)
		} else {
			t.note(time.Time{}, "grant %s waits for a seat of pool %s; no holder of a seat has a known end", told.Name,
				seat.Pool)
		}
	}
	if len(told.Held) > 0 && of.Institution.Brake != nil {
		t.note(time.Time{}, "grant %s waits until a person releases the brake: %s", told.Name, of.Institution.Brake.Release)
	}
}
