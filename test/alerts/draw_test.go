// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package alerts

import (
	"cmp"
	"encoding/xml"
	"fmt"
	"html"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestDraw draws the dashboards: the dashboard of institutions over the days that were played, the other one over the
// minutes that it took. It is no Grafana, and looks alike at most. hack/pictures has it draw into the folder PICTURES
// what both programs showed; here two scrapes will do, which show little.
func TestDraw(t *testing.T) {
	to := cmp.Or(os.Getenv("PICTURES"), t.TempDir())
	for _, d := range dashboards(t) {
		scrapes := twoScrapes()
		if file := os.Getenv("SCRAPES"); file != "" {
			scrapes = readScrapes(t, file)
		}
		name, rateInterval, all := "dashboard-operations.svg", "1m", "10m"
		if strings.HasSuffix(d.Title, "institutions") {
			name, rateInterval, all = "dashboard-institutions.svg", "12h", "30d"
			for i := range scrapes {
				scrapes[i].At = scrapes[i].Played
			}
		}
		shown := stored(t, scrapes)
		var moments []time.Time
		for _, one := range scrapes {
			if len(moments) == 0 || one.Job == scrapes[0].Job {
				moments = append(moments, one.At)
			} else {
				// What both programs showed last is there from the second one on.
				moments[len(moments)-1] = one.At
			}
		}
		picture := newPicture(d.Title, moments)
		for i := range d.Panels {
			p := &d.Panels[i]
			var drawn []curve
			for _, q := range p.Targets {
				q.Expr = filledIn(q.Expr, rateInterval, all)
				drawn = append(drawn, shown.over(t, q, moments)...)
			}
			slices.SortFunc(drawn, func(a, b curve) int { return cmp.Compare(a.name, b.name) })
			picture.panel(p, drawn)
		}
		text := picture.String()
		for i := range d.Panels {
			if !strings.Contains(text, ">"+html.EscapeString(d.Panels[i].Title)+"<") {
				t.Errorf("%s lacks the panel %s", name, d.Panels[i].Title)
			}
		}
		if err := xml.Unmarshal([]byte(text), new(struct{})); err != nil {
			t.Errorf("%s is no XML: %v", name, err)
		}
		if err := os.WriteFile(filepath.Join(to, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// twoScrapes are two moments of a controller-manager that has two Grants, and then three.
func twoScrapes() []scrape {
	const text = `completion_grants{namespace="institution-1",institution="school",phase="Active"} %d` + "\n"
	at := time.Unix(1_800_000_000, 0)
	var scrapes []scrape
	for i := range 2 {
		moment := at.Add(time.Duration(i) * time.Minute)
		scrapes = append(scrapes, scrape{At: moment, Played: moment, Job: "completion-controller-manager-metrics", Pod: "a",
			Text: fmt.Sprintf(text, i+2)})
	}
	return scrapes
}

// curve is one line of a panel: a value for each moment, or none (not a number).
type curve struct {
	name   string
	values []float64
}

// over returns the result of a query at each of some moments.
func (s *series) over(t *testing.T, q query, moments []time.Time) []curve {
	t.Helper()
	byName := map[string]*curve{}
	for i, at := range moments {
		moment := *s
		moment.at = at
		// Bars of an hour stand for what lies between two moments.
		expr := strings.ReplaceAll(q.Expr, "[1h]", "["+span(moments)+"]")
		for _, sample := range moment.ask(t, expr) {
			name := legendLabel.ReplaceAllStringFunc(q.LegendFormat, func(label string) string {
				return sample.Metric.Get(strings.Trim(label, "{} "))
			})
			if byName[name] == nil {
				byName[name] = &curve{name, slices.Repeat([]float64{math.NaN()}, len(moments))}
			}
			byName[name].values[i] = sample.F
		}
	}
	var found []curve
	for _, one := range byName {
		found = append(found, *one)
	}
	return found
}

// span is a little more than what lies between two moments, so that a range has both; an hour at least.
func span(moments []time.Time) string {
	if len(moments) < 2 {
		return "1h"
	}
	return max(time.Hour, moments[1].Sub(moments[0])+time.Minute).String()
}
