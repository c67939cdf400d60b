// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package alerts

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
)

// elsewhere are metrics of kube-state-metrics, which the alerts say that they need.
var elsewhere = regexp.MustCompile(`^kube_(statefulset|persistentvolumeclaim|pod)_[a-z_]+$`)

// TestQueries checks every query of the dashboards and the rules against docs/metrics.md. TestEveryQueryHasData of
// test/e2e, which has both programs running, has it run all of them as well, over what these showed: SCRAPES names the
// file.
func TestQueries(t *testing.T) {
	known := documented(t)
	for _, d := range definitions(t) {
		known.names(t, d.Alert+d.Record, d.Expr)
	}
	for _, dashboard := range dashboards(t) {
		for _, query := range dashboard.queries() {
			known.names(t, dashboard.Title+", "+query.name, query.Expr)
		}
	}
	if file := os.Getenv("SCRAPES"); file != "" {
		runAll(t, stored(t, readScrapes(t, file)))
	}
}

// metrics are the labels of each metric.
type metrics map[string][]string

var (
	documentedRow = regexp.MustCompile("(?m)^\\| `(completion_\\w+)` \\| \\w+ \\| (.*?) \\|")
	ofLibraries   = regexp.MustCompile(`^(go|process|workqueue|controller_runtime|leader_election|rest_client)_|^up$`)
	ofHistogram   = regexp.MustCompile(`_(bucket|count|sum)$`)
)

// documented returns the metrics of docs/metrics.md, which is made from the code, and those that are recorded.
func documented(t *testing.T) metrics {
	t.Helper()
	page, err := os.ReadFile(root + "/docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	found := metrics{}
	for _, row := range documentedRow.FindAllStringSubmatch(string(page), -1) {
		found[row[1]] = strings.Split(strings.ReplaceAll(row[2], "`", ""), ", ")
	}
	for _, d := range definitions(t) {
		if d.Record != "" {
			found[d.Record] = nil
		}
	}
	return found
}

// names checks that a program has each metric of an expression, with the labels that it is selected by.
func (m metrics) names(t *testing.T, name, expr string) {
	t.Helper()
	parsed, err := parser.NewParser(parser.Options{}).ParseExpr(expr)
	if err != nil {
		t.Errorf("%s: %v", name, err)
		return
	}
	parser.Inspect(parsed, func(node parser.Node, _ []parser.Node) error {
		selector, ok := node.(*parser.VectorSelector)
		if !ok || elsewhere.MatchString(selector.Name) || ofLibraries.MatchString(selector.Name) {
			return nil
		}
		metric := selector.Name
		if _, has := m[metric]; !has {
			metric = ofHistogram.ReplaceAllString(metric, "")
		}
		own, has := m[metric]
		if !has {
			t.Errorf("%s is about %s, which no program has", name, selector.Name)
			return nil
		}
		for _, matcher := range selector.LabelMatchers {
			if !slices.Contains(append([]string{"__name__", "namespace", "le"}, own...), matcher.Name) {
				t.Errorf("%s selects %s by the label %s, which it does not have", name, selector.Name, matcher.Name)
			}
		}
		return nil
	})
}

// runAll runs every query over what both programs showed.
func runAll(t *testing.T, shown *series) {
	t.Helper()
	run := 0
	if len(shown.ask(t, `completion_brake_tripped{namespace!="completion-system"}`)) == 0 {
		t.Error("the namespaces of institutions are lost: Prometheus writes that of the program over them")
	}
	for _, d := range definitions(t) {
		// Most alerts are silent, as they should be: that what they ask about can be there is enough. What is recorded has
		// to be there.
		shown.exists(t, d.Alert+d.Record, d.Expr, d.Record != "")
	}
	for _, dashboard := range dashboards(t) {
		for _, query := range dashboard.queries() {
			name := dashboard.Title + ", " + query.name
			// What is only there once something has gone wrong is shown as zero until then.
			_, fallsBack := strings.CutSuffix(query.Expr, "or vector(0)")
			shown.exists(t, name, query.Expr, !fallsBack)
			shown.answers(t, name, query)
			run++
		}
		for _, variable := range dashboard.Templating.List {
			shown.offers(t, dashboard.Title+", variable "+variable.Name, variable.Query)
		}
	}
	t.Logf("%d queries were run", run)
}

// dashboard is what is read of one.
type dashboard struct {
	Title      string
	Panels     []panel
	Templating struct {
		List []struct {
			Name  string
			Query string
		}
	}
}

type panel struct {
	Title   string
	Type    string
	GridPos struct{ X, Y, W, H float64 }
	Targets []query
	Panels  []panel

	FieldConfig struct {
		Defaults struct {
			Unit   string
			Custom struct {
				DrawStyle string
				Stacking  struct{ Mode string }
			}
		}
	}
}

// query is one of a panel.
type query struct {
	Expr         string
	LegendFormat string
	name         string
}

// dashboards returns what is shipped.
func dashboards(t *testing.T) []dashboard {
	t.Helper()
	files, err := filepath.Glob(root + "/config/components/grafana/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no dashboards: %v", err)
	}
	var found []dashboard
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var d dashboard
		if err := json.Unmarshal(text, &d); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		found = append(found, d)
	}
	return found
}

// filledIn returns an expression with the variables as Grafana fills them in where everything is chosen.
func filledIn(expr, rateInterval, all string) string {
	return strings.NewReplacer("$namespace", ".+", "$institution", ".+", "$__rate_interval", rateInterval,
		"$__range", all).Replace(expr)
}

// queries returns the queries of all panels.
func (d *dashboard) queries() []query {
	var found []query
	var collect func([]panel)
	collect = func(panels []panel) {
		for _, p := range panels {
			for _, q := range p.Targets {
				found = append(found, query{filledIn(q.Expr, "5m", "1h"), q.LegendFormat, p.Title})
			}
			collect(p.Panels)
		}
	}
	collect(d.Panels)
	return found
}

// exists checks that there are series of every selector of an expression, and every label that it groups by. If not
// strictly, it is enough that the metric has the labels that the selector names.
func (s *series) exists(t *testing.T, name, expr string, strictly bool) {
	t.Helper()
	parsed, err := parser.NewParser(parser.Options{}).ParseExpr(expr)
	if err != nil {
		t.Errorf("%s: %v", name, err)
		return
	}
	parser.Inspect(parsed, func(node parser.Node, _ []parser.Node) error {
		switch n := node.(type) {
		case *parser.VectorSelector:
			s.selects(t, name, n, strictly)
		case *parser.AggregateExpr:
			s.groups(t, name, n)
		}
		return nil
	})
}

func (s *series) selects(t *testing.T, name string, selector *parser.VectorSelector, strictly bool) {
	t.Helper()
	if elsewhere.MatchString(selector.Name) || len(s.ask(t, matching(selector.LabelMatchers))) > 0 {
		return
	}
	if strictly {
		t.Errorf("%s: there are no series of %s", name, selector)
		return
	}
	for _, matcher := range selector.LabelMatchers {
		has := fmt.Sprintf(`{__name__="%s",%s!=""}`, selector.Name, matcher.Name)
		if len(s.ask(t, has)) == 0 {
			t.Errorf("%s: no program has %s", name, has)
		}
	}
}

// groups checks that something of what is summed up has each of the labels.
func (s *series) groups(t *testing.T, name string, aggregate *parser.AggregateExpr) {
	t.Helper()
	for _, label := range aggregate.Grouping {
		found := false
		parser.Inspect(aggregate.Expr, func(node parser.Node, _ []parser.Node) error {
			if selector, ok := node.(*parser.VectorSelector); ok {
				has := fmt.Sprintf(`{__name__="%s",%s!=""}`, selector.Name, label)
				found = found || elsewhere.MatchString(selector.Name) || len(s.ask(t, has)) > 0
			}
			return nil
		})
		if !found {
			t.Errorf("%s: nothing that it groups by %s has that label", name, label)
		}
	}
}

// matching returns the selector with these matchers.
func matching(matchers []*labels.Matcher) string {
	var texts []string
	for _, matcher := range matchers {
		texts = append(texts, matcher.String())
	}
	return "{" + strings.Join(texts, ",") + "}"
}

var legendLabel = regexp.MustCompile(`{{\s*(\w+)\s*}}`)

// answers checks that a query has a result that can be drawn, with the labels that its legend names.
func (s *series) answers(t *testing.T, name string, query query) {
	t.Helper()
	result := slices.DeleteFunc(s.ask(t, query.Expr), func(sample promql.Sample) bool { return math.IsNaN(sample.F) })
	if len(result) == 0 {
		t.Errorf("%s: no data: %s", name, query.Expr)
		return
	}
	for _, label := range legendLabel.FindAllStringSubmatch(query.LegendFormat, -1) {
		if !slices.ContainsFunc(result, func(sample promql.Sample) bool { return sample.Metric.Has(label[1]) }) {
			t.Errorf("%s: nothing of the result has the label %s of the legend", name, label[1])
		}
	}
}

var labelValues = regexp.MustCompile(`^label_values\((.+), (\w+)\)$`)

// offers checks that a variable has something to choose from.
func (s *series) offers(t *testing.T, name, query string) {
	t.Helper()
	parts := labelValues.FindStringSubmatch(query)
	if parts == nil {
		if query != "prometheus" {
			t.Errorf("%s: the query is %q", name, query)
		}
		return
	}
	from := strings.ReplaceAll(parts[1], "$namespace", ".+")
	result := s.ask(t, from)
	if !slices.ContainsFunc(result, func(sample promql.Sample) bool { return sample.Metric.Has(parts[2]) }) {
		t.Errorf("%s: there is nothing to choose from: %s", name, query)
	}
}
