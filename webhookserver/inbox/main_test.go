// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package inbox

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

const maxBytes = 64 << 20

var received = time.Date(2026, 11, 23, 21, 0, 0, 123456789, time.UTC)

// TestMain lets a test run this program again as the process that it kills or limits.
func TestMain(m *testing.M) {
	if child := os.Getenv(childEnv); child != "" {
		os.Exit(children[child]())
	}
	os.Exit(m.Run())
}

func newPath(t *testing.T) string { return filepath.Join(t.TempDir(), "inbox.db") }

func open(t *testing.T, path string, change ...func(*Options)) *Inbox {
	t.Helper()
	options := Options{MaxBytes: maxBytes}
	for _, c := range change {
		c(&options)
	}
	i, err := Open(path, options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeInbox(t, i) })
	return i
}

func closeInbox(t *testing.T, i *Inbox) {
	t.Helper()
	if err := i.Close(); err != nil {
		t.Error(err)
	}
}

func newRecord(n int) *Record {
	return &Record{
		Received: received.Add(time.Duration(n) * time.Second), DeliveryID: fmt.Sprintf("delivery-%d", n),
		Namespace: fmt.Sprintf("institution-%d", n%3), Name: fmt.Sprintf("1-2-%d-4", n), Reason: "api-unreachable",
		Data: fmt.Appendf(nil, `{"n":%d}`, n),
	}
}

// put puts records and fails the test where one is not taken.
func put(t *testing.T, i *Inbox, numbers ...int) []*Record {
	t.Helper()
	var records []*Record
	for _, n := range numbers {
		record := newRecord(n)
		if err := i.Put(t.Context(), record); err != nil {
			t.Fatal(err)
		}
		records = append(records, record)
	}
	return records
}

// all returns everything in a state.
func all(t *testing.T, i *Inbox, state State) []*Record {
	t.Helper()
	var records []*Record
	for after := uint64(0); ; {
		page, err := i.Read(state, after, 100)
		if err != nil {
			t.Fatal(err)
		}
		records = append(records, page.Records...)
		if !page.More {
			return records
		}
		after = page.Last
	}
}
