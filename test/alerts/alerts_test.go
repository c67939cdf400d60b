// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package alerts

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/promqltest"
	"github.com/prometheus/prometheus/rules"
	"github.com/prometheus/prometheus/storage"
)

// What the tests put into the database: a sample a minute, as most scrape.
const (
	counted = `namespace="completion-system",job="completion-webhook-server-metrics",pod="completion-webhook-server-0"`
	claim0  = `namespace="completion-system",persistentvolumeclaim="inbox-completion-webhook-server-0"`
	set     = `namespace="completion-system",statefulset="completion-webhook-server"`
	gib     = "1073741824"
	bothUp  = `
		up{namespace="completion-system",job="completion-webhook-server-metrics",pod="a"} 1x120
		up{namespace="completion-system",job="completion-controller-manager-metrics",pod="b"} 1x120`
)

// interval is how often rules are evaluated; each test runs for an hour and says when alerts have to be there.
const interval = time.Minute

type alertTest struct {
	name   string
	alert  string
	series string
	// at is when it is looked, after the start.
	at time.Duration
	// want are the alerts that fire then, by the label that tells them apart.
	want []string
}

var alertTests = []alertTest{
	{"the first delivery ever that is not kept", "CompletionDeliveriesNotKept",
		`completion_deliveries_total{` + counted + `,outcome="unavailable",reason="inbox-full"} _x20 1x60`,
		22 * time.Minute, []string{"inbox-full"}},
	{"another one", "CompletionDeliveriesNotKept",
		`completion_deliveries_total{` + counted + `,outcome="unavailable",reason="inbox-full"} 7x20 8x60`,
		22 * time.Minute, []string{"inbox-full"}},
	{"a defect", "CompletionDeliveriesNotKept",
		`completion_deliveries_total{` + counted + `,outcome="failed",reason="internal-error"} _x20 1x60`,
		22 * time.Minute, []string{"internal-error"}},
	{"one after the program began anew", "CompletionDeliveriesNotKept",
		`completion_deliveries_total{` + counted + `,outcome="unavailable",reason="inbox-full"} 7x10 _x20 1x60`,
		33 * time.Minute, []string{"inbox-full"}},
	{"long ago", "CompletionDeliveriesNotKept",
		`completion_deliveries_total{` + counted + `,outcome="unavailable",reason="inbox-full"} 7x20 8x60`,
		40 * time.Minute, nil},
	{"all is kept", "CompletionDeliveriesNotKept",
		`completion_deliveries_total{` + counted + `,outcome="created",reason="stored"} 0+10x60
		 completion_deliveries_total{` + counted + `,outcome="queued",reason="api-away"} 0+10x60
		 completion_deliveries_total{` + counted + `,outcome="refused",reason="unauthorized"} 0+10x60`,
		22 * time.Minute, nil},
	{"too fast", "CompletionDeliveriesThrottled",
		`completion_throttled_total{` + counted + `,limit="institution-rate"} _x20 1x60
		 completion_throttled_total{` + counted + `,limit="institution-places"} 0x20 3x60
		 completion_throttled_total{` + counted + `,limit="address-failures"} 0+5x60`,
		22 * time.Minute, []string{"institution-places", "institution-rate"}},
	{"against the contract", "CompletionDeliveriesRefused",
		`completion_deliveries_total{` + counted + `,outcome="refused",reason="invalid-delivery"} _x20 1x60
		 completion_deliveries_total{` + counted + `,outcome="refused",reason="unauthorized"} 0+5x60
		 completion_deliveries_total{` + counted + `,outcome="refused",reason="not-found"} 0+5x60`,
		22 * time.Minute, []string{"invalid-delivery"}},
	{"other events at the same URL", "CompletionDeliveriesRefused",
		`completion_deliveries_total{` + counted + `,outcome="ignored",reason="other-event"} 0+5x60
		 completion_ignored_events_total{` + counted + `,slug="member.updated"} 0+5x60`,
		22 * time.Minute, nil},
	{"no audit log", "CompletionAuditFailing",
		`completion_audit_failures_total{` + counted + `} 0x20 1x60`,
		22 * time.Minute, []string{"completion-webhook-server-0"}},
	{"an audit log", "CompletionAuditFailing",
		`completion_audit_failures_total{` + counted + `} 3x60`, 22 * time.Minute, nil},

	{"no webhook server", "CompletionProgramDown", `
		up{namespace="completion-system",job="completion-webhook-server-metrics",pod="a"} 1x20 _x60
		up{namespace="completion-system",job="completion-controller-manager-metrics",pod="b"} 1x60`,
		35 * time.Minute, []string{"completion-webhook-server-metrics"}},
	{"no controller-manager that answers", "CompletionProgramDown", `
		up{namespace="completion-system",job="completion-webhook-server-metrics",pod="a"} 1x60
		up{namespace="completion-system",job="completion-controller-manager-metrics",pod="b"} 1x20 0x60`,
		30 * time.Minute, []string{"completion-controller-manager-metrics"}},
	{"one of two is there", "CompletionProgramDown", bothUp + `
		up{namespace="completion-system",job="completion-webhook-server-metrics",pod="c"} 0x60`,
		30 * time.Minute, nil},
	{"one of two is down", "CompletionTargetDown", bothUp + `
		up{namespace="completion-system",job="completion-webhook-server-metrics",pod="c"} 0x60`,
		30 * time.Minute, []string{"c"}},
	{"both are there", "CompletionTargetDown", bothUp, 30 * time.Minute, nil},
	{"a replica that does not start", "CompletionWebhookServerNotReady",
		`kube_statefulset_status_replicas_ready{` + set + `} 2x10 1x60
		 kube_statefulset_replicas{` + set + `} 2x60`, 25 * time.Minute, []string{"completion-webhook-server"}},
	{"a replica that starts again", "CompletionWebhookServerNotReady",
		`kube_statefulset_status_replicas_ready{` + set + `} 2x10 1x5 2x60
		 kube_statefulset_replicas{` + set + `} 2x60`, 25 * time.Minute, nil},

	{"half full of one institution", "CompletionInboxFilling",
		`completion_inbox_bytes{` + counted + `} 460000000x60
		 completion_inbox_max_bytes{` + counted + `} ` + gib + `x60`,
		30 * time.Minute, []string{"completion-webhook-server-0"}},
	{"a third full", "CompletionInboxFilling",
		`completion_inbox_bytes{` + counted + `} 360000000x60
		 completion_inbox_max_bytes{` + counted + `} ` + gib + `x60`, 30 * time.Minute, nil},
	{"a disk that fails", "CompletionInboxFailing", `completion_inbox_failing{` + counted + `} 1x60`,
		30 * time.Minute, []string{"completion-webhook-server-0"}},
	{"a dead letter", "CompletionDeadLetters", `completion_inbox_dead_letters{` + counted + `} 1x60`,
		30 * time.Minute, []string{"completion-webhook-server-0"}},
	// The database begins at 1970, which is when the oldest then came.
	{"an old delivery", "CompletionInboxAging", `completion_inbox_oldest_timestamp_seconds{` + counted + `} 60x60`,
		30 * time.Minute, []string{"completion-webhook-server-0"}},
	{"a younger one", "CompletionInboxAging", `completion_inbox_oldest_timestamp_seconds{` + counted + `} 1200x60`,
		30 * time.Minute, nil},
	{"none", "CompletionInboxAging", `completion_inbox_oldest_timestamp_seconds{` + counted + `} 0x60`,
		30 * time.Minute, nil},
	{"institutions of this morning", "CompletionSnapshotAging",
		`completion_snapshot_timestamp_seconds{` + counted + `} 60x800`, 12*time.Hour + 10*time.Minute,
		[]string{"completion-webhook-server-0"}},
	{"institutions that are confirmed", "CompletionSnapshotAging",
		`completion_snapshot_timestamp_seconds{` + counted + `} 0+60x800`, 12*time.Hour + 10*time.Minute, nil},
	{"no institutions yet", "CompletionSnapshotAging",
		`completion_snapshot_timestamp_seconds{` + counted + `} 0x800`, 12*time.Hour + 10*time.Minute, nil},

	{"a volume that no pod uses", "CompletionInboxLeftBehind",
		`kube_persistentvolumeclaim_info{` + claim0 + `} 1x60`, 30 * time.Minute,
		[]string{"inbox-completion-webhook-server-0"}},
	{"one that a pod uses", "CompletionInboxLeftBehind",
		`kube_persistentvolumeclaim_info{` + claim0 + `} 1x60
		 kube_pod_spec_volumes_persistentvolumeclaims_info{` + claim0 + `,pod="p"} 1x60
		 kube_pod_status_phase{namespace="completion-system",pod="p",phase="Running"} 1x60
		 kube_pod_status_phase{namespace="completion-system",pod="p",phase="Succeeded"} 0x60`, 30 * time.Minute, nil},
	{"one that a Job has drained", "CompletionInboxLeftBehind",
		`kube_persistentvolumeclaim_info{` + claim0 + `} 1x60
		 kube_pod_spec_volumes_persistentvolumeclaims_info{` + claim0 + `,pod="p"} 1x60
		 kube_pod_status_phase{namespace="completion-system",pod="p",phase="Running"} 0x60
		 kube_pod_status_phase{namespace="completion-system",pod="p",phase="Succeeded"} 1x60`, 30 * time.Minute,
		[]string{"inbox-completion-webhook-server-0"}},
	{"a brake that has tripped", "CompletionRevocationsPaused",
		`completion_brake_tripped{namespace="institution-1",institution="institution-1",pod="x"} 1x60`, 30 * time.Minute,
		[]string{"institution-1"}},

	{"an admission policy that somebody removed", "CompletionAdmissionPolicyMissing",
		`completion_admission_policy_in_place{namespace="completion-system",pod="a",policy="completion-owner-label"} 1x10 0x60
		 completion_admission_policy_in_place{namespace="completion-system",pod="a",policy="completion-planned-grants"} 1x60`,
		30 * time.Minute, []string{"completion-owner-label"}},
	{"one that is being replaced", "CompletionAdmissionPolicyMissing",
		`completion_admission_policy_in_place{namespace="completion-system",pod="a",policy="completion-a"} 1x10 0x3 1x60`,
		30 * time.Minute, nil},

	{"a kind that cannot be listed", "CompletionInformerFailing",
		`completion_informer_failing{namespace="completion-system",pod="a",kind="Grant"} 1x60
		 completion_informer_failing{namespace="completion-system",pod="b",kind="Seat"} 0x60`, 30 * time.Minute,
		[]string{"a"}},
	{"an API server that was away for a moment", "CompletionInformerFailing",
		`completion_informer_failing{namespace="completion-system",pod="a",kind="Grant"} 0x10 1x5 0x60`, 30 * time.Minute,
		nil},
	{"an object that does not decode", "CompletionObjectsUndecodable",
		`completion_undecodable_objects{namespace="completion-system",pod="a",kind="Grant"} 2x60
		 completion_undecodable_objects{namespace="completion-system",pod="b",kind="Grant"} 2x60`, 30 * time.Minute,
		[]string{"Grant"}},
	{"objects that all decode", "CompletionObjectsUndecodable",
		`completion_undecodable_objects{namespace="completion-system",pod="a",kind="Grant"} 0x60`, 30 * time.Minute, nil},

	{"a fiftieth later than a second", "CompletionAcknowledgedLate", acknowledged("98", `le="1"`), 2 * time.Hour, here},
	{"all in time, as Prometheus 3 writes it", "CompletionAcknowledgedLate",
		acknowledged("100", `le="1.0"`), 7 * time.Hour, nil},
	{"one of two hundred", "CompletionAcknowledgedLate", acknowledged("99.5", `le="1"`), 7 * time.Hour, nil},
	{"one of a hundred, for hours", "CompletionAcknowledgedLate", acknowledged("99", `le="1"`), 7 * time.Hour, here},
	{"all in time", "CompletionAcknowledgedLate", acknowledged("100", `le="1"`), 7 * time.Hour, nil},
	{"none at all", "CompletionAcknowledgedLate",
		`completion_delivery_duration_seconds_count{` + counted + `,outcome="failed"} 0+10x500
		 completion_delivery_duration_seconds_bucket{` + counted + `,outcome="failed",le="1"} 0+10x500`, 2 * time.Hour, here},
	{"what does not count", "CompletionAcknowledgedLate",
		`completion_delivery_duration_seconds_count{` + counted + `,outcome="refused"} 0+10x500
		 completion_delivery_duration_seconds_bucket{` + counted + `,outcome="refused",le="1"} 0x500`, 7 * time.Hour, nil},
	{"few at night", "CompletionAcknowledgedLate",
		`completion_delivery_duration_seconds_count{` + counted + `,outcome="created"} 0x115 0+1x8 8x500
		 completion_delivery_duration_seconds_bucket{` + counted + `,outcome="created",le="1"} 0x500`, 2 * time.Hour, nil},
	{"long over", "CompletionAcknowledgedLate",
		`completion_delivery_duration_seconds_count{` + counted + `,outcome="created"} 0+100x60 6000+100x500
		 completion_delivery_duration_seconds_bucket{` + counted + `,outcome="created",le="1"} 0+98x60 5880+100x500`,
		100 * time.Minute, nil},
	{"a fifth later than five seconds", "CompletionGrantedLate",
		`completion_grant_duration_seconds_count{` + counted + `} 0+10x500
		 completion_grant_duration_seconds_bucket{` + counted + `,le="5"} 0+8x500`, 2 * time.Hour, here},
	{"a twentieth", "CompletionGrantedLate",
		`completion_grant_duration_seconds_count{` + counted + `} 0+10x500
		 completion_grant_duration_seconds_bucket{` + counted + `,le="5.0"} 0+9.5x500`, 2 * time.Hour, nil},
}

// here is where the installation of the tests is.
var here = []string{"completion-system"}

// acknowledged are a hundred deliveries a minute, of which so many are acknowledged within the bound.
func acknowledged(inTime, bound string) string {
	series := counted + `,outcome="created"`
	return `completion_delivery_duration_seconds_count{` + series + `} 0+100x500
		completion_delivery_duration_seconds_bucket{` + series + `,` + bound + `} 0+` + inTime + `x500`
}

func TestAlerts(t *testing.T) {
	shipped, recording := shippedRules(t)
	for _, tc := range alertTests {
		t.Run(tc.alert+"/"+tc.name, func(t *testing.T) {
			rule, ok := shipped[tc.alert]
			if !ok {
				t.Fatal("there is no such alert")
			}
			loaded := promqltest.LoadedStorage(t, "load 1m\n"+strings.TrimSpace(tc.series))
			query := rules.EngineQueryFunc(promqltest.NewTestEngine(t, false, 0, 100_000), loaded)
			start := time.Unix(0, 0).UTC()
			// The hour before it is looked is longer than any of them has to last before it fires.
			for at := max(0, tc.at-time.Hour); at <= tc.at; at += interval {
				if strings.HasSuffix(tc.alert, "Late") {
					record(t, recording, loaded, query, start.Add(at))
				}
				if _, err := rule.Eval(t.Context(), 0, start.Add(at), query, nil, 0); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(tc.want, firing(t, rule)); diff != "" {
				t.Errorf("alerts that fire (-want +got):\n%s", diff)
			}
		})
	}
}

// record evaluates what is recorded, each rule with what those before it have recorded.
func record(
	t *testing.T, recording []*rules.RecordingRule, to storage.Storage, query rules.QueryFunc, at time.Time,
) {
	t.Helper()
	for _, rule := range recording {
		recorded, err := rule.Eval(t.Context(), 0, at, query, nil, 0)
		if err != nil {
			t.Fatalf("%s: %v", rule.Name(), err)
		}
		appender := to.Appender(t.Context())
		for _, sample := range recorded {
			if _, err := appender.Append(0, sample.Metric, at.UnixMilli(), sample.F); err != nil {
				t.Fatalf("%s: %v", rule.Name(), err)
			}
		}
		if err := appender.Commit(); err != nil {
			t.Fatalf("%s: %v", rule.Name(), err)
		}
	}
}

// Each alert that is shipped has a test in which it fires.
func TestEachAlertIsTested(t *testing.T) {
	fires := make(map[string]bool)
	for _, tc := range alertTests {
		fires[tc.alert] = fires[tc.alert] || len(tc.want) > 0
	}
	shipped, _ := shippedRules(t)
	for _, name := range slices.Sorted(maps.Keys(shipped)) {
		if !fires[name] {
			t.Errorf("%s fires in no test", name)
		}
	}
}

// firing tells the alerts of a rule apart that fire. Those that only wait for their time do not count.
func firing(t *testing.T, rule *rules.AlertingRule) []string {
	t.Helper()
	var found []string
	for _, alert := range rule.ActiveAlerts() {
		if alert.State != rules.StateFiring {
			continue
		}
		alert.Annotations.Range(func(text labels.Label) {
			if strings.Contains(text.Value, "<") || strings.Contains(text.Value, "  ") {
				t.Errorf("the %s lacks a value: %s", text.Name, text.Value)
			}
		})
		for _, label := range []string{
			"limit", "reason", "persistentvolumeclaim", "statefulset", "institution", "pod", "job", "kind", "policy",
			"namespace",
		} {
			if value := alert.Labels.Get(label); value != "" {
				found = append(found, value)
				break
			}
		}
	}
	slices.Sort(found)
	return found
}
