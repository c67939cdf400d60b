// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package alerts

import (
	"os"
	"regexp"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/prometheus/promql/promqltest"
)

// TestCostQuery runs the query of docs/install.md over what kube-state-metrics shows of granted namespaces.
func TestCostQuery(t *testing.T) {
	page, err := os.ReadFile("../../docs/install.md")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`(?m)^    sum by \(label_completions_lxp_dev_policy\)(?:.*\n    )*.*$`).Find(page)
	if found == nil {
		t.Fatal("the page has no query about costs")
	}
	shown := &series{engine: promqltest.NewTestEngine(t, false, 0, 1_000_000), at: time.Unix(60, 0),
		from: promqltest.LoadedStorage(t, `load 1m
  kube_resourcequota{namespace="grad-1", resourcequota="completion-quota", resource="requests.cpu", type="used"} 1 1
  kube_resourcequota{namespace="grad-1", resourcequota="completion-quota", resource="requests.cpu", type="hard"} 4 4
  kube_resourcequota{namespace="grad-2", resourcequota="completion-quota", resource="requests.cpu", type="used"} 2 2
  kube_resourcequota{namespace="grad-3", resourcequota="completion-quota", resource="requests.cpu", type="used"} 3 3
  kube_namespace_labels{namespace="grad-1", label_completions_lxp_dev_policy="lab"} 1 1
  kube_namespace_labels{namespace="grad-2", label_completions_lxp_dev_policy="lab"} 1 1
  kube_namespace_labels{namespace="grad-3", label_completions_lxp_dev_policy="exam"} 1 1
`)}
	got := map[string]float64{}
	for _, sample := range shown.ask(t, string(found)) {
		got[sample.Metric.Get("label_completions_lxp_dev_policy")] = sample.F
	}
	if diff := cmp.Diff(map[string]float64{"lab": 3, "exam": 3}, got); diff != "" {
		t.Errorf("CPU by policy (-want +got):\n%s", diff)
	}
}
