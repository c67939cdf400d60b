// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package docs

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	metric     = regexp.MustCompile(`\bcompletion_[a-z_]+\*?`)
	documented = regexp.MustCompile("(?m)^\\| `(completion_[a-z_]+)` \\|")
)

// Every metric that a page names exists: docs/metrics.md is generated from the code.
func TestMetricsInThePagesExist(t *testing.T) {
	all := pages(t)
	var exist []string
	for _, row := range documented.FindAllStringSubmatch(all[filepath.Join(root, "docs", "metrics.md")], -1) {
		exist = append(exist, row[1])
	}
	if len(exist) < 10 {
		t.Fatalf("docs/metrics.md has %d metrics", len(exist))
	}
	for page, text := range all {
		for _, name := range metric.FindAllString(text, -1) {
			if !known(exist, name) {
				t.Errorf("%s: there is no metric %s", page, name)
			}
		}
	}
}

// known reports whether a name is that of a metric, of the buckets of a histogram, or the beginning of some (with a *).
func known(exist []string, name string) bool {
	begin, family := strings.CutSuffix(name, "*")
	for _, metric := range exist {
		if metric == strings.TrimSuffix(name, "_bucket") || family && strings.HasPrefix(metric, begin) {
			return true
		}
	}
	return false
}
