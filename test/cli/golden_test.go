// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// volatile is what differs between two runs, and what stands for it.
var volatile = []struct {
	pattern *regexp.Regexp
	stands  string
}{
	{regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`), "UUID"},
	{regexp.MustCompile(`\b20\d\d-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z| ?[+-]\d\d:?\d\d)?`), "TIME"},
	{regexp.MustCompile(`\b20(2[6-9]|3\d)-\d\d-\d\d\b`), "DATE"},
	{regexp.MustCompile(`\b\d+(\.\d+)?(ms|s|m|h)(\d+s)?\b`), "DURATION"},
	{regexp.MustCompile(`\b[0-9a-f]{16,64}\b`), "DIGEST"},
	// Columns are as wide as what stands in them.
	{regexp.MustCompile(` {2,}`), "  "},
	{regexp.MustCompile(`(?m) +$`), ""},
}

// stable returns an output with names for what differs between two runs.
func (s *school) stable(out string) string {
	out = named(out, fmt.Sprint(s.ID), s.prefix())
	for _, one := range volatile {
		out = one.pattern.ReplaceAllString(out, one.stands)
	}
	// What happens within one second is told in the order in which it happened.
	lines := strings.Split(out, "\n")
	first, now := slices.Index(lines, "Story:")+1, slices.Index(lines, "  TIME  NOW")
	if first > 0 && now > first {
		slices.Sort(lines[first:now])
	}
	return strings.Join(lines, "\n")
}

// TestGoldens compares what the commands show with testdata/golden. With UPDATE_GOLDEN=1 it records anew: read the
// difference before you commit it.
func TestGoldens(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	school := openSchool(t)
	g.Expect(admin.Create(t.Context(), &v1alpha1.SeatPool{
		ObjectMeta: metav1.ObjectMeta{Namespace: school.Namespace, Name: "licences"},
		Spec:       v1alpha1.SeatPoolSpec{Capacity: new(int32(1))},
	})).To(Succeed())
	school.apply(school.labPolicy())
	school.apply(school.labPolicy(seatPolicy("licences")))
	school.deliver(1)
	school.awaitGrant(fmt.Sprintf("seat.%d-1", school.ID), v1alpha1.GrantActive)
	school.deliver(2, map[string]any{"event.send_at": "2026-10-02 12:00:00"})
	school.awaitGrant(fmt.Sprintf("seat.%d-2", school.ID), v1alpha1.GrantWaiting)
	school.deliver(3, map[string]any{"event.send_at": "2026-10-03 12:00:00", "course.id": 99})
	for user := range 2 {
		school.awaitGrant(fmt.Sprintf("lab.%d-%d", school.ID, user+1), v1alpha1.GrantActive)
	}
	viewer := school.with("completion-viewer")
	g.Eventually(func() string { return viewer.does() }, soon, often).Should(And(
		MatchRegexp(`Completions: +.*3 in all`), MatchRegexp(`1 of 1 taken, 1 waiting`), MatchRegexp(`1 Waiting, 3 Active`),
		MatchRegexp(`Namespaces: +2 of`)))
	// For a moment nothing is told of who waits for a seat.
	g.Eventually(func() string { return viewer.does("why", "2") }, soon, often).ShouldNot(MatchRegexp(`Outcome: +Pending`))
	edited := school.labPolicy()
	edited.TypeMeta = metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "CompletionPolicy"}
	edited.Spec.Match.CourseIDs = append(edited.Spec.Match.CourseIDs, 99)
	file := filepath.Join(t.TempDir(), "policy.yaml")
	text, err := yaml.Marshal(edited)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(os.WriteFile(file, text, 0o600)).To(Succeed())

	for name, args := range map[string][]string{
		"status":       {},
		"why-seat":     {"why", "2"},
		"why-nothing":  {"why", "3"},
		"report":       {"report"},
		"report-chart": {"report", "--chart"},
		"preview":      {"preview", "-f", file},
		"token-list":   {"token", "list", school.ID.String()},
	} {
		got := viewer.course(args...)
		compareGolden(t, name, strings.ReplaceAll(school.stable(got.String()), file, "policy.yaml"))
	}
}

// named returns an output with names for the id and the prefix of an institution.
func named(out, id, prefix string) string {
	out = strings.ReplaceAll(out, prefix, "iID-")
	return regexp.MustCompile(`\b`+id+`\b`).ReplaceAllString(out, "ID")
}

// compareGolden compares an output with the one in testdata/golden, or records it.
func compareGolden(t *testing.T, name, shown string) {
	t.Helper()
	g := NewWithT(t)
	golden := filepath.Join("testdata", "golden", name+".txt")
	if os.Getenv("UPDATE_GOLDEN") == "1" {
		g.Expect(os.MkdirAll(filepath.Dir(golden), 0o755)).To(Succeed())
		g.Expect(os.WriteFile(golden, []byte(shown), 0o600)).To(Succeed())
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Errorf("%v: record it with UPDATE_GOLDEN=1", err)
		return
	}
	if diff := cmp.Diff(string(want), shown); diff != "" {
		t.Errorf("%s: the command shows something else (-want +got):\n%s", golden, diff)
	}
}
