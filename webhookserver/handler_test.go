// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package webhookserver

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr/funcr"
	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	testingclock "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/webhookserver/throttle"
)

// defective is a reader with a defect. What it panics with may be anybody's data.
type defective struct{ client.Reader }

func (defective) List(context.Context, client.ObjectList, ...client.ListOption) error {
	panic("s3cret of " + planted)
}

// The answers that need Institutions and the API are tested with the real ones, in the folder integration.
func TestAnswersThatNeedNoInstitution(t *testing.T) {
	const (
		id     = "0198c5a1-7d3e-7c11-9f2a-3b5d7e9f1a2b"
		start  = `{"type":"https://completions.lxp.dev/problems/`
		ending = `,"deliveryID":"` + id + `"}` + "\n"
	)
	for _, tc := range []struct {
		name         string
		method, path string
		synced       bool
		wantStatus   int
		wantHeader   http.Header
		wantBody     string
		wantReason   string
	}{
		{"another path", "POST", "/hooks/12345/" + token, true, 404, http.Header{},
			start + `not-found","title":"Not found","status":404,` +
				`"detail":"The webhook is at /webhooks/{institution}/{token}, ` +
				`or at /webhooks/{institution} with the token in the Authorization header."` + ending, "refused not-found"},
		{"another method", "PUT", "/webhooks/12345/" + token, true, 405, http.Header{"Allow": {"GET, HEAD, POST"}},
			start + `method-not-allowed","title":"Method not allowed","status":405,` +
				`"detail":"Send deliveries with POST. GET checks the URL."` + ending, "refused method-not-allowed"},
		{"institutions not known yet", "POST", "/webhooks/12345/" + token, false, 503, http.Header{"Retry-After": {"10"}},
			start + `unavailable","title":"Unavailable","status":503,` +
				`"detail":"The delivery was not stored. Send it again later."` + ending, "unavailable institutions-unknown"},
		{"a defect", "POST", "/webhooks/12345/" + token, true, 500, http.Header{},
			start + `internal-error","title":"Internal error","status":500,"detail":` +
				`"The server failed unexpectedly. The delivery may not be stored; send it again later."` + ending,
			"failed internal-error"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var log strings.Builder
			registry := prometheus.NewRegistry()
			measured, err := newInstruments(registry)
			if err != nil {
				t.Fatal(err)
			}
			h := &handler{
				log:           funcr.NewJSON(func(line string) { log.WriteString(line + "\n") }, funcr.Options{Verbosity: 9}),
				clock:         testingclock.NewFakeClock(time.Unix(1_700_000_000, 0)),
				newDeliveryID: func() string { return id },
				synced:        func() bool { return tc.synced },
				authenticator: authenticator{institutions: defective{}},
				rates:         throttle.NewRates(0), concurrency: throttle.NewConcurrency(0),
				auditLog:    NewAuditLog(&log),
				auditLimit:  throttle.NewAuditLimit(0),
				instruments: measured,
				bodies:      throttle.NewBodyBudget(1),
			}
			recorded := httptest.NewRecorder()
			h.ServeHTTP(recorded, httptest.NewRequestWithContext(t.Context(), tc.method, tc.path, strings.NewReader(planted)))

			outcome, reason, _ := strings.Cut(tc.wantReason, " ")
			want := tc.wantHeader
			want["Content-Type"] = []string{"application/problem+json"}
			// The body was not read.
			want["Connection"] = []string{"close"}
			want["Cache-Control"] = []string{"no-store"}
			want["X-Content-Type-Options"] = []string{"nosniff"}
			want[DeliveryIDHeader] = []string{id}
			want[OutcomeHeader] = []string{outcome}
			if diff := cmp.Diff(want, recorded.Header()); diff != "" {
				t.Errorf("header (-want +got):\n%s", diff)
			}
			if recorded.Code != tc.wantStatus {
				t.Errorf("status %d, want %d", recorded.Code, tc.wantStatus)
			}
			if diff := cmp.Diff(tc.wantBody, recorded.Body.String()); diff != "" {
				t.Errorf("body (-want +got):\n%s", diff)
			}
			if got := counted(t, registry, outcome, reason); got != 1 {
				t.Errorf("counted %v times as %s", got, tc.wantReason)
			}
			for _, private := range []string{token, planted} {
				if strings.Contains(log.String(), private) {
					t.Errorf("the log holds %s:\n%s", private, log.String())
				}
			}
			if !strings.Contains(log.String(), `"reason":"`+reason+`"`) {
				t.Errorf("no audit record of the call:\n%s", log.String())
			}
		})
	}
}

// A delivery is not refused because its record cannot be written, and the record is not lost.
func TestRecordsGoToTheLogWhileTheAuditLogFails(t *testing.T) {
	var log strings.Builder
	registry := prometheus.NewRegistry()
	measured, err := newInstruments(registry)
	if err != nil {
		t.Fatal(err)
	}
	disk := &fullDisk{}
	h := &handler{
		log:           funcr.NewJSON(func(line string) { log.WriteString(line + "\n") }, funcr.Options{}),
		clock:         testingclock.NewFakeClock(time.Unix(1_700_000_000, 0)),
		newDeliveryID: func() string { return "id" },
		rates:         throttle.NewRates(0), concurrency: throttle.NewConcurrency(0),
		instruments: measured,
		auditLog:    NewAuditLog(disk),
		auditLimit:  throttle.NewAuditLimit(0),
	}
	call := func() {
		recorded := httptest.NewRecorder()
		h.ServeHTTP(recorded, httptest.NewRequestWithContext(t.Context(), "POST", "/hooks/"+token, http.NoBody))
		if recorded.Code != http.StatusNotFound {
			t.Errorf("status %d", recorded.Code)
		}
	}
	call()
	call()
	disk.free = 10_000
	call()
	for text, want := range map[string]int{
		"Could not write to audit log": 1, "Audit log recovered": 1, "Audit record": 2, `"path":"/***/***"`: 2,
		token: 0,
	} {
		if got := strings.Count(log.String(), text); got != want {
			t.Errorf("%q is logged %d times, want %d:\n%s", text, got, want, log.String())
		}
	}
	if got := strings.Count(disk.String(), `"path":"/***/***"`); got != 1 {
		t.Errorf("the audit log has %d records:\n%s", got, disk.String())
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if got := family.GetMetric()[0].GetCounter().GetValue(); family.GetName() == "completion_audit_failures_total" &&
			got != 2 {
			t.Errorf("%v failures counted", got)
		}
	}
}

// counted returns how many calls the metrics have with an outcome and a reason.
func counted(t *testing.T, registry prometheus.Gatherer, outcome, reason string) float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			labels := metric.GetLabel()
			if family.GetName() == "completion_deliveries_total" &&
				labels[0].GetValue() == outcome && labels[1].GetValue() == reason {
				return metric.GetCounter().GetValue()
			}
		}
	}
	return 0
}
