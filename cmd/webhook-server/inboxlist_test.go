// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lxp-dev/course-completion-operator/webhookserver/inbox"
)

// longInbox has more waiting records than a page of the administration has, with names that grow.
func longInbox(t *testing.T, records int) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "inbox.db")
	i, err := inbox.Open(path, inbox.Options{MaxBytes: 16 << 20})
	if err != nil {
		t.Fatal(err)
	}
	failures := make(chan error)
	for n := range records {
		go func() {
			failures <- i.Put(t.Context(), &inbox.Record{
				Received:   time.Date(2026, 11, 23, 21, 0, 0, n, time.UTC),
				DeliveryID: fmt.Sprintf("delivery-%d", n),
				Namespace:  "institution-12345", Name: fmt.Sprintf("12345-2-%d-4", 1000+n),
				Reason: "api-unreachable", Data: []byte(`{}`),
			})
		}()
	}
	for range records {
		if err := <-failures; err != nil {
			t.Error(err)
		}
	}
	if err := i.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// writes notes how much was printed by each write.
type writes struct {
	text            strings.Builder
	greatest, count int
}

func (w *writes) Write(p []byte) (int, error) {
	w.greatest, w.count = max(w.greatest, len(p)), w.count+1
	return w.text.Write(p)
}

// The program that lists shares its memory with the server: it must not gather a million records before it prints one.
func TestAListIsPrintedAsItComes(t *testing.T) {
	const records, line = 1700, 120
	var (
		out    writes
		errOut strings.Builder
	)
	if got := runInbox(t.Context(), []string{"list", "--file=" + longInbox(t, records)}, &out, &errOut); got != exitDone {
		t.Fatalf("exit code %d: %s", got, errOut.String())
	}
	lines := strings.Split(strings.TrimSuffix(out.text.String(), "\n"), "\n")
	if len(lines) != records+1 {
		t.Errorf("%d lines, want %d", len(lines), records+1)
	}
	if out.greatest == 0 || out.greatest > 501*line {
		t.Errorf("%d bytes were printed at once, in %d writes", out.greatest, out.count)
	}
	column := strings.Index(lines[0], "DELIVERY")
	for n, text := range lines[1:] {
		if !strings.HasPrefix(text[column:], "delivery-") {
			t.Fatalf("line %d does not stand below the head:\n%s\n%s", n+1, lines[0], text)
		}
	}
}

func TestAListIsCutAtItsLimit(t *testing.T) {
	const records = 700
	path := longInbox(t, records)
	for _, tc := range []struct {
		limit, want int
		wantMore    bool
	}{
		{0, records, false},
		{1, 1, true},
		{500, 500, true},
		{records - 1, records - 1, true},
		{records, records, false},
		{records + 1, records, false},
	} {
		for _, form := range []string{"--json=true", "--json=false"} {
			var out, errOut strings.Builder
			args := []string{"list", "--file=" + path, form, fmt.Sprintf("--limit=%d", tc.limit)}
			if got := runInbox(t.Context(), args, &out, &errOut); got != exitDone {
				t.Fatalf("exit code %d: %s", got, errOut.String())
			}
			if got := strings.Count(out.String(), "delivery-"); got != tc.want {
				t.Errorf("--limit=%d %s: %d records, want %d", tc.limit, form, got, tc.want)
			}
			if more := strings.Contains(errOut.String(), "There are more"); more != tc.wantMore {
				t.Errorf("--limit=%d %s: says that there are more: %v", tc.limit, form, more)
			}
		}
	}
}
