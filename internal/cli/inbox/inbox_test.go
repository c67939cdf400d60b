// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package inbox

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lxp-dev/course-completion-operator/internal/cli/replicas"
)

var noon = time.Date(2026, 10, 1, 12, 0, 0, 0, time.UTC)

func record(number uint64, state string, old time.Duration) *replicas.Record {
	return &replicas.Record{
		Replica: "completion-webhook-server-1", Record: number, State: state, Received: noon.Add(-old),
		DeliveryID: "01a218b8-8dae-7f29-a7e0-413db6c824f1", Completion: "school/12345-123456-11-7", Reason: "api-invalid",
		Attempts: 2,
	}
}

func TestNamesOfRecords(t *testing.T) {
	t.Parallel()
	all := []*replicas.Replica{{Pod: "completion-webhook-server-0"}, {Pod: "completion-webhook-server-10"}}
	n, err := parseNames([]string{
		"0/17", "completion-webhook-server-0/3", "10/17", "0/17", "01a218b8-8dae-7f29-a7e0-413db6c824f1",
	}, all)
	if err != nil {
		t.Fatal(err)
	}
	for of, want := range map[*replicas.Replica][]uint64{all[0]: {3, 17}, all[1]: {17}} {
		if diff := cmp.Diff(want, n.numbers[of]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", of.Pod, diff)
		}
	}
	if diff := cmp.Diff([]string{"01a218b8-8dae-7f29-a7e0-413db6c824f1"}, n.deliveries); diff != "" {
		t.Errorf("deliveries (-want +got):\n%s", diff)
	}
	for wrong, want := range map[string]string{
		"17":         "write 0/17 for the first one",
		"2/17":       "there is no replica 2: the last one is 10",
		"0/seventy":  `"0/seventy" is not a record`,
		"12345-1-2":  "is not a record: use a name from",
		"0/17/extra": `"0/17/extra" is not a record`,
		"/17":        "there is no replica : ",
	} {
		if _, err := parseNames([]string{wrong}, all); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", wrong, err, want)
		}
	}
}

func TestSelection(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		selection selection
		want      bool
	}{
		"everything": {selection{}, true},
		"all that can be said": {
			selection{namespace: "school", user: "7", reasons: []string{"other", "api-invalid"}}, true,
		},
		"another namespace":      {selection{namespace: "schoo"}, false},
		"another user":           {selection{user: "11"}, false},
		"the end of user's name": {selection{user: "11-7"}, false},
		"another reason":         {selection{reasons: []string{"api-away"}}, false},
		"another delivery":       {selection{deliveries: []string{"01a218b8-8dae-7f29-a7e0-413db6c824f2"}}, false},
		"the delivery":           {selection{deliveries: []string{"01a218b8-8dae-7f29-a7e0-413db6c824f1"}}, true},
	} {
		if got := tc.selection.wants(record(1, replicas.Dead, 0)); got != tc.want {
			t.Errorf("%s: got %t", name, got)
		}
	}
	// The webhook server may cut the list only where it knows what is wanted.
	if got := (&selection{state: "dead"}).args(3); !slices.Contains(got, "--limit=3") {
		t.Errorf("got %q", got)
	}
	if got := (&selection{state: "dead", user: "7"}).args(3); slices.Contains(got, "--limit=3") {
		t.Errorf("got %q", got)
	}
}

// Dead letters wait for a person, and so come first.
func TestOrder(t *testing.T) {
	t.Parallel()
	records := []*replicas.Record{
		record(1, replicas.Waiting, time.Hour), record(2, replicas.Dead, time.Minute), record(3, replicas.Dead, time.Hour),
		record(4, replicas.Waiting, time.Minute),
	}
	slices.SortFunc(records, func(a, b *replicas.Record) int {
		if before(a, b) {
			return -1
		}
		return 1
	})
	var got []uint64
	for _, r := range records {
		got = append(got, r.Record)
	}
	if diff := cmp.Diff([]uint64{3, 2, 1, 4}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestCells(t *testing.T) {
	t.Parallel()
	want := []string{
		"1/17", "dead", "3h", "2", "api-invalid", "school", "12345-123456-11-7", "01a218b8-8dae-7f29-a7e0-413db6c824f1",
		"2026-10-01T09:00:00Z", "completion-webhook-server-1",
	}
	if diff := cmp.Diff(want, cells(record(17, replicas.Dead, 3*time.Hour), noon, true)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if wide, narrow := len(headers(true)), len(headers(false)); wide != len(want) || narrow != len(want)-2 {
		t.Errorf("%d and %d headers", wide, narrow)
	}
}

// However many are chosen, those that are shown are the first of all, and only their numbers are kept of the others.
func TestAChoiceShowsTheFirst(t *testing.T) {
	t.Parallel()
	c := &choice{numbers: map[*replicas.Replica][]uint64{}, first: newFinding(nil)}
	of := &replicas.Replica{}
	for n := range uint64(100) {
		state := replicas.Dead
		if n%2 == 1 {
			state = replicas.Waiting
		}
		if err := c.add(of, record(n, state, time.Duration(n)*time.Second)); err != nil {
			t.Fatal(err)
		}
	}
	if c.dead != 50 || c.waiting != 50 || len(c.numbers[of]) != 100 || len(c.first.records) != listed {
		t.Errorf("%d dead letters, %d waiting, %d numbers, %d shown", c.dead, c.waiting, len(c.numbers[of]),
			len(c.first.records))
	}
	for i, r := range c.first.records {
		if want := uint64(98 - 2*i); r.Record != want {
			t.Errorf("record %d is the %dth, want %d", r.Record, i, want)
		}
	}
}
