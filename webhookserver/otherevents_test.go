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

	"github.com/google/go-cmp/cmp"
	dto "github.com/prometheus/client_model/go"
	"k8s.io/apimachinery/pkg/types"
)

// deliver posts a body to a handler with the good token.
func deliver(t *testing.T, h *handler, body string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/webhooks/12345/"+token, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	recorded := httptest.NewRecorder()
	h.ServeHTTP(recorded, r)
	return recorded
}

// The platform subscribes one URL to many events. None of the others is refused, and none is kept.
func TestOtherEventsAreAcknowledgedAndNotKept(t *testing.T) {
	for _, tc := range []struct {
		name, body string
		want       string // outcome
		slug       string // of the audit record
	}{
		{"another event as the platform sends it", with(t, `activities.course.completed`, `activities.course.started`),
			"ignored", "activities.course.started"},
		{"with other data", `{"event":{"name":"x","slug":"certificate.issued","send_at":"2026-01-01 10:00:00"},` +
			`"data":{"certificate":{"id":7}}}`, "ignored", "certificate.issued"},
		{"of another institution", with(t, `activities.course.completed`, `member.updated`, `"id": 12345 }`, `"id": 6 }`),
			"ignored", "member.updated"},
		{"whatever its time and name are", `{"event":{"name":7,"slug":"trail.completed","send_at":false},"data":[]}`,
			"ignored", "trail.completed"},
		{"without data", `{"event":{"slug":"ping"}}`, "ignored", "ping"},
		{"in camel case", `{"event":{"slug":"memberDisabled"},"data":{}}`, "ignored", "memberDisabled"},
		{"with other separators", `{"event":{"slug":"member:password_reset-requested"}}`, "ignored",
			"member:password_reset-requested"},
		{"as long as a slug may be", `{"event":{"slug":"` + strings.Repeat("a", 128) + `"}}`, "ignored",
			strings.Repeat("a", 128)},

		{"a completion", contractExample, "queued", ""},
		{"almost a completion", with(t, `activities.course.completed`, `activities.course.Completed`), "refused", ""},
		{"almost a completion, with dashes", with(t, `activities.course.completed`, `activities-course-completed`),
			"refused", ""},
		{"no slug", `{"event":{"name":"x"},"data":{}}`, "refused", ""},
		{"an empty slug", `{"event":{"slug":""},"data":{}}`, "refused", ""},
		{"a slug that is no string", `{"event":{"slug":["a"]},"data":{}}`, "refused", ""},
		{"a slug of words that are none", `{"event":{"slug":"` + planted + ` Ana Souza"},"data":{}}`, "refused", ""},
		{"a slug with a line end", `{"event":{"slug":"member.updated\n"},"data":{}}`, "refused", ""},
		{"too long a slug", `{"event":{"slug":"` + strings.Repeat("a", 129) + `"},"data":{}}`, "refused", ""},
		{"no envelope", `{"slug":"member.updated"}`, "refused", ""},
		{"an envelope that is no object", `{"event":"member.updated"}`, "refused", ""},
		{"a name twice", `{"event":{"slug":"member.updated","slug":"a"}}`, "refused", ""},
		{"a name twice in the data", `{"event":{"slug":"member.updated"},"data":{"a":1,"a":1}}`, "refused", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var audit strings.Builder
			h, queue := newQueueingInto(t)
			h.auditLog = NewAuditLog(&audit)
			got := deliver(t, h, tc.body)

			wantStatus, wantKept := http.StatusOK, 0
			switch {
			case tc.want == "queued":
				wantKept = 1
			case tc.want == "refused" && strings.Contains(tc.name, "twice"):
				wantStatus = http.StatusBadRequest
			case tc.want == "refused":
				wantStatus = http.StatusUnprocessableEntity
			}
			if got.Code != wantStatus || got.Header().Get(OutcomeHeader) != tc.want {
				t.Errorf("%d %s, want %d %s: %s", got.Code, got.Header().Get(OutcomeHeader), wantStatus, tc.want, got.Body)
			}
			if kept := queue.Stats().Records; kept != wantKept {
				t.Errorf("%d records are kept, want %d", kept, wantKept)
			}
			var record auditRecord
			if err := json.Unmarshal([]byte(audit.String()), &record); err != nil {
				t.Fatal(err)
			}
			if string(record.Completion.Outcome) != tc.want || record.Completion.Slug != tc.slug {
				t.Errorf("audited as %+v", record.Completion)
			}
			if strings.Contains(audit.String()+got.Body.String(), planted) {
				t.Errorf("what was sent is quoted: %s %s", audit.String(), got.Body)
			}
			if tc.want != "ignored" {
				return
			}
			var body map[string]any
			if err := json.Unmarshal(got.Body.Bytes(), &body); err != nil {
				t.Fatal(err)
			}
			want := map[string]any{"outcome": "ignored", "deliveryID": got.Header().Get(DeliveryIDHeader)}
			if diff := cmp.Diff(want, body); diff != "" {
				t.Errorf("body (-want +got):\n%s", diff)
			}
			label := strings.ToLower(tc.slug)
			var metric dto.Metric
			if err := h.instruments.ignoredEvents.WithLabelValues(label).Write(&metric); err != nil {
				t.Fatal(err)
			}
			if n := metric.GetCounter().GetValue(); n != 1 {
				t.Errorf("counted %v times as %s", n, label)
			}
		})
	}
}

// Nobody can make any number of series, nor use up those that others' events would have.
func TestSlugsAsLabelsAreBounded(t *testing.T) {
	l := &eventLabels{}
	distinct := make(map[string]bool)
	for institution := range 4 {
		own := make(map[string]bool)
		for n := range 100 {
			label := l.label(fmt.Sprintf("event.%d.%d", institution, n), types.UID(fmt.Sprint(institution)))
			own[label], distinct[label] = true, true
		}
		if len(own) > maxEventLabelsOfOne+1 {
			t.Errorf("institution %d has %d labels", institution, len(own))
		}
	}
	if len(distinct) != maxEventLabels+1 || !distinct[eventLabelOfOthers] {
		t.Errorf("%d labels: %v", len(distinct), distinct)
	}
	if got := l.label("Event.0.1", "another"); got != "event.0.1" {
		t.Errorf("a known slug of another institution is %s", got)
	}
}
