// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

func TestReport(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	school := openSchool(t)
	school.apply(school.labPolicy())
	// In the institution's zone, UTC-3, the second one is of March.
	for user, values := range map[int64]map[string]any{
		1: {"event.send_at": "2026-01-31 23:59:59"},
		2: {"event.send_at": "2026-03-31 23:59:59", "course.id": 777},
		3: {"event.send_at": "2026-03-01 00:00:00"},
	} {
		school.deliver(user, values)
	}
	// A repetition with a new time is no new completion.
	school.deliver(1, map[string]any{"event.send_at": "2026-05-01 00:00:00"})
	for _, user := range []int{1, 3} {
		school.awaitGrant(fmt.Sprintf("lab.%d-%d", school.ID, user), v1alpha1.GrantActive)
	}

	viewer := school.with("completion-viewer")
	g.Eventually(func() string { return viewer.does("report") }, soon, often).Should(Equal(
		"MONTH     COMPLETIONS   GRANTED\n" +
			"2026-01   1             1\n" +
			"2026-03   2             1\n" +
			"\nCompletions: 3, granted something: 2\n"))
	g.Expect(viewer.does("report", "--by", "course,policy", "-o", "csv")).To(Equal(
		"course,policy,completions,granted\n777,(none),1,0\n123456,lab,2,2\n"))
	g.Expect(viewer.does("report", "--since", "2026-03-01", "--until", "2026-03-31", "--by=day", "-o", "json")).To(
		MatchJSON(`{"apiVersion": "cli.completions.lxp.dev/v1alpha1", "kind": "Report", "by": ["day"],
			"since": "2026-03-01", "until": "2026-03-31", "completions": 2, "granted": 1,
			"groups": [{"day": "2026-03-01", "completions": 1, "granted": 1},
				{"day": "2026-03-31", "completions": 1, "granted": 0}]}`))
	g.Expect(viewer.does("report", "--until", "2026-03-30", "--no-headers")).To(Equal(
		"2026-01   1     1\n2026-03   1     1\n"))
	g.Expect(viewer.does("report", "--chart")).To(MatchRegexp(`^2026-01 1 █+▌?\n2026-02 0 \n2026-03 2 █+\n$`))

	g.Expect(administrator(t).does("report", "-A", "--by", "institution", "--no-headers")).To(
		MatchRegexp(`(?m)^%d +3 +2$`, school.ID))
	g.Expect(viewer.fails("report", "-A")).To(ContainSubstring("completion-viewer"))
	// One right less.
	g.Expect(school.with("completion-institution-viewer").fails("report")).To(And(
		ContainSubstring("coursecompletions"), ContainSubstring("The ClusterRole completion-viewer allows it")))
	g.Expect(viewer.fails("report", "--by", "student")).To(ContainSubstring("use one or more of course, institution"))
	g.Expect(viewer.fails("report", "--since", "yesterday")).To(ContainSubstring("is neither a day"))
}
