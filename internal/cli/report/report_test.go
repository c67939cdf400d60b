// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package report

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

func completionOf(course int64, policies ...string) *v1alpha1.CourseCompletion {
	c := &v1alpha1.CourseCompletion{}
	c.Spec.Course.ID, c.Spec.Institution.ID = v1alpha1.PlatformID(course), 7
	for _, policy := range policies {
		c.Status.Policies = append(c.Status.Policies,
			v1alpha1.PolicyResult{Policy: v1alpha1.LocalName(policy), Outcome: v1alpha1.OutcomeGranted})
	}
	return c
}

func rowsOf(c *counter) []string {
	var rows []string
	for _, g := range c.sorted() {
		rows = append(rows, strings.Join(g.row(), " "))
	}
	return rows
}

func TestCounts(t *testing.T) {
	noon := time.Date(2027, 1, 3, 12, 0, 0, 0, time.UTC)
	for by, want := range map[string][]string{
		"course":        {"9 2 1", "10 1 1"},
		"policy":        {"(none) 1 0", "desk 1 1", "lab 2 2"},
		"course,policy": {"9 (none) 1 0", "9 lab 1 1", "10 desk 1 1", "10 lab 1 1"},
		"institution":   {"7 3 2"},
		"day":           {"2027-01-03 2 1", "2027-01-04 1 1"},
		// The week of a Sunday is that of the Monday before, here of the year before.
		"week":  {"2026-W53 2 1", "2027-W01 1 1"},
		"month": {"2027-01 3 2"},
	} {
		dimensions, err := dimensionsOf(strings.Split(by, ","))
		NewWithT(t).Expect(err).NotTo(HaveOccurred())
		c := newCounter(dimensions)
		c.add(completionOf(9), noon)
		c.add(completionOf(9, "lab"), noon)
		c.add(completionOf(10, "lab", "desk"), noon.AddDate(0, 0, 1))
		if diff := cmp.Diff(want, rowsOf(c)); diff != "" {
			t.Errorf("by %s: %s", by, diff)
		}
		NewWithT(t).Expect([]int{c.total.completions, c.total.granted}).To(Equal([]int{3, 2}))
	}
	for by, fault := range map[string]string{"x": "unknown", "day,day": "twice"} {
		_, err := dimensionsOf(strings.Split(by, ","))
		NewWithT(t).Expect(err).To(MatchError(ContainSubstring(fault)))
	}
}

// A day begins at midnight of the institution, and the first delivery counts.
func TestWindow(t *testing.T) {
	g := NewWithT(t)
	zone, err := time.LoadLocation("America/Sao_Paulo")
	g.Expect(err).NotTo(HaveOccurred())
	o := &options{window: window{"2026-03-01", "2026-03-02"}}
	calendar, err := o.calendar(zone)
	g.Expect(err).NotTo(HaveOccurred())
	day, err := dimensionsOf([]string{"day"})
	g.Expect(err).NotTo(HaveOccurred())
	counted := newCounter(day)
	for _, sent := range []string{
		"2026-03-01T02:59:59Z", "2026-03-01T03:00:00Z", "2026-03-03T02:59:59Z", "2026-03-03T03:00:00Z",
	} {
		c := completionOf(1)
		at, err := time.Parse(time.RFC3339, sent)
		g.Expect(err).NotTo(HaveOccurred())
		c.Spec.Event.FirstSentAt = new(metav1.NewTime(at))
		c.Spec.Event.SentAt = metav1.NewTime(at.AddDate(1, 0, 0))
		calendar.count(counted, c)
	}
	g.Expect(rowsOf(counted)).To(Equal([]string{"2026-03-01 1 0", "2026-03-02 1 0"}))

	for _, w := range []window{{"today", ""}, {"", "2026-02-30"}, {"2026-03-02", "2026-03-01"}} {
		_, _, err := w.bounds(zone)
		g.Expect(err).To(HaveOccurred())
	}
	_, to, err := window{"", "2026-12-18T18:00:00-03:00"}.bounds(time.UTC)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(to.UTC().Format(time.DateTime)).To(Equal("2026-12-18 21:00:00"))
}

func TestChartHasNoGaps(t *testing.T) {
	g := NewWithT(t)
	for by, keys := range map[string][]string{
		"day":   {"2026-12-30", "2026-12-31", "2027-01-01", "2027-01-02"},
		"week":  {"2026-W52", "2026-W53", "2027-W01", "2027-W02"},
		"month": {"2026-11", "2026-12", "2027-01", "2027-02"},
	} {
		dimensions, err := dimensionsOf([]string{by})
		g.Expect(err).NotTo(HaveOccurred())
		whole := withoutGaps(dimensions, []*group{{keys: keys[:1], completions: 4}, {keys: keys[3:], completions: 1}})
		var got []string
		for _, group := range whole {
			got = append(got, group.keys[0])
		}
		g.Expect(got).To(Equal(keys))
	}
}

func TestBars(t *testing.T) {
	g := NewWithT(t)
	var out bytes.Buffer
	g.Expect(drawBars(&out, []*group{
		{keys: []string{"2026-01"}, completions: 80}, {keys: []string{"2026-02"}, completions: 39},
		{keys: []string{"2026-03"}, completions: 0}, {keys: []string{"2026-04"}, completions: 1},
	}, 22)).To(Succeed())
	g.Expect(out.String()).To(Equal("2026-01 80 ██████████\n2026-02 39 ████▉\n2026-03  0 \n2026-04  1 ▏\n"))
}
