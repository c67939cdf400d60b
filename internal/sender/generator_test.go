// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package sender

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	. "github.com/onsi/gomega"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

const testToken = "0123456789abcdef0123456789abcdef"

// testPlan sends everything for two institutions, one of them with two replicas.
func testPlan(seed uint64) Plan {
	return Plan{
		Institutions: []Institution{
			{ID: 7, URLs: []string{"http://one.test/webhooks/7/" + testToken, "http://two.test/webhooks/7/" + testToken}},
			{ID: 8, URLs: []string{"http://platform:" + testToken + "@one.test/webhooks/8"}},
		},
		Courses: []v1alpha1.PlatformID{100, 200},
		Seed:    seed,
		Mix:     DefaultMix(),
		Start:   time.Date(2026, 3, 1, 23, 59, 0, 0, time.UTC),
	}
}

func deliveries(t *testing.T, plan Plan, n int) []Delivery {
	t.Helper()
	generator, err := NewGenerator(plan)
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	var all []Delivery
	for range n {
		all = append(all, generator.Next())
	}
	return all
}

func TestGeneratorFollowsTheSeed(t *testing.T) {
	first, again := deliveries(t, testPlan(1), 500), deliveries(t, testPlan(1), 500)
	other := deliveries(t, testPlan(2), 500)
	if diff := cmp.Diff(first, again); diff != "" {
		t.Errorf("the same seed sends something else (-first +again):\n%s", diff)
	}
	seen := make(map[string]bool)
	for _, d := range first {
		seen[d.Completion] = true
	}
	for _, d := range other {
		if seen[d.Completion] {
			t.Errorf("two seeds share completion %s", d.Completion)
		}
	}
}

func TestGeneratorSendsEveryKind(t *testing.T) {
	counts := make(map[Kind]int)
	hosts := make(map[string]int)
	for _, d := range deliveries(t, testPlan(3), 5000) {
		counts[d.Kind]++
		target, err := url.Parse(d.URL)
		NewWithT(t).Expect(err).NotTo(HaveOccurred())
		hosts[target.Host]++
	}
	for kind, share := range DefaultMix() {
		want := 5000 * share / 100
		if got := counts[kind]; got < want*2/3 || got > want*3/2 {
			t.Errorf("%d deliveries are %s, want about %d", got, kind, want)
		}
	}
	if hosts["two.test"] < 1000 {
		t.Errorf("only %d deliveries went to the second replica", hosts["two.test"])
	}
}

// parsed is the part of a body that the kinds change.
type parsed struct {
	Event struct {
		Slug   string `json:"slug"`
		SendAt string `json:"send_at"`
	} `json:"event"`
	Data struct {
		Institution struct{ ID v1alpha1.PlatformID } `json:"institution"`
		Course      struct{ Name string }            `json:"course"`
	} `json:"data"`
}

func TestKindsAreWhatTheySay(t *testing.T) {
	before := make(map[string][]Delivery)
	for _, d := range deliveries(t, testPlan(4), 3000) {
		var p parsed
		if err := json.Unmarshal(d.Body, &p); (err != nil) != (d.Kind == KindMalformed) {
			t.Fatalf("delivery %d (%s) as JSON: %v", d.Index, d.Kind, err)
		}
		earlier := before[d.Completion]
		newest := ""
		for _, e := range earlier {
			newest = max(newest, e.Content.SendAt)
		}
		holds := true
		switch d.Kind {
		case KindNew:
			holds = len(earlier) == 0
		case KindRepeat:
			holds = slices.ContainsFunc(earlier, func(e Delivery) bool { return cmp.Equal(e.Body, d.Body) })
		case KindNewer:
			holds = p.Event.SendAt > newest
		case KindOlder:
			holds = p.Event.SendAt < newest
		case KindTie:
			holds = p.Event.SendAt == newest &&
				!slices.ContainsFunc(earlier, func(e Delivery) bool { return e.Content == d.Content })
		case KindOtherEvent:
			holds = p.Event.Slug != v1alpha1.EventSlug
		case KindForeign:
			holds = p.Data.Institution.ID != d.Institution
		case KindWrongToken:
			holds = !strings.Contains(d.URL, testToken)
		}
		if !holds {
			t.Errorf("delivery %d is not %s: %s %s", d.Index, d.Kind, d.URL, d.Body)
		}
		if d.Kind != KindWrongToken && !strings.Contains(d.URL, testToken) {
			t.Errorf("delivery %d (%s) has no token", d.Index, d.Kind)
		}
		if judge(d.Kind, Answer{Status: 200}) == VerdictAcknowledged {
			before[d.Completion] = append(earlier, d)
		}
	}
}

func TestParseInstitutions(t *testing.T) {
	for _, tc := range []struct {
		name   string
		urls   []string
		want   []Institution
		wanted string
	}{
		{
			name: "replicas of one, and another with the token as password",
			urls: []string{"http://a/webhooks/7/" + testToken, "https://u:p@c/x/webhooks/8", "http://b/webhooks/7/" + testToken},
			want: []Institution{
				{ID: 7, URLs: []string{"http://a/webhooks/7/" + testToken, "http://b/webhooks/7/" + testToken}},
				{ID: 8, URLs: []string{"https://u:p@c/x/webhooks/8"}},
			},
		},
		{name: "no token", urls: []string{"http://a/webhooks/7"}, wanted: "webhook URL 1"},
		{name: "no institution", urls: []string{"http://a/webhooks/x/" + testToken}, wanted: "webhook URL 1"},
		{name: "no scheme", urls: []string{"a/webhooks/7/" + testToken}, wanted: "webhook URL 1"},
		{name: "not a URL", urls: []string{"http://[" + testToken}, wanted: "webhook URL 1"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			g := NewWithT(t)
			got, err := ParseInstitutions(tc.urls)
			if tc.wanted == "" {
				g.Expect(err).NotTo(HaveOccurred())
				g.Expect(cmp.Diff(tc.want, got)).To(BeEmpty())
				return
			}
			g.Expect(err).To(MatchError(ContainSubstring(tc.wanted)))
			g.Expect(err.Error()).NotTo(ContainSubstring(testToken))
		})
	}
}
