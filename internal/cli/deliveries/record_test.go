// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package deliveries

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
)

const line = `{"@timestamp":"2026-10-01T12:00:00.5Z","ecs":{"version":"9.4.0"},` +
	`"event":{"id":"d-1","kind":"event","action":"deliver","outcome":"success","reason":"stored","duration":90000000},` +
	`"http":{"request":{"method":"POST","body":{"bytes":407}},"response":{"status_code":200}},` +
	`"url":{"path":"/webhooks/501/***"},"source":{"ip":"192.0.2.1"},"organization":{"id":"501"},` +
	`"orchestrator":{"namespace":"institution-501","resource":{"name":"501-123456-11-7"}},"user":{"target":{"id":"7"}},` +
	`"completion":{"outcome":"created","course_id":"123456","enrollment_id":"11"}}`

func TestParse(t *testing.T) {
	t.Parallel()
	for _, other := range []string{
		"", "not JSON", `{"level":"info","ts":"2026-10-01T12:00:00Z","msg":"Starting webhook server"}`, "{", "null",
		`{"level":"info","msg":"Audit record","record":{"event":{"id":"d-1"},"completion":{"outcome":"created"}}}`,
	} {
		if r, ok := parse([]byte(other)); ok {
			t.Errorf("%q was taken for %+v", other, r)
		}
	}
	r, ok := parse([]byte(line))
	if !ok {
		t.Fatal("the record was not read")
	}
	want := []string{"2026-10-01T12:00:00.500Z", "created", "stored", "200", "501", "123456", "11", "7", "d-1"}
	if diff := cmp.Diff(want, r.cells(time.UTC, false)); diff != "" {
		t.Errorf("cells (-want +got):\n%s", diff)
	}
}

func TestFilter(t *testing.T) {
	t.Parallel()
	r, _ := parse([]byte(line))
	for name, tc := range map[string]struct {
		filter filter
		want   bool
	}{
		"everything":      {filter{}, true},
		"the user":        {filter{user: 7, course: 123456, institution: 501, enrollment: 11}, true},
		"another user":    {filter{user: 8}, false},
		"another course":  {filter{user: 7, course: 1}, false},
		"the outcome":     {filter{outcomes: []string{"refused", "created"}}, true},
		"another outcome": {filter{outcomes: []string{"refused"}}, false},
		"another reason":  {filter{reasons: []string{"api-away"}}, false},
		"the delivery":    {filter{delivery: "d-1"}, true},
		"the completion":  {filter{completion: "501-123456-11-7"}, true},
		"too old":         {filter{since: r.Time.Add(time.Second)}, false},
		"too new":         {filter{until: r.Time.Add(-time.Second)}, false},
		"in time":         {filter{since: r.Time.Add(-time.Second), until: r.Time.Add(time.Second)}, true},
	} {
		if got := tc.filter.wants(r); got != tc.want {
			t.Errorf("%s: got %t", name, got)
		}
	}
}

// However many there are, the newest are kept, in the order of time.
func TestNewest(t *testing.T) {
	t.Parallel()
	kept := newest{most: 3}
	start := time.Date(2026, 10, 1, 12, 0, 0, 0, time.UTC)
	for i := range 100 {
		// Two logs, each in order, that overlap.
		one := &record{Time: start.Add(time.Duration(i*37%100) * time.Second)}
		one.Event.ID = fmt.Sprint(i)
		kept.add(one)
		if len(kept.kept) >= 6 {
			t.Fatalf("%d are kept of at most 3", len(kept.kept))
		}
	}
	kept.trim()
	var got []string
	for _, r := range kept.kept {
		got = append(got, r.Time.Format("04:05"))
	}
	if diff := cmp.Diff([]string{"01:37", "01:38", "01:39"}, got); diff != "" || kept.left != 97 {
		t.Errorf("%d left out, (-want +got):\n%s", kept.left, diff)
	}
}

func TestElsewhere(t *testing.T) {
	t.Parallel()
	for want, args := range map[string][]string{
		"":                   {"--listen-address=:8080"},
		"/audit/audit.jsonl": {"--audit-log=/audit/audit.jsonl"},
		"/audit/other.jsonl": {"-audit-log", "/audit/other.jsonl"},
	} {
		pod := &corev1.Pod{Spec: corev1.PodSpec{Containers: []corev1.Container{{Args: args}}}}
		if got := elsewhere(pod); got != want {
			t.Errorf("%q: got %q, want %q", args, got, want)
		}
	}
}
