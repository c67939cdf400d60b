// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package why

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/lifecycle"
	"github.com/lxp-dev/course-completion-operator/internal/plan"
)

// grantStory says everything about a Grant.
func (r *reader) grantStory(ctx context.Context, f *facts, g *v1alpha1.Grant) (grant, error) {
	told := grant{
		Name: g.Name, Policy: string(g.Spec.Policy), Phase: g.Status.Phase, Required: g.Spec.RequiredCourseIDs,
		End: f.endOf(g), Override: f.overrideOf(g), Causes: f.causesOf(g), Gives: r.givenBy(g),
		Objects: r.inventory(ctx, g), Held: f.heldBack(g, r),
	}
	if ready := meta.FindStatusCondition(g.Status.Conditions, v1alpha1.ConditionReady); ready != nil {
		told.Reason, told.Message = ready.Reason, ready.Message
	}
	revoked := lifecycle.RevokedFrom(g, f.beside, r.now)
	for _, pool := range slices.Sorted(maps.Keys(revoked.Seats)) {
		told.Revoked = append(told.Revoked, fmt.Sprintf("the seat of pool %s, by completion %s (grant %s)", pool,
			revoked.Seats[pool].Completion, revoked.Seats[pool].Grant))
	}
	for _, name := range slices.Sorted(maps.Keys(revoked.Namespaces)) {
		by := revoked.Namespaces[name]
		what := fmt.Sprintf("namespace %s, by completion %s (grant %s)", name, by.Completion, by.Grant)
		if !by.DataEndsAt.IsZero() {
			what += "; deleted at " + text(f.in(by.DataEndsAt)) + " at the earliest"
		}
		told.Revoked = append(told.Revoked, what)
	}
	told.Revokes = revokedBy(g)
	if err := r.seatsOfGrant(ctx, f, g, &revoked, &told); err != nil {
		return told, err
	}
	told.Access = accessOf(g, lifecycle.Foresee(g, r.now))
	told.Answer = r.answerOf(g, &told)
	return told, nil
}

// accessOf says how much of a Grant its holder has.
func accessOf(g *v1alpha1.Grant, decision lifecycle.Decision) access {
	has := len(g.Status.Inventory)+len(g.Status.Seats) > 0
	switch phase := g.Status.Phase; {
	case decision.Action == lifecycle.EndAccess || phase == v1alpha1.GrantEnded || phase == v1alpha1.GrantRevoked:
		return accessNone
	case !has && plan.Blank(g):
		return accessNone
	case phase == v1alpha1.GrantActive:
		return accessAll
	case !has:
		return accessNone
	case decision.Asks(v1alpha1.RevocationAccessEnd), phase == v1alpha1.GrantSuspended:
		return accessAll
	}
	return accessPart
}

// seatsOfGrant says of each seat that a Grant asks for whether it has it, or where it waits.
func (r *reader) seatsOfGrant(
	ctx context.Context, f *facts, g *v1alpha1.Grant, revoked *lifecycle.Revoked, told *grant,
) error {
	entitled := lifecycle.Foresee(g, r.now).Action != lifecycle.EndAccess
	for _, asked := range g.Spec.Seats {
		held := slices.IndexFunc(g.Status.Seats, func(s v1alpha1.HeldSeat) bool { return s.Pool == asked.Pool })
		_, lost := revoked.Seats[asked.Pool]
		switch {
		case held >= 0:
			number := g.Status.Seats[held].Number
			name := v1alpha1.SeatName(string(asked.Pool), *number)
			one := seat{Pool: string(asked.Pool), Number: number, Message: "seat " + name}
			if there, known := f.seats[name]; known && (there == nil || string(there.Spec.Grant) != g.Name) {
				one.Message += ", which is gone: the grant is about to notice"
			} else if there != nil {
				one.Message += ", since " + text(f.in(there.CreationTimestamp.Time))
			}
			told.Seats = append(told.Seats, one)
		case lost:
			told.Seats = append(told.Seats, seat{Pool: string(asked.Pool), Message: "revoked by a completion"})
		case entitled:
			one, err := r.seatOf(ctx, g, asked.Pool)
			if err != nil {
				return err
			}
			told.Seats = append(told.Seats, one)
		default:
			told.Seats = append(told.Seats, seat{Pool: string(asked.Pool), Message: "none, and none is waited for"})
		}
	}
	return nil
}

// endOf says when access ends, and what decides that.
func (f *facts) endOf(g *v1alpha1.Grant) end {
	override := &g.Spec.Override
	switch {
	case override.Revoked != nil && *override.Revoked:
		return end{Reason: "Revoked", Message: "a person revoked it: " + override.Reason}
	case override.Until != nil:
		return end{At: f.in(override.Until.Time), Reason: "Override", Message: "a person set it: " + override.Reason}
	case g.Spec.AccessEndsAt == nil:
		return end{Message: "does not end by itself"}
	}
	told := end{At: f.in(g.Spec.AccessEndsAt.Time)}
	decides := plan.Decider(&g.Spec)
	if decides == nil {
		told.Message = "as the grant records"
		return told
	}
	told.Reason, told.Completion = string(decides.End), string(decides.Completion)
	told.Message = f.whyEnds(g, decides)
	return told
}

// whyEnds says which limit ends a cause.
func (f *facts) whyEnds(g *v1alpha1.Grant, c *v1alpha1.GrantCause) string {
	completion := f.stored(string(c.Completion))
	switch c.End {
	case v1alpha1.CauseEnrollmentExpired:
		if completion != nil && completion.Spec.Enrollment.DateExpire != "" {
			return fmt.Sprintf("the enrollment of completion %s ends with %s", c.Completion,
				completion.Spec.Enrollment.DateExpire)
		}
		return fmt.Sprintf("the enrollment of completion %s ends", c.Completion)
	case v1alpha1.CauseMaximumReached:
		return fmt.Sprintf("maxDays: %d of the policy, from %s, when completion %s was sent first", g.Spec.Lifetime.MaxDays,
			text(f.in(c.First().Time)), c.Completion)
	case v1alpha1.CauseUntilReached:
		return fmt.Sprintf("lifetime.until: %s of the policy", g.Spec.Lifetime.Until)
	case v1alpha1.CauseEnrollmentInactive:
		return fmt.Sprintf("a delivery says that the enrollment of completion %s is inactive", c.Completion)
	case v1alpha1.CauseWithdrawn:
		return fmt.Sprintf("completion %s was deleted", c.Completion)
	case v1alpha1.CausePolicyRemoved:
		return fmt.Sprintf("policy %s was deleted", g.Spec.Policy)
	case v1alpha1.CauseNotMatched:
		return fmt.Sprintf("policy %s no longer matches completion %s", g.Spec.Policy, c.Completion)
	}
	return string(c.End)
}

func (f *facts) overrideOf(g *v1alpha1.Grant) *override {
	said := &g.Spec.Override
	told := &override{Reason: said.Reason}
	switch {
	case said.Approved != nil:
		told.Kind = "approved"
	case said.Revoked != nil:
		told.Kind = "revoked"
	case said.Until != nil:
		told.Kind, told.Until = "until", f.in(said.Until.Time)
	default:
		return nil
	}
	return told
}

// causesOf returns the causes of a Grant in the order of time.
func (f *facts) causesOf(g *v1alpha1.Grant) []cause {
	decides := plan.Decider(&g.Spec)
	var causes []cause
	for i := range g.Spec.Causes {
		c := &g.Spec.Causes[i]
		told := cause{
			Completion: string(c.Completion), FirstSentAt: f.in(c.First().Time), SentAt: f.in(c.SentAt.Time),
			End: string(c.End), Stored: f.stored(string(c.Completion)) != nil,
			Decides: decides != nil && decides.Completion == c.Completion,
		}
		if c.EndsAt != nil {
			told.EndsAt = f.in(c.EndsAt.Time)
		}
		causes = append(causes, told)
	}
	slices.SortFunc(causes, func(a, b cause) int {
		return cmp.Or(a.FirstSentAt.Compare(b.FirstSentAt), cmp.Compare(a.Completion, b.Completion))
	})
	return causes
}

// givenBy says who has access to which namespace. Who that is, is personal data.
func (r *reader) givenBy(g *v1alpha1.Grant) []given {
	var all []given
	for i := range g.Spec.Namespaces {
		ns := &g.Spec.Namespaces[i]
		for _, access := range ns.Access {
			told := given{Namespace: ns.Name, ClusterRole: access.ClusterRole, Count: len(access.Subjects)}
			for _, subject := range access.Subjects {
				if r.personal {
					told.Subjects = append(told.Subjects, string(subject.Kind)+" "+subject.Name)
				}
			}
			all = append(all, told)
		}
		if len(ns.Access) == 0 {
			all = append(all, given{Namespace: ns.Name})
		}
	}
	return all
}

// heldBack says what the brake of the institution holds back of a Grant.
func (f *facts) heldBack(g *v1alpha1.Grant, r *reader) []string {
	if !lifecycle.WaitsForBrake(g, r.now) {
		return nil
	}
	var held []string
	asked := lifecycle.Foresee(g, r.now)
	if asked.Asks(v1alpha1.RevocationAccessEnd) {
		held = append(held, "the end of access, "+text(f.in(g.Spec.AccessEndsAt.Time)))
	}
	if asked.Asks(v1alpha1.RevocationEndForward) {
		held = append(held, "that a delivery brought the end of access forward to "+text(f.in(g.Spec.AccessEndsAt.Time)))
	}
	if g.Status.AccessChangeDigest != "" {
		held = append(held, "a change of who has access")
	}
	if g.Status.RevocationsKnownAt != nil {
		var names []string
		for _, ns := range g.Spec.Revokes.Namespaces {
			names = append(names, ns.Name)
		}
		held = append(held, "the revocation of namespace "+strings.Join(names, ", "))
	}
	return held
}

// revokedBy says what a Grant revokes from others of its holder.
func revokedBy(g *v1alpha1.Grant) []string {
	if !lifecycle.RevokesNow(g) {
		return nil
	}
	var revokes []string
	for _, seat := range g.Spec.Revokes.Seats {
		revokes = append(revokes, fmt.Sprintf("a seat of pool %s", seat.Pool))
	}
	for _, ns := range g.Spec.Revokes.Namespaces {
		revokes = append(revokes, fmt.Sprintf("namespace %s", ns.Name))
	}
	if complete := meta.FindStatusCondition(g.Status.Conditions, v1alpha1.ConditionRevocationsComplete); complete != nil {
		revokes = append(revokes, "so far: "+complete.Reason+": "+complete.Message)
	}
	return revokes
}
