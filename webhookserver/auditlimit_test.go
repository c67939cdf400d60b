// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package webhookserver

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/lxp-dev/course-completion-operator/webhookserver/throttle"
)

// strange makes a call without a good token from an address.
func strange(t *testing.T, h *handler, method, path, address string) {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, path, http.NoBody)
	r.RemoteAddr = address
	h.ServeHTTP(httptest.NewRecorder(), r)
}

// lines returns the records of an audit log, and its summaries without their times.
func lines(t *testing.T, log string) (records int, summaries []throttle.AuditSummary) {
	t.Helper()
	for line := range strings.Lines(log) {
		var record auditRecord
		if err := json.Unmarshal([]byte(line), &record); err != nil {
			t.Fatal(err)
		}
		if record.Completion.Calls == 0 {
			records++
			continue
		}
		summary := throttle.AuditSummary{
			Time: record.Time, Since: *record.Event.Start, RemoteNetwork: record.Source.Address,
			Calls: record.Completion.Calls, Reasons: record.Completion.Reasons,
		}
		if summary.Time.Before(summary.Since) || summary.Since.IsZero() {
			t.Errorf("from %s to %s", summary.Since, summary.Time)
		}
		summary.Time, summary.Since = time.Time{}, time.Time{}
		summaries = append(summaries, summary)
	}
	return records, summaries
}

// Whoever has no token must not be able to push the records of others out of the log.
func TestStrangersGetALimitedNumberOfRecords(t *testing.T) {
	var log strings.Builder
	h := newQueueing(t)
	h.auditLog, h.auditLimit, h.rates = NewAuditLog(&log), throttle.NewAuditLimit(5), throttle.NewRates(3)
	const wrong = "/webhooks/12345/wrong"
	for range 100 {
		strange(t, h, "POST", wrong, "203.0.113.7:1000")
		strange(t, h, "GET", "/robots.txt", "[2001:db8::1]:1000")
		strange(t, h, "PUT", wrong, "[2001:db8::2]:1000")
	}
	strange(t, h, "POST", wrong, "198.51.100.1:1000")
	// Good tokens are not counted.
	for range 20 {
		if got := deliver(t, h, contractExample); got.Code != http.StatusOK {
			t.Fatal(got.Code)
		}
	}
	for _, summary := range h.auditLimit.Next() {
		h.audit(newSummaryRecord(summary))
	}
	records, summaries := lines(t, log.String())
	if want := 3 + 5 + 1 + 20; records != want {
		t.Errorf("%d records, want %d", records, want)
	}
	want := []throttle.AuditSummary{
		{RemoteNetwork: "2001:db8::/64", Calls: 195, Reasons: map[string]int{"not-found": 97, "method-not-allowed": 98}},
		{RemoteNetwork: "203.0.113.7", Calls: 97, Reasons: map[string]int{"too-many-failures": 97}},
	}
	byNetwork := cmpopts.SortSlices(func(a, b throttle.AuditSummary) bool { return a.RemoteNetwork < b.RemoteNetwork })
	if diff := cmp.Diff(want, summaries, byNetwork); diff != "" {
		t.Errorf("summaries (-want +got):\n%s", diff)
	}

	// The next minute begins anew.
	log.Reset()
	strange(t, h, "GET", "/robots.txt", "[2001:db8::1]:1000")
	if records, summaries = lines(t, log.String()); records != 1 || len(summaries) != 0 {
		t.Errorf("%d records and %d summaries", records, len(summaries))
	}
}

// Neither do many addresses together, nor do they use up memory.
func TestManyStrangersGetALimitedNumberOfRecords(t *testing.T) {
	var log strings.Builder
	h := newQueueing(t)
	h.auditLog, h.auditLimit = NewAuditLog(&log), throttle.NewAuditLimit(5)
	const networks, calls = 1000, 2
	for n := range networks {
		for range calls {
			strange(t, h, "GET", "/robots.txt", fmt.Sprintf("10.0.%d.%d:1", n/250, n%250))
		}
	}
	summaries := h.auditLimit.Next()
	if len(summaries) != 256+1 {
		t.Errorf("%d summaries", len(summaries))
	}
	left := 0
	for _, summary := range summaries {
		left += summary.Calls
	}
	if records, _ := lines(t, log.String()); records != 5*10 || left != networks*calls-records {
		t.Errorf("%d records, and %d calls are summarised", records, left)
	}
}

func TestAllStrangersAreRecordedWhereThatIsAskedFor(t *testing.T) {
	var log strings.Builder
	h := newQueueing(t)
	h.auditLog, h.auditLimit = NewAuditLog(&log), throttle.NewAuditLimit(0)
	for range 500 {
		strange(t, h, "GET", "/robots.txt", "203.0.113.7:1000")
	}
	if records, _ := lines(t, log.String()); records != 500 || len(h.auditLimit.Next()) != 0 {
		t.Errorf("%d records", records)
	}
}
