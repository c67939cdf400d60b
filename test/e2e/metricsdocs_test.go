// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/lxp-dev/course-completion-operator/test/cluster"
)

var (
	documentedRow = regexp.MustCompile("(?m)^\\| `(completion_\\w+)` \\| (\\w+) \\| (.*?) \\| (.*) \\| \\[")
	helpLine      = regexp.MustCompile(`^# HELP (\w+) (.*)$`)
	typeLine      = regexp.MustCompile(`^# TYPE (\w+) (\w+)$`)
	seriesLine    = regexp.MustCompile(`^(\w+?)(?:_bucket|_sum|_count)?(?:\{(.*)\})? \S+$`)
	labelName     = regexp.MustCompile(`(?:^|,)(\w+)="(?:[^"\\]|\\.)*"`)
	// ofLibraries are the metrics that docs/metrics.md names by their beginning.
	ofLibraries = regexp.MustCompile(`^(go|process|workqueue|controller_runtime|leader_election|rest_client|certwatcher)_`)
)

// shown is what a program shows of a metric.
type shown struct{ kind, help, labels string }

// expose reads the metrics that a program shows.
func expose(text string) map[string]shown {
	found := map[string]shown{}
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if parts := helpLine.FindStringSubmatch(line); parts != nil {
			m := found[parts[1]]
			m.help = parts[2]
			found[parts[1]] = m
		} else if parts := typeLine.FindStringSubmatch(line); parts != nil {
			m := found[parts[1]]
			m.kind = parts[2]
			found[parts[1]] = m
		} else if parts := seriesLine.FindStringSubmatch(line); parts != nil {
			var labels []string
			for _, label := range labelName.FindAllStringSubmatch(parts[2], -1) {
				if label[1] != "le" {
					labels = append(labels, label[1])
				}
			}
			slices.Sort(labels)
			m := found[parts[1]]
			m.labels = strings.Join(labels, ", ")
			found[parts[1]] = m
		}
	}
	return found
}

// describes compares docs/metrics.md with what both programs show.
func describes(t *testing.T, webhookServer, controllerManager string) {
	g := NewWithT(t)
	root, err := cluster.RepositoryRoot()
	g.Expect(err).NotTo(HaveOccurred())
	page, err := os.ReadFile(filepath.Join(root, "docs", "metrics.md"))
	g.Expect(err).NotTo(HaveOccurred())
	ofServer, rest, _ := strings.Cut(string(page), "## Controller-manager")
	ofManager, ofBoth, _ := strings.Cut(rest, "## Both programs")
	for program, tc := range map[string]struct{ text, pages string }{
		"webhook-server": {webhookServer, ofServer + ofBoth}, "controller-manager": {controllerManager, ofManager + ofBoth},
	} {
		exposed := expose(tc.text)
		for _, row := range documentedRow.FindAllStringSubmatch(tc.pages, -1) {
			labels := strings.Split(strings.ReplaceAll(row[3], "`", ""), ", ")
			slices.Sort(labels)
			want := shown{row[2], row[4], strings.TrimSpace(strings.Join(labels, ", "))}
			got, ok := exposed[row[1]]
			g.Expect(ok).To(BeTrue(), "%s does not show %s", program, row[1])
			g.Expect(got).To(Equal(want), "%s shows %s otherwise than docs/metrics.md says", program, row[1])
			delete(exposed, row[1])
		}
		for name := range exposed {
			g.Expect(name).To(MatchRegexp(ofLibraries.String()), "%s shows what docs/metrics.md does not have", program)
		}
	}
}
