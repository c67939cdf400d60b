// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"strings"

	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

// in narrows a metric to the installations that are chosen, and what else is said.
func in(metric string, matchers ...string) string {
	return metric + "{" + strings.Join(append([]string{`namespace=~"$namespace"`}, matchers...), ",") + "}"
}

// rate sums the rate of a counter by labels.
func rate(by, metric string, matchers ...string) string {
	return fmt.Sprintf("sum by (%s) (rate(%s[$__rate_interval]))", by, in(metric, matchers...))
}

// quantiles returns three quantiles of a histogram.
func quantiles(histogram string, matchers ...string) []query {
	var found []query
	for _, q := range []string{"0.5", "0.95", "0.99"} {
		expr := fmt.Sprintf("histogram_quantile(%s, %s)", q, rate("le", histogram+"_bucket", matchers...))
		found = append(found, query{expr, "quantile " + q})
	}
	return found
}

// operations is the dashboard of those who look after the installation.
func operations() *dashboard.DashboardBuilder {
	d := page("completion-operations", "Course completions: operations",
		"Both programs: what is delivered, what waits, what the loops do, and what needs somebody.", "now-6h").
		WithVariable(values("namespace", "Installation", "completion_inbox_records"))
	rowServiceLevels(d)
	rowDeliveries(d)
	rowInbox(d)
	rowLoops(d)
	rowSafety(d)
	rowPrograms(d)
	return d
}

func rowServiceLevels(d *dashboard.DashboardBuilder) {
	row(d, "Service levels",
		figure("Acknowledged late", "Share of the last hour's deliveries that took more than a second, or failed.", share,
			"max("+in("completion:deliveries_late:ratio1h")+")", 0.0144),
		figure("Granted late", "Share of the last hour's completions that waited more than five seconds.", share,
			"max("+in("completion:grants_late:ratio1h")+")", 0.144),
		figure("Oldest delivery in an inbox", "How long it has waited.", seconds,
			"max(time() - ("+in("completion_inbox_oldest_timestamp_seconds")+" > 0)) or vector(0)", 900),
		figure("Deliveries lost in the last hour", "Answered 503 or 500: ask the platform to send them again.", number,
			"sum(increase("+in("completion_deliveries_total", `outcome=~"unavailable|failed"`)+"[1h])) or vector(0)", 1),
		lines("Late", "Over an hour. The budgets of the month are 0.1 % and 1 %.", share,
			query{in("completion:deliveries_late:ratio1h"), "acknowledged after more than a second"},
			query{in("completion:grants_late:ratio1h"), "granted after more than five seconds"}),
		lines("From delivery to grant", "How long graduates wait for what they are granted.", seconds,
			quantiles("completion_grant_duration_seconds")...))
}

func rowDeliveries(d *dashboard.DashboardBuilder) {
	row(d, "Deliveries",
		lines("Deliveries by outcome", "", perSec, query{rate("outcome", "completion_deliveries_total"), "{{outcome}}"}),
		lines("Not taken, by reason", "Refused, or lost.", perSec, query{
			rate("outcome, reason", "completion_deliveries_total", `outcome=~"refused|unavailable|failed"`),
			"{{outcome}}: {{reason}}"}),
		lines("Time to the answer", "Of what was acknowledged.", seconds,
			quantiles("completion_delivery_duration_seconds", `outcome!~"refused|checked"`)...),
		lines("Not let in", "Wrong or missing tokens by reason, and what came too fast.", perSec,
			query{rate("reason", "completion_rejected_authentications_total"), "{{reason}}"},
			query{rate("limit", "completion_throttled_total"), "too fast: {{limit}}"}),
		lines("Other events", "Of which nothing is stored, by slug.", perSec,
			query{rate("slug", "completion_ignored_events_total"), "{{slug}}"}),
		lines("Connections", "Of the webhook.", number,
			query{"sum by (pod) (" + in("completion_connections") + ")", "{{pod}}"}),
		lines("Oddities", "Fields that the contract does not know, and audit records that were not taken.", perSec,
			query{rate("pod", "completion_delivery_unknown_fields_total"), "{{pod}}: unknown fields"},
			query{rate("pod", "completion_audit_failures_total"), "{{pod}}: audit records"}))
}

func rowInbox(d *dashboard.DashboardBuilder) {
	row(d, "Inbox",
		lines("Waiting", "Deliveries that the API server did not take, by replica.", number,
			query{in("completion_inbox_records"), "{{pod}} waiting"},
			query{in("completion_inbox_dead_letters"), "{{pod}} dead letters"}),
		lines("Room", "How much of its bound each inbox uses. At a half, an institution that has it all is refused.", share,
			query{in("completion_inbox_bytes") + " / " + in("completion_inbox_max_bytes"), "{{pod}}"}),
		lines("Drain", "Attempts to store what waits, by outcome.", perSec,
			query{rate("outcome", "completion_inbox_drained_total"), "{{outcome}}"}),
		lines("Decided by people, or expired", "Dead letters.", perSec,
			query{rate("action", "completion_inbox_administered_total"), "{{action}}"},
			query{"sum(rate(" + in("completion_inbox_expired_total") + "[$__rate_interval]))", "expired"}),
		lines("Age of what is known of institutions",
			"Since the API server confirmed it. After 24 hours a restart knows none.", seconds,
			query{"time() - (" + in("completion_snapshot_timestamp_seconds") + " > 0)", "{{pod}}"}),
		lines("Failing disks", "1 while an inbox cannot be written.", number,
			query{in("completion_inbox_failing"), "{{pod}}"}))
}

func rowLoops(d *dashboard.DashboardBuilder) {
	row(d, "Loops",
		lines("Waiting", "What each loop has still to look at.", number,
			query{"sum by (controller) (" + in("workqueue_depth") + ")", "{{controller}}"}),
		lines("Time until it is looked at", "99th percentile.", seconds, query{"histogram_quantile(0.99, " +
			rate("le, controller", "workqueue_queue_duration_seconds_bucket") + ")", "{{controller}}"}),
		lines("Looks", "By loop.", perSec,
			query{rate("controller", "controller_runtime_reconcile_total"), "{{controller}}"}),
		lines("Looks that failed or ran out of time", "They are repeated.", perSec,
			query{rate("controller", "controller_runtime_reconcile_errors_total"), "{{controller}} failed"},
			query{rate("controller", "controller_runtime_reconcile_timeouts_total"), "{{controller}} out of time"}),
		lines("Time of a look", "99th percentile.", seconds, query{"histogram_quantile(0.99, " +
			rate("le, controller", "controller_runtime_reconcile_time_seconds_bucket") + ")", "{{controller}}"}),
		lines("Requests to the API server", "By answer: 4xx and 5xx are errors, 409 and 404 among them are usual.", perSec,
			query{rate("job, code", "rest_client_requests_total"), "{{job}} {{code}}"}))
}

func rowSafety(d *dashboard.DashboardBuilder) {
	const everywhere = `namespace=~".+"`
	row(d, "Safety",
		lines("Revocations held back", "By institution. Not narrowed to the installation.", number, query{
			"max by (namespace, institution) (completion_revocations_held{" + everywhere + "}) > 0 or " +
				"max by (namespace, institution) (completion_brake_tripped{" + everywhere + "})", "{{namespace}}/{{institution}}"}),
		lines("Admission policies in place", "0 where one is missing.", number,
			query{"min by (policy) (" + in("completion_admission_policy_in_place") + ")", "{{policy}}"}),
		lines("Kinds that cannot be watched", "1 while a program cannot list or watch a kind.", number,
			query{"max by (pod, kind) (" + in("completion_informer_failing") + ")", "{{pod}} {{kind}}"}),
		lines("Objects that do not decode", "", number,
			query{"max by (kind) (" + in("completion_undecodable_objects") + ")", "{{kind}}"}))
}

func rowPrograms(d *dashboard.DashboardBuilder) {
	row(d, "Programs",
		lines("CPU", "", number, query{rate("pod", "process_cpu_seconds_total"), "{{pod}}"}),
		lines("Memory", "", octets, query{"sum by (pod) (" + in("process_resident_memory_bytes") + ")", "{{pod}}"}),
		lines("Goroutines", "", number, query{"sum by (pod) (" + in("go_goroutines") + ")", "{{pod}}"}),
		lines("Leader", "1 for the replica that leads.", number,
			query{"max by (pod) (" + in("leader_election_master_status") + ")", "{{pod}}"}))
}
