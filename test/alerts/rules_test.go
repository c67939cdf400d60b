// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package alerts has the alerts of config/components/prometheus judged by Prometheus itself. It is a module of its own,
// which keeps Prometheus out of the product's dependencies.
package alerts

import (
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
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

// definitions returns the alerts as they are shipped.
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

// shippedRules returns the alerts by their names, ready to be evaluated.
func shippedRules(t *testing.T) map[string]*rules.AlertingRule {
	t.Helper()
	shipped := make(map[string]*rules.AlertingRule)
	for _, d := range definitions(t) {
		expr, err := parser.NewParser(parser.Options{}).ParseExpr(d.Expr)
		if err != nil {
			t.Fatalf("%s: %v", d.Alert, err)
		}
		shipped[d.Alert] = rules.NewAlertingRule(d.Alert, expr, time.Duration(d.For), time.Duration(d.KeepFiringFor),
			labels.FromMap(d.Labels), labels.FromMap(d.Annotations), labels.EmptyLabels(), "", true,
			slog.New(slog.DiscardHandler))
	}
	return shipped
}

// Whoever is woken by an alert looks for its name in the page that it points to.
func TestEachAlertIsExplained(t *testing.T) {
	page, err := os.ReadFile(root + "/docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range definitions(t) {
		if !strings.Contains(string(page), "\n**`"+d.Alert+"`**") {
			t.Errorf("docs/operations.md has no paragraph about %s", d.Alert)
		}
		if severity := d.Labels["severity"]; severity != "warning" && severity != "critical" {
			t.Errorf("%s has the severity %q", d.Alert, severity)
		}
		for _, annotation := range []string{"summary", "description"} {
			if d.Annotations[annotation] == "" {
				t.Errorf("%s has no %s", d.Alert, annotation)
			}
		}
	}
}

// An alert about a metric that was renamed never fires, and nobody sees that.
func TestAlertsAreAboutMetricsThatThereAre(t *testing.T) {
	var source strings.Builder
	for _, pattern := range []string{
		"webhookserver/*.go", "webhookserver/store/*.go", "controllers/*.go", "internal/informers/*.go",
	} {
		files, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			source.Write(text)
		}
	}
	metric := regexp.MustCompile(`\bcompletion_[a-z_]+`)
	for _, d := range definitions(t) {
		for _, name := range metric.FindAllString(d.Expr, -1) {
			if !strings.Contains(source.String(), `"`+name+`"`) {
				t.Errorf("%s is about %s, which no program has", d.Alert, name)
			}
		}
	}
}
