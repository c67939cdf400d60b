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
		"Completions by institution and course, the resulting Grants, and when access ends.", "now-7d").
		WithVariable(values("namespace", "Namespace", "completion_grants")).
		WithVariable(values("institution", "Institution", `completion_grants{namespace=~"$namespace"}`))
	row(d, "Now",
		figure("Completions stored", "In the selected time range.", number, "sum("+stored("$__range")+")", 0),
		figure("Grants activated", "In the selected time range.", number,
			"sum("+changed("active", "$__range")+")", 0),
		figure("Active Grants", "Everything granted is in place now.", number,
			`sum(max by (namespace, institution) (completion_grants{namespace=~"$namespace",`+
				`institution=~"$institution",phase="Active"}))`, 0),
		figure("Paused revocations", "The brake paused them: an administrator must decide.", number,
			`sum(max by (namespace, institution) (completion_revocations_held`+chosen+`))`, 1))
	row(d, "Completions and Grants over time",
		hourly("Completions by institution", "Per hour.",
			query{"sum by (namespace, institution) (" + stored("1h") + ")", "{{namespace}}/{{institution}}"}).Span(2*half),
		hourly("Completions by course", "Per hour. \"other\" stands for courses that no policy names.",
			query{"sum by (course) (" + stored("1h") + ")", "{{course}}"}),
		hourly("Changes of Grants", "Per hour: made, active (everything is in place), ended, revoked (by a person).",
			query{"sum by (change) (" + changed(".+", "1h") + ")", "{{change}}"}),
		hourly("Grants activated, by policy", "Per hour. Without a name: made by hand.",
			query{"sum by (policy) (" + changed("active", "1h") + ")", "{{policy}}"}),
		hourly("Grants ended, by policy", "Per hour, including Grants revoked by a person.",
			query{"sum by (policy) (" + changed("ended|revoked", "1h") + ")", "{{policy}}"}))
	row(d, "Current state",
		stacked("Grants by phase", "", query{"sum by (phase) (" + grants + ")", "{{phase}}"}),
		lines("Stored completions by course", "", number, query{
			"sum by (course) (max by (namespace, institution, course) (completion_completions" + chosen + "))", "{{course}}"}))
	row(d, "Seats",
		lines("Seats taken", "", number,
			query{"max by (namespace, pool) (completion_seats_taken" + inPool + ")", "{{namespace}}/{{pool}}"},
			query{"max by (namespace, pool) (completion_seats" + inPool + ")", "{{namespace}}/{{pool}} capacity"}),
		lines("Grants waiting for a seat", "", number,
			query{"max by (namespace, pool) (completion_seats_waiting" + inPool + ")", "{{namespace}}/{{pool}}"}))
	row(d, "Upcoming ends of access",
		figure("Within 7 days", "Grants whose access is due to end.", number, "sum("+ending("7d")+")", 0),
		figure("Within 30 days", "Grants whose access is due to end.", number, "sum("+ending("30d")+")", 0),
		lines("Upcoming ends of access, by institution", "Grants whose access is due to end within 30 days.", number,
			query{ending("30d"), "{{namespace}}/{{institution}}"}))
	return d
}
