// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package sender

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	. "github.com/onsi/gomega"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// serve runs a server and returns a plan that sends to it.
func serve(t *testing.T, handler http.HandlerFunc) Plan {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	plan := testPlan(5)
	plan.Institutions = []Institution{{ID: 7, URLs: []string{server.URL + "/webhooks/7/" + testToken}}}
	return plan
}

func send(ctx context.Context, t *testing.T, plan Plan, o Options) *Report {
	t.Helper()
	g := NewWithT(t)
	generator, err := NewGenerator(plan)
	g.Expect(err).NotTo(HaveOccurred())
	o.Timeout = 30 * time.Second
	if o.Ledger == nil {
		o.Ledger = &Ledger{}
	}
	report, err := Run(ctx, generator.Next, o)
	g.Expect(err).NotTo(HaveOccurred())
	return report
}

// platformCheck answers a call as the webhook server would, as far as a sender can tell.
func platformCheck(w http.ResponseWriter, r *http.Request) {
	content, err := io.ReadAll(r.Body)
	var p body
	status, outcome := http.StatusOK, "created"
	switch {
	case r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/json" || err != nil:
		status = http.StatusTeapot
	case r.URL.Path != "/webhooks/7/"+testToken:
		status = http.StatusUnauthorized
	case json.Unmarshal(content, &p) != nil:
		status = http.StatusBadRequest
	case p.Event.Slug == "activities.course.started":
		outcome = "ignored"
	case p.Data.Institution.ID != 7 || p.Event.Slug != v1alpha1.EventSlug || p.Event.SendAt > "2026-03-31" ||
		p.Event.SendAt == "2026-02-30 12:00:00" || p.Data.Course.ID < 1 || p.Data.Enrollment.Status > 1 ||
		p.Data.User.ID < 1 || len(p.Data.User.Name) > 256 ||
		(p.Data.Enrollment.DateExpire != nil && len(*p.Data.Enrollment.DateExpire) != 10):
		status = http.StatusUnprocessableEntity
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Completion-Delivery-Id", "id-1")
	if status != http.StatusOK {
		outcome = "refused"
	}
	w.Header().Set("Completion-Outcome", outcome)
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"outcome": %q}`, outcome)
}

func TestRunSendsAndJudges(t *testing.T) {
	g := NewWithT(t)
	ledger := &Ledger{}
	var observed atomic.Int64
	report := send(t.Context(), t, serve(t, platformCheck), Options{
		Connections: 8, Count: 1000, Ledger: ledger, Observe: func(Delivery, Verdict) { observed.Add(1) },
	})
	g.Expect(report.Err()).NotTo(HaveOccurred())
	g.Expect(report.Examples).To(BeEmpty())
	g.Expect(report.Sent).To(Equal(1000))
	g.Expect(observed.Load()).To(BeEquivalentTo(1000))
	wrong := report.Kinds[KindMalformed] + report.Kinds[KindInvalid] + report.Kinds[KindForeign] +
		report.Kinds[KindWrongToken]
	g.Expect(wrong).To(BeNumerically(">", 0))
	others := report.Kinds[KindOtherEvent]
	good := 1000 - wrong - others
	g.Expect(others).To(BeNumerically(">", 0))
	g.Expect(cmp.Diff(map[Verdict]int{
		VerdictAcknowledged: good, VerdictRejected: wrong, VerdictIgnored: others,
	}, report.Verdicts)).To(BeEmpty())
	g.Expect(cmp.Diff(map[string]int{
		"200 created": good, "200 ignored": others, "400 refused": report.Kinds[KindMalformed],
		"422 refused": report.Kinds[KindInvalid] + report.Kinds[KindForeign],
		"401 refused": report.Kinds[KindWrongToken],
	}, report.Answers)).To(BeEmpty())
	acknowledged, _ := ledger.Acknowledged(7)
	g.Expect(acknowledged).To(Equal(good))
	g.Expect(report.Latency.Count()).To(Equal(1000))
	var text strings.Builder
	report.Print(&text)
	g.Expect(text.String()).To(MatchRegexp(`acknowledged +%d, `, good))
	g.Expect(text.String()).NotTo(ContainSubstring(testToken))
}

func TestRunReportsWhatGoesWrong(t *testing.T) {
	hangUp := func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }
	status := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
	}
	for _, tc := range []struct {
		name    string
		handler http.HandlerFunc
		verdict Verdict
		answer  string
		want    string
	}{
		{"put off", status(503), VerdictPutOff, "503", "of 20 deliveries, 20 put off"},
		{"not taken", status(500), VerdictUnexpected, "500", "of 20 deliveries, 20 unexpected"},
		{"redirected", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
		}, VerdictUnexpected, "307", "of 20 deliveries, 20 unexpected"},
		{"cut off", hangUp, VerdictFailed, "connection closed", "of 20 deliveries, 20 failed"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			g := NewWithT(t)
			plan := serve(t, tc.handler)
			plan.Mix = Mix{KindNew: 1}
			ledger := &Ledger{}
			report := send(t.Context(), t, plan, Options{Connections: 2, Count: 20, Ledger: ledger})
			g.Expect(cmp.Diff(map[Verdict]int{tc.verdict: 20}, report.Verdicts)).To(BeEmpty())
			g.Expect(cmp.Diff(map[string]int{tc.answer: 20}, report.Answers)).To(BeEmpty())
			g.Expect(report.Err()).To(MatchError(tc.want))
			g.Expect(fmt.Sprint(report.Examples)).NotTo(ContainSubstring(testToken))
			g.Expect(ledger.Check(7, nil, false)).To(BeEmpty(), "nothing was promised")
		})
	}
}

func TestRunToNobody(t *testing.T) {
	g := NewWithT(t)
	plan := serve(t, platformCheck)
	// The port was free a moment ago, and the server that had it is gone.
	gone := httptest.NewServer(http.NotFoundHandler())
	plan.Institutions[0].URLs = []string{gone.URL + "/webhooks/7/" + testToken}
	gone.Close()
	report := send(t.Context(), t, plan, Options{Connections: 1, Count: 3})
	g.Expect(cmp.Diff(map[string]int{"connection refused": 3}, report.Answers)).To(BeEmpty())
}

func TestRunKeepsToConnectionsAndRate(t *testing.T) {
	g := NewWithT(t)
	var mu sync.Mutex
	now, most := 0, 0
	plan := serve(t, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		now++
		most = max(most, now)
		mu.Unlock()
		platformCheck(w, r)
		mu.Lock()
		now--
		mu.Unlock()
	})
	report := send(t.Context(), t, plan, Options{Connections: 3, Count: 100, Rate: 200})
	g.Expect(report.Sent).To(Equal(100))
	// The last of 100 begins 99/200 s after the first, and never before.
	g.Expect(report.Elapsed).To(BeNumerically(">=", 495*time.Millisecond))
	g.Expect(most).To(BeNumerically("<=", 3))
}

func TestRunFinishesWhatIsUnderWay(t *testing.T) {
	g := NewWithT(t)
	ctx, cancel := context.WithCancel(t.Context())
	plan := serve(t, func(w http.ResponseWriter, r *http.Request) {
		cancel()
		platformCheck(w, r)
	})
	report := send(ctx, t, plan, Options{Connections: 2})
	g.Expect(report.Sent).To(BeNumerically(">", 0))
	g.Expect(report.Verdicts[VerdictFailed]).To(BeZero())
}

func TestOptionsAreChecked(t *testing.T) {
	good := Options{Connections: 1, Timeout: time.Second}
	for _, tc := range []struct {
		name   string
		change func(*Options)
		want   string
	}{
		{"no connection", func(o *Options) { o.Connections = 0 }, "connections is 0"},
		{"negative count", func(o *Options) { o.Count = -1 }, "count is -1"},
		{"negative rate", func(o *Options) { o.Rate = -1 }, "rate is -1"},
		{"no timeout", func(o *Options) { o.Timeout = 0 }, "timeout is 0s"},
	} {
		o := good
		tc.change(&o)
		_, err := Run(t.Context(), nil, o)
		NewWithT(t).Expect(err).To(MatchError(ContainSubstring(tc.want)), tc.name)
	}
}
