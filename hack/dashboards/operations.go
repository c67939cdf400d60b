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
		"Deliveries, inboxes, loops and safety checks of both programs.", "now-6h").
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
		figure("Acknowledged late", "Share of the last hour's deliveries that took more than a second or failed.", share,
			"max("+in("completion:deliveries_late:ratio1h")+")", 0.0144),
		figure("Granted late", "Share of the last hour's completions that took more than five seconds.", share,
			"max("+in("completion:grants_late:ratio1h")+")", 0.144),
		figure("Oldest delivery in an inbox", "How long it has been waiting.", seconds,
			"max(time() - ("+in("completion_inbox_oldest_timestamp_seconds")+" > 0)) or vector(0)", 900),
		figure("Deliveries lost in the last hour", "Answered 503 or 500: ask the platform to send them again.", number,
			"sum(increase("+in("completion_deliveries_total", `outcome=~"unavailable|failed"`)+"[1h])) or vector(0)", 1),
		lines("Late deliveries and Grants", "Share over one hour. The monthly error budgets are 0.1 % and 1 %.", share,
			query{in("completion:deliveries_late:ratio1h"), "acknowledged after more than a second"},
			query{in("completion:grants_late:ratio1h"), "granted after more than five seconds"}),
		lines("Time from delivery to access", "How long graduates wait.", seconds,
			quantiles("completion_grant_duration_seconds")...))
}

func rowDeliveries(d *dashboard.DashboardBuilder) {
	row(d, "Deliveries",
		lines("Deliveries by outcome", "", perSec, query{rate("outcome", "completion_deliveries_total"), "{{outcome}}"}),
		lines("Deliveries refused or lost, by reason", "", perSec, query{
			rate("outcome, reason", "completion_deliveries_total", `outcome=~"refused|unavailable|failed"`),
			"{{outcome}}: {{reason}}"}),
		lines("Response time", "Acknowledged deliveries only.", seconds,
			quantiles("completion_delivery_duration_seconds", `outcome!~"refused|checked"`)...),
		lines("Rejected calls", "Wrong or missing tokens, by reason, and calls beyond a limit.", perSec,
			query{rate("reason", "completion_rejected_authentications_total"), "{{reason}}"},
			query{rate("limit", "completion_throttled_total"), "throttled: {{limit}}"}),
		lines("Ignored events", "Acknowledged but not stored, by slug.", perSec,
			query{rate("slug", "completion_ignored_events_total"), "{{slug}}"}),
		lines("Open connections", "Of the webhook, by replica.", number,
			query{"sum by (pod) (" + in("completion_connections") + ")", "{{pod}}"}),
		lines("Unknown fields and failed audit records",
			"Fields outside the contract, and audit records that could not be written to the audit log.", perSec,
			query{rate("pod", "completion_delivery_unknown_fields_total"), "{{pod}}: unknown fields"},
			query{rate("pod", "completion_audit_failures_total"), "{{pod}}: audit records"}))
}

func rowInbox(d *dashboard.DashboardBuilder) {
	row(d, "Inbox",
		lines("Waiting deliveries and dead letters", "By replica.", number,
			query{in("completion_inbox_records"), "{{pod}} waiting"},
			query{in("completion_inbox_dead_letters"), "{{pod}} dead letters"}),
		lines("Inbox usage", "Share of its limit. A single institution can fill half of an inbox.", share,
			query{in("completion_inbox_bytes") + " / " + in("completion_inbox_max_bytes"), "{{pod}}"}),
		lines("Drain attempts", "Attempts to store waiting deliveries, by outcome.", perSec,
			query{rate("outcome", "completion_inbox_drained_total"), "{{outcome}}"}),
		lines("Records retried, dropped or expired", "By people, and dead letters whose retention ended.", perSec,
			query{rate("action", "completion_inbox_administered_total"), "{{action}}"},
			query{"sum(rate(" + in("completion_inbox_expired_total") + "[$__rate_interval]))", "expired"}),
		lines("Age of the snapshot of Institutions",
			"Time since the API server confirmed it. After 24 hours, a restart does not use it.", seconds,
			query{"time() - (" + in("completion_snapshot_timestamp_seconds") + " > 0)", "{{pod}}"}),
		lines("Failing disks", "1 while an inbox cannot be written to.", number,
			query{in("completion_inbox_failing"), "{{pod}}"}))
}

func rowLoops(d *dashboard.DashboardBuilder) {
	row(d, "Loops",
		lines("Queue length", "Keys waiting, by loop.", number,
			query{"sum by (controller) (" + in("workqueue_depth") + ")", "{{controller}}"}),
		lines("Time in the queue", "99th percentile, by loop.", seconds, query{"histogram_quantile(0.99, " +
			rate("le, controller", "workqueue_queue_duration_seconds_bucket") + ")", "{{controller}}"}),
		lines("Reconciliations", "By loop.", perSec,
			query{rate("controller", "controller_runtime_reconcile_total"), "{{controller}}"}),
		lines("Failed reconciliations", "Errors and timeouts. They are retried.", perSec,
			query{rate("controller", "controller_runtime_reconcile_errors_total"), "{{controller}} failed"},
			query{rate("controller", "controller_runtime_reconcile_timeouts_total"), "{{controller}} timed out"}),
		lines("Reconciliation time", "99th percentile, by loop.", seconds, query{"histogram_quantile(0.99, " +
			rate("le, controller", "controller_runtime_reconcile_time_seconds_bucket") + ")", "{{controller}}"}),
		lines("Requests to the API server", "By status code. 4xx and 5xx are errors; some 404 and 409 are normal.", perSec,
			query{rate("job, code", "rest_client_requests_total"), "{{job}} {{code}}"}))
}

func rowSafety(d *dashboard.DashboardBuilder) {
	const everywhere = `namespace=~".+"`
	row(d, "Safety",
		lines("Paused revocations", "By institution. The Installation filter does not apply.", number, query{
			"max by (namespace, institution) (completion_revocations_held{" + everywhere + "}) > 0 or " +
				"max by (namespace, institution) (completion_brake_tripped{" + everywhere + "})", "{{namespace}}/{{institution}}"}),
		lines("Admission policies in place", "0 means missing.", number,
			query{"min by (policy) (" + in("completion_admission_policy_in_place") + ")", "{{policy}}"}),
		lines("Kinds that cannot be watched", "1 while a program cannot list or watch the kind.", number,
			query{"max by (pod, kind) (" + in("completion_informer_failing") + ")", "{{pod}} {{kind}}"}),
		lines("Objects that cannot be decoded", "", number,
			query{"max by (kind) (" + in("completion_undecodable_objects") + ")", "{{kind}}"}))
}

func rowPrograms(d *dashboard.DashboardBuilder) {
	row(d, "Programs",
		lines("CPU", "", number, query{rate("pod", "process_cpu_seconds_total"), "{{pod}}"}),
		lines("Memory", "", octets, query{"sum by (pod) (" + in("process_resident_memory_bytes") + ")", "{{pod}}"}),
		lines("Goroutines", "", number, query{"sum by (pod) (" + in("go_goroutines") + ")", "{{pod}}"}),
		lines("Leader", "1 for the leader.", number,
			query{"max by (pod) (" + in("leader_election_master_status") + ")", "{{pod}}"}))
}
