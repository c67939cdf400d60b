// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package exceptions

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/plan"
)

// currentEnd returns when access ends, as an override or the causes say.
func currentEnd(grant *v1alpha1.Grant) (time.Time, bool) {
	switch {
	case grant.Spec.Override.Until != nil:
		return grant.Spec.Override.Until.Time, true
	case grant.Spec.AccessEndsAt != nil:
		return grant.Spec.AccessEndsAt.Time, true
	}
	return time.Time{}, false
}

func endOf(grant *v1alpha1.Grant, zone *time.Location) string {
	at, _ := currentEnd(grant)
	return show(at, zone)
}

// ends says when the access of a Grant ends.
func ends(grant *v1alpha1.Grant, zone *time.Location) string {
	if _, known := currentEnd(grant); !known {
		return "without an end"
	}
	return "until " + endOf(grant, zone)
}

// beginning says what the holder of a Grant gets that awaits approval; it is filled in once it is approved.
func beginning(grant *v1alpha1.Grant) string {
	if plan.Blank(grant) {
		return "what policy " + string(grant.Spec.Policy) + " grants"
	}
	return holdings(grant)
}

// holdings says what a Grant gives.
func holdings(grant *v1alpha1.Grant) string {
	var parts []string
	var names []string
	for _, ns := range grant.Spec.Namespaces {
		names = append(names, ns.Name)
	}
	for _, entry := range grant.Status.Inventory {
		if entry.Kind == "Namespace" && !slices.Contains(names, entry.Name) {
			names = append(names, entry.Name)
		}
	}
	if len(names) > 0 {
		parts = append(parts, "access to "+strings.Join(names, ", "))
	}
	var pools []string
	for _, seat := range grant.Spec.Seats {
		pools = append(pools, string(seat.Pool))
	}
	for _, seat := range grant.Status.Seats {
		if !slices.Contains(pools, string(seat.Pool)) {
			pools = append(pools, string(seat.Pool))
		}
	}
	if len(pools) > 0 {
		parts = append(parts, "its seat in "+strings.Join(pools, ", "))
	}
	if count := len(grant.Spec.Objects); count > 0 {
		parts = append(parts, plural(count, "object"))
	}
	switch {
	case len(parts) > 0:
		return strings.Join(parts, " and ")
	case grant.Planned():
		return "what policy " + string(grant.Spec.Policy) + " grants"
	}
	return "nothing"
}

// hasData reports whether a Grant has namespaces or objects, which are data.
func hasData(grant *v1alpha1.Grant) bool {
	return len(grant.Spec.Namespaces)+len(grant.Spec.Objects)+len(grant.Status.Inventory) > 0
}

// dataGoes says what becomes of the data of a Grant of which the access goes now.
func dataGoes(grant *v1alpha1.Grant, zone *time.Location, now time.Time) string {
	grace := grant.Spec.Lifetime.Grace()
	switch {
	case !hasData(grant):
		return "there is no data"
	case grant.Spec.OnRevoke == v1alpha1.RemovalRetain:
		return "the data is kept (onRevoke is Retain)"
	case grace == 0:
		return "ITS DATA IS DELETED AT ONCE (graceDays is 0)"
	}
	return "the data is deleted " + show(now.Add(time.Duration(grace)*24*time.Hour), zone)
}

// back says what of its data a Grant gets back.
func back(grant *v1alpha1.Grant) string {
	switch {
	case len(grant.Status.Inventory) > 0:
		return "its data is still there"
	case grant.Status.AccessEndedAt != nil && len(grant.Spec.Namespaces)+len(grant.Spec.Objects) == 0 &&
		len(grant.Spec.Seats) > 0:
		return "it has no data"
	}
	return "its data is gone, so it starts empty"
}

// replaced says which override an order replaces, for that one is lost.
func replaced(grant *v1alpha1.Grant, zone *time.Location) string {
	override := grant.Spec.Override
	switch {
	case override.Approved != nil:
		return "; replaces the approval (" + override.Reason + ")"
	case override.Until != nil:
		return "; replaces the end " + show(override.Until.Time, zone) + " (" + override.Reason + ")"
	}
	return ""
}

func plural(count int, what string) string {
	if count == 1 {
		return "1 " + what
	}
	return strconv.Itoa(count) + " " + what + "s"
}
