// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package exceptions

import (
	"errors"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/lifecycle"
)

// order is what somebody orders for Grants.
type order struct {
	verb   verb
	reason string
	until  until
	// shorten lets an end come sooner than it would.
	shorten bool
}

// decision is what an order does to one Grant.
type decision struct {
	// effect says what becomes of it, for people.
	effect string
	// done means that it is so already.
	done bool
	// override is what the Grant is to have; nil for none.
	override *v1alpha1.GrantOverride
}

// errConcernsNot means that an order makes no sense for a Grant. A selector leaves such a Grant out.
var errConcernsNot = errors.New("")

// concernsNot returns an error that is errConcernsNot.
func concernsNot(format string, args ...any) error {
	return fmt.Errorf(format+"%w", append(args, errConcernsNot)...)
}

// decide works out what an order does to a Grant. The times that it says are those of the institution's zone.
func (o order) decide(grant *v1alpha1.Grant, zone *time.Location, now time.Time) (decision, error) {
	if !grant.DeletionTimestamp.IsZero() {
		return decision{}, concernsNot("is being deleted")
	}
	end := lifecycle.StateOf(grant, now)
	switch o.verb {
	case approve:
		return o.approve(grant, end, zone)
	case revoke:
		return o.revoke(grant, end, zone, now)
	case extend:
		return o.extend(grant, end, zone, now)
	}
	return o.restore(grant, zone, now)
}

func (o order) approve(grant *v1alpha1.Grant, end lifecycle.State, zone *time.Location) (decision, error) {
	override := grant.Spec.Override
	switch {
	case override.Approved != nil:
		return decision{done: true, effect: "is already approved"}, nil
	case end.Revoked:
		return decision{}, concernsNot("was revoked (%s) and does not await approval: `kubectl course restore` restores it",
			override.Reason)
	case end.Stage > lifecycle.Active:
		return decision{}, concernsNot("ended %s and does not await approval: `kubectl course extend` extends it",
			endOf(grant, zone))
	case override.Until != nil:
		return decision{}, concernsNot("does not await approval: it was extended until %s, which approves it",
			show(override.Until.Time, zone))
	case end.Stage != lifecycle.AwaitingApproval:
		return decision{}, concernsNot("does not await approval: its policy needs none")
	}
	return decision{
		effect: "takes effect: user " + grant.Spec.Holder.UserID.String() + " gets " + beginning(
			grant,
		) + ", " + ends(
			grant,
			zone,
		),
		override: &v1alpha1.GrantOverride{Approved: new(true), Reason: o.reason},
	}, nil
}

func (o order) revoke(
	grant *v1alpha1.Grant, end lifecycle.State, zone *time.Location, now time.Time,
) (decision, error) {
	switch {
	case end.Revoked:
		return decision{done: true, effect: "is already revoked"}, nil
	case end.Stage > lifecycle.Active:
		return decision{}, concernsNot("ended %s: there is nothing to revoke", endOf(grant, zone))
	}
	effect := "loses " + holdings(grant) + " at once; " + dataGoes(grant, zone, now)
	if end.Stage == lifecycle.AwaitingApproval {
		effect = "is refused: it no longer awaits approval, and user " + grant.Spec.Holder.UserID.String() + " gets nothing"
	}
	return decision{effect: effect + replaced(grant, zone),
		override: &v1alpha1.GrantOverride{Revoked: new(true), Reason: o.reason}}, nil
}

func (o order) extend(
	grant *v1alpha1.Grant, end lifecycle.State, zone *time.Location, now time.Time,
) (decision, error) {
	to := o.until.in(zone)
	override := grant.Spec.Override
	switch {
	case !to.After(now):
		return decision{}, concernsNot("cannot be extended to %s, which is in the past: `kubectl course revoke` revokes it",
			show(to, zone))
	case to.After(last):
		return decision{}, concernsNot("cannot be extended beyond the year 9999")
	case end.Revoked:
		return decision{}, concernsNot(
			"was revoked (%s): restore it with `kubectl course restore` before extending it",
			override.Reason,
		)
	case override.Until != nil && override.Until.Time.Equal(to):
		return decision{done: true, effect: "ends " + show(to, zone) + " already"}, nil
	}
	effect := "ends " + show(to, zone)
	switch until, known := currentEnd(grant); {
	case end.Stage > lifecycle.Active:
		effect = "ended " + endOf(grant, zone) + ", and gets it back until " + show(to, zone) + ": " + back(grant)
	case !known && !o.shorten:
		return decision{}, concernsNot("has no end: use --shorten to let it end %s", show(to, zone))
	case !known:
		effect += ", and had no end"
	case to.Before(until) && !o.shorten:
		return decision{}, concernsNot("ends %s, after %s: use --shorten to let it end sooner",
			show(until, zone), show(to, zone))
	case to.Before(until):
		effect += ", sooner than " + show(until, zone)
	default:
		effect += " instead of " + show(until, zone)
	}
	if end.Stage == lifecycle.AwaitingApproval {
		effect += "; this also approves it"
	}
	if override.Until == nil {
		effect += replaced(grant, zone)
	}
	return decision{effect: effect,
		override: &v1alpha1.GrantOverride{Until: new(metav1.NewTime(to)), Reason: o.reason}}, nil
}

// restore takes an override away, and says what the Grant is without it.
func (o order) restore(grant *v1alpha1.Grant, zone *time.Location, now time.Time) (decision, error) {
	if grant.Spec.Override == (v1alpha1.GrantOverride{}) {
		return decision{}, concernsNot("has no override: nobody approved, revoked or extended it")
	}
	before := lifecycle.StateOf(grant, now)
	without := grant.DeepCopy()
	without.Spec.Override = v1alpha1.GrantOverride{}
	after := lifecycle.StateOf(without, now)
	what := "the revocation"
	switch {
	case grant.Spec.Override.Approved != nil:
		what = "the approval"
	case grant.Spec.Override.Until != nil:
		what = "the end " + show(grant.Spec.Override.Until.Time, zone)
	}
	effect := "undoes " + what + " (" + grant.Spec.Override.Reason + "): "
	had := before.Stage == lifecycle.Active
	switch {
	case after.Paused:
		effect += "it ended " + endOf(without, zone) + ", but keeps what it has until the brake is released"
	case after.Stage == lifecycle.AwaitingApproval && had:
		effect += "it awaits approval again; access ends at once, the data is kept"
	case after.Stage == lifecycle.AwaitingApproval:
		effect += "it awaits approval"
	case after.Stage == lifecycle.Active && had:
		effect += "it " + ends(without, zone)
	case after.Stage == lifecycle.Active:
		effect += "gives " + holdings(grant) + " back, " + ends(without, zone) + ": " + back(grant)
	case had:
		effect += "it ended " + endOf(without, zone) + ", so it loses " + holdings(grant) + " at once; " +
			dataGoes(without, zone, now)
	default:
		effect += "it gets nothing back, since it ended " + endOf(without, zone)
	}
	return decision{effect: effect}, nil
}
