// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"

	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

// institutions is the dashboard of those who look after institutions: who graduates, and what that gives. Each replica
// of the controller-manager counts everything, so the largest of them is taken.
func institutions() *dashboard.DashboardBuilder {
	const (
		chosen = `{namespace=~"$namespace",institution=~"$institution"}`
		inPool = `{namespace=~"$namespace"}`
	)
	stored := func(within string) string {
		return fmt.Sprintf(`max by (namespace, institution, course) (increase(completion_completions_stored_total%s[%s]))`,
			chosen, within)
	}
	changed := func(change, within string) string {
		return fmt.Sprintf(`max by (namespace, institution, policy, change) (increase(completion_grant_changes_total`+
			`{namespace=~"$namespace",institution=~"$institution",change=~"%s"}[%s]))`, change, within)
	}
	grants := `max by (namespace, institution, phase) (completion_grants` + chosen + `)`
	ending := func(within string) string {
		return `max by (namespace, institution) (completion_grants_ending{namespace=~"$namespace",` +
			`institution=~"$institution",within="` + within + `"})`
	}
	d := page("completion-institutions", "Course completions: institutions",
		"The flow of graduates: who completes which course, what that grants, and when it ends.", "now-7d").
		WithVariable(values("namespace", "Namespace", "completion_grants")).
		WithVariable(values("institution", "Institution", `completion_grants{namespace=~"$namespace"}`))
	row(d, "Now",
		figure("Completions stored", "In the time that is shown.", number, "sum("+stored("$__range")+")", 0),
		figure("Grants that became active", "In the time that is shown.", number,
			"sum("+changed("active", "$__range")+")", 0),
		figure("Grants active", "Whose holders have everything now.", number,
			`sum(max by (namespace, institution) (completion_grants{namespace=~"$namespace",`+
				`institution=~"$institution",phase="Active"}))`, 0),
		figure("Revocations held back", "By the brake: somebody has to look.", number,
			`sum(max by (namespace, institution) (completion_revocations_held`+chosen+`))`, 1))
	row(d, "Flow of graduates",
		hourly("Completions by institution", "Each hour.",
			query{"sum by (namespace, institution) (" + stored("1h") + ")", "{{namespace}}/{{institution}}"}).Span(2*half),
		hourly("Completions by course", "Each hour. \"other\" are courses that no policy names.",
			query{"sum by (course) (" + stored("1h") + ")", "{{course}}"}),
		hourly("What became of Grants", "Each hour: made, active (everything is in place), ended, revoked (by a person).",
			query{"sum by (change) (" + changed(".+", "1h") + ")", "{{change}}"}),
		hourly("Grants that became active, by policy", "Each hour. Without a name: made by hand.",
			query{"sum by (policy) (" + changed("active", "1h") + ")", "{{policy}}"}),
		hourly("Grants that ended, by policy", "Each hour, those that a person revoked among them.",
			query{"sum by (policy) (" + changed("ended|revoked", "1h") + ")", "{{policy}}"}))
	row(d, "What there is",
		stacked("Grants by phase", "", query{"sum by (phase) (" + grants + ")", "{{phase}}"}),
		lines("Completions by course", "That are stored now.", number, query{
			"sum by (course) (max by (namespace, institution, course) (completion_completions" + chosen + "))", "{{course}}"}))
	row(d, "Seats",
		lines("Seats taken", "", number,
			query{"max by (namespace, pool) (completion_seats_taken" + inPool + ")", "{{namespace}}/{{pool}}"},
			query{"max by (namespace, pool) (completion_seats" + inPool + ")", "{{namespace}}/{{pool}} capacity"}),
		lines("Grants that wait for a seat", "", number,
			query{"max by (namespace, pool) (completion_seats_waiting" + inPool + ")", "{{namespace}}/{{pool}}"}))
	row(d, "Ends to come",
		figure("Within 7 days", "Grants whose access ends by itself.", number, "sum("+ending("7d")+")", 0),
		figure("Within 30 days", "Grants whose access ends by itself.", number, "sum("+ending("30d")+")", 0),
		lines("Ends to come, by institution", "Grants whose access ends by itself within 30 days.", number,
			query{ending("30d"), "{{namespace}}/{{institution}}"}))
	return d
}
