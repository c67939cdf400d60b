// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package alerts has the alerts of config/components/prometheus judged by Prometheus itself. It is a module of its own,
// which keeps Prometheus out of the product's dependencies.
package alerts

import (
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/rules"
	"go.yaml.in/yaml/v3"
)

const (
	root      = "../.."
	component = root + "/config/components/prometheus"
)

// definitions returns the rules as they are shipped, those that record and those that raise alerts, in their order.
func definitions(t *testing.T) []rulefmt.Rule {
	t.Helper()
	var kustomization struct{ Resources []string }
	readYAML(t, filepath.Join(component, "kustomization.yaml"), &kustomization)
	var found []rulefmt.Rule
	files, err := filepath.Glob(component + "/*_rules.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no rules: %v", err)
	}
	for _, file := range files {
		if !slices.Contains(kustomization.Resources, filepath.Base(file)) {
			t.Errorf("%s is in no kustomization", file)
		}
		var object struct {
			Spec struct {
				Groups []struct{ Rules []rulefmt.Rule }
			}
		}
		readYAML(t, file, &object)
		for _, group := range object.Spec.Groups {
			found = append(found, group.Rules...)
		}
	}
	return found
}

func readYAML(t *testing.T, file string, into any) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, into); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
}

// shippedRules returns the alerts by their names, and what is recorded for them, ready to be evaluated.
func shippedRules(t *testing.T) (map[string]*rules.AlertingRule, []*rules.RecordingRule) {
	t.Helper()
	shipped := make(map[string]*rules.AlertingRule)
	var recording []*rules.RecordingRule
	for _, d := range definitions(t) {
		expr, err := parser.NewParser(parser.Options{}).ParseExpr(d.Expr)
		if err != nil {
			t.Fatalf("%s%s: %v", d.Alert, d.Record, err)
		}
		if d.Record != "" {
			recording = append(recording, rules.NewRecordingRule(d.Record, expr, labels.FromMap(d.Labels)))
			continue
		}
		shipped[d.Alert] = rules.NewAlertingRule(d.Alert, expr, time.Duration(d.For), time.Duration(d.KeepFiringFor),
			labels.FromMap(d.Labels), labels.FromMap(d.Annotations), labels.EmptyLabels(), "", true,
			slog.New(slog.DiscardHandler))
	}
	return shipped, recording
}

// runbook is the page that the annotations runbook_url of the alerts lead to.
const runbook = "https://github.com/lxp-dev/course-completion-operator/blob/main/docs/alerts.md#"

// Whoever is woken by an alert follows its link.
func TestEachAlertIsExplained(t *testing.T) {
	page, err := os.ReadFile(root + "/docs/alerts.md")
	if err != nil {
		t.Fatal(err)
	}
	explained := map[string]string{}
	for _, section := range strings.Split(string(page), "\n### ")[1:] {
		name, text, _ := strings.Cut(section, "\n")
		explained[name] = text
	}
	for _, d := range definitions(t) {
		if d.Alert == "" {
			continue
		}
		severity := d.Labels["severity"]
		if severity != "warning" && severity != "critical" {
			t.Errorf("%s has the severity %q", d.Alert, severity)
		}
		for _, annotation := range []string{"summary", "description"} {
			if d.Annotations[annotation] == "" {
				t.Errorf("%s has no %s", d.Alert, annotation)
			}
		}
		if got, want := d.Annotations["runbook_url"], runbook+strings.ToLower(d.Alert); got != want {
			t.Errorf("%s has the runbook_url %q, want %q", d.Alert, got, want)
		}
		text, ok := explained[d.Alert]
		if !ok {
			t.Errorf("docs/alerts.md has no section %s", d.Alert)
		}
		delete(explained, d.Alert)
		if said := strings.ToLower(strings.TrimSpace(text)); !strings.HasPrefix(said, severity) {
			t.Errorf("docs/alerts.md does not begin what it says of %s with its severity, %s", d.Alert, severity)
		}
		for _, part := range []string{"**Meaning.**", "**Impact.**", "**Look at**", "**Do.**"} {
			if !strings.Contains(text, "\n"+part) {
				t.Errorf("docs/alerts.md says nothing of %s under %s", d.Alert, part)
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(explained)) {
		t.Errorf("docs/alerts.md explains %s, which is no alert", name)
	}
}
