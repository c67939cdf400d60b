// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package send

import (
	"time"

	"github.com/lxp-dev/course-completion-operator/internal/sender"
)

// sending is what came of a run, as data. Seed, start and mix are what repeats it.
type sending struct {
	Seed         uint64         `json:"seed"`
	Start        string         `json:"start"`
	Mix          string         `json:"mix"`
	Sent         int            `json:"sent"`
	Seconds      float64        `json:"seconds"`
	Acknowledged int            `json:"acknowledged"`
	Kinds        map[string]int `json:"kinds"`
	Verdicts     map[string]int `json:"verdicts"`
	Answers      map[string]int `json:"answers"`
	Unexpected   []string       `json:"unexpected,omitempty"`
	// Latency is how long answers took, in seconds.
	Latency latency `json:"latencySeconds"`
}

type latency struct {
	P50     float64 `json:"p50"`
	P99     float64 `json:"p99"`
	Longest float64 `json:"longest"`
}

func sendingOf(plan sender.Plan, r *sender.Report) sending {
	return sending{
		Seed: plan.Seed, Start: plan.Start.Format(time.DateTime), Mix: plan.Mix.String(),
		Sent: r.Sent, Seconds: r.Elapsed.Seconds(), Acknowledged: r.Verdicts[sender.VerdictAcknowledged],
		Kinds: counts(r.Kinds), Verdicts: counts(r.Verdicts), Answers: counts(r.Answers), Unexpected: r.Examples,
		Latency: latency{r.Latency.Quantile(0.5).Seconds(), r.Latency.Quantile(0.99).Seconds(), r.Latency.Max().Seconds()},
	}
}

func counts[K ~string](of map[K]int) map[string]int {
	all := make(map[string]int, len(of))
	for key, n := range of {
		all[string(key)] = n
	}
	return all
}
