// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package alerts

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/textparse"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/promqltest"
	"github.com/prometheus/prometheus/rules"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/util/teststorage"
	"go.yaml.in/yaml/v3"
)

// scrape is what one program showed at a moment. TestEveryQueryHasData of test/e2e writes them.
type scrape struct {
	At time.Time
	// Played is the moment that it is taken for in a picture.
	Played time.Time
	Job    string
	Pod    string
	Text   string
}

// series is a database with what was scraped, and with what the rules recorded of it.
type series struct {
	engine *promql.Engine
	from   storage.Storage
	// at is when the last scrape was.
	at time.Time
}

// readScrapes reads what was scraped, in the order of time.
func readScrapes(t *testing.T, file string) []scrape {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var scrapes []scrape
	if err := json.Unmarshal(text, &scrapes); err != nil || len(scrapes) == 0 {
		t.Fatalf("%d scrapes in %s: %v", len(scrapes), file, err)
	}
	return scrapes
}

// stored puts scrapes into a database as Prometheus does, and evaluates the rules that record at each of them.
func stored(t *testing.T, scrapes []scrape) *series {
	t.Helper()
	s := &series{engine: promqltest.NewTestEngine(t, false, 0, 1_000_000), from: teststorage.New(t)}
	honors := honored(t)
	_, recording := shippedRules(t)
	for i, one := range scrapes {
		if err := s.add(t.Context(), &one, honors[one.Job]); err != nil {
			t.Fatalf("the metrics of %s: %v", one.Pod, err)
		}
		s.at = one.At
		if last := i == len(scrapes)-1; last || !scrapes[i+1].At.Equal(one.At) && scrapes[i+1].Job == scrapes[0].Job {
			record(t, recording, s.from, rules.EngineQueryFunc(s.engine, s.from), s.at)
		}
	}
	return s
}

// honored tells of which jobs the labels of the metrics go before those of the target.
func honored(t *testing.T) map[string]bool {
	t.Helper()
	file, err := os.Open(component + "/service_monitors.yaml")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	found := map[string]bool{}
	for documents := yaml.NewDecoder(file); ; {
		var monitor struct {
			Metadata struct{ Name string }
			Spec     struct {
				Endpoints []struct {
					HonorLabels bool `yaml:"honorLabels"`
				}
			}
		}
		err := documents.Decode(&monitor)
		if errors.Is(err, io.EOF) {
			return found
		}
		if err != nil {
			t.Fatal(err)
		}
		found[monitor.Metadata.Name+"-metrics"] = monitor.Spec.Endpoints[0].HonorLabels
	}
}

func (s *series) add(ctx context.Context, one *scrape, honorLabels bool) error {
	target := map[string]string{
		"namespace": "completion-system", "job": one.Job, "service": one.Job, "pod": one.Pod, "instance": one.Pod,
		"endpoint": "metrics",
	}
	appender := s.from.Appender(ctx)
	up := labels.NewBuilder(labels.FromMap(target)).Set("__name__", "up").Labels()
	if _, err := appender.Append(0, up, one.At.UnixMilli(), 1); err != nil {
		return err
	}
	parsed, err := textparse.New([]byte(one.Text), "text/plain; version=0.0.4", nil, textparse.ParserOptions{})
	if err != nil {
		return err
	}
	for {
		entry, err := parsed.Next()
		if errors.Is(err, io.EOF) {
			return appender.Commit()
		}
		if err != nil {
			return err
		}
		if entry != textparse.EntrySeries {
			continue
		}
		var metric labels.Labels
		parsed.Labels(&metric)
		built := labels.NewBuilder(metric)
		for name, value := range target {
			if own := metric.Get(name); own != "" && honorLabels {
				continue
			} else if own != "" {
				built.Set("exported_"+name, own)
			}
			built.Set(name, value)
		}
		_, _, value := parsed.Series()
		if _, err := appender.Append(0, built.Labels(), one.At.UnixMilli(), value); err != nil {
			return err
		}
	}
}

// ask returns the result of a query at the moment of the last scrape.
func (s *series) ask(t *testing.T, expr string) promql.Vector {
	t.Helper()
	query, err := s.engine.NewInstantQuery(t.Context(), s.from, nil, expr, s.at)
	if err != nil {
		t.Errorf("%s: %v", expr, err)
		return nil
	}
	defer query.Close()
	result, err := query.Exec(t.Context()).Vector()
	if err != nil {
		t.Errorf("%s: %v", expr, err)
	}
	return append(promql.Vector(nil), result...)
}
