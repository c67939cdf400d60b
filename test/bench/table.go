// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// table is what is printed at the end.
type table struct {
	began time.Time
	rows  []row
	notes []string
}

// row is one figure.
type row struct {
	figure    string
	got       string
	reference string
	ratio     string
	target    string
	met       bool
}

// compare adds a figure that is measured in deliveries a second. Each run has its reference right beside it, so the
// ratio is the median of theirs: a machine that is busy for some of the runs changes the rates, and hardly the ratios.
func (t *table) compare(figure, reference string, got, want []float64, least float64) {
	var ratios []float64
	for i := range min(len(got), len(want)) {
		ratios = append(ratios, got[i]/want[i])
	}
	ratio := median(ratios)
	t.rows = append(t.rows, row{
		figure:    figure,
		got:       fmt.Sprintf("%.0f/s", median(got)),
		reference: fmt.Sprintf("%.0f/s %s", median(want), reference),
		ratio:     fmt.Sprintf("%.2f", ratio),
		target:    fmt.Sprintf(">= %.2f", least),
		met:       ratio >= least,
	})
	t.note("%s: %s; %s: %s", figure, rates(got), reference, rates(want))
}

// atMost adds a figure that may be so many times its reference.
func (t *table) atMost(figure, got, reference string, ratio, most float64) {
	t.rows = append(t.rows, row{
		figure: figure, got: got, reference: reference, ratio: fmt.Sprintf("%.2f", ratio),
		target: fmt.Sprintf("<= %.2f", most), met: ratio <= most,
	})
}

// equal adds a count that has to be what it is compared with.
func (t *table) equal(figure string, got, want int, reference string) {
	t.rows = append(t.rows, row{
		figure: figure, got: fmt.Sprint(got), reference: fmt.Sprintf("%d %s", want, reference), ratio: "-",
		target: "equal", met: got == want,
	})
}

// bound adds a figure that stands alone.
func (t *table) bound(figure, got, target string, met bool) {
	t.rows = append(t.rows, row{figure: figure, got: got, reference: "-", ratio: "-", target: target, met: met})
}

func (t *table) note(format string, args ...any) {
	t.notes = append(t.notes, fmt.Sprintf(format, args...))
}

func (t *table) print(out io.Writer) {
	fmt.Fprintln(out)
	columns := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(columns, "FIGURE\tMEASURED\tREFERENCE IN THE SAME RUN\tRATIO\tTARGET\t")
	for _, r := range t.rows {
		verdict := "met"
		if !r.met {
			verdict = "MISSED"
		}
		fmt.Fprintf(columns, "%s\t%s\t%s\t%s\t%s\t%s\n", r.figure, r.got, r.reference, r.ratio, r.target, verdict)
	}
	_ = columns.Flush()
	fmt.Fprintf(out, "\nDetails (%s in all, load generator on the same machine):\n",
		time.Since(t.began).Round(time.Second))
	for _, text := range t.notes {
		fmt.Fprintf(out, "- %s\n", text)
	}
}

// median returns the middle of some values, 0 of none.
func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	switch n := len(sorted); {
	case n == 0:
		return 0
	case n%2 == 1:
		return sorted[n/2]
	default:
		return (sorted[n/2-1] + sorted[n/2]) / 2
	}
}

func rates(values []float64) string {
	texts := []string{"runs"}
	for _, value := range values {
		texts = append(texts, fmt.Sprintf("%.0f", value))
	}
	return strings.Join(texts, " ") + " per second"
}
