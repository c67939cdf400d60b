// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package exceptions

import (
	"testing"
	"time"
)

func TestUntil(t *testing.T) {
	now := time.Date(2026, 11, 26, 16, 0, 0, 5, time.UTC)
	zone, err := time.LoadLocation("America/Sao_Paulo")
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"2027-06-30":                "2027-07-01T03:00:00Z",
		"2027-06-30T18:00:00-03:00": "2027-06-30T21:00:00Z",
		"2027-06-30T18:00:00.9Z":    "2027-06-30T18:00:00Z",
		"30d":                       "2026-12-26T16:00:00Z",
		"12h":                       "2026-11-27T04:00:00Z",
		"1d12h30m":                  "2026-11-28T04:30:00Z",
		// On this day the clocks were put forward at midnight.
		"2018-11-03": "2018-11-04T03:00:00Z",
		"":           "", "tomorrow": "", "d": "", "-3d": "", "3": "", "2027-02-30": "", "9999-12-31": "", "99999999999h": "",
		"30.06.2027": "", "1y": "",
	} {
		got, err := readUntil(text, now)
		switch {
		case err != nil && want == "":
		case err != nil:
			t.Errorf("%q: %v", text, err)
		case got.in(zone).Format(time.RFC3339) != want:
			t.Errorf("%q is %s, want %q", text, got.in(zone).Format(time.RFC3339), want)
		}
	}
}

// What was written as a day is shown as this day.
func TestShow(t *testing.T) {
	zone, err := time.LoadLocation("America/Sao_Paulo")
	if err != nil {
		t.Fatal(err)
	}
	for at, want := range map[string]string{
		"2027-07-01T03:00:00Z": "2027-06-30 24:00 -03",
		"2027-07-01T03:01:00Z": "2027-07-01 00:01 -03",
		"2027-07-01T02:59:59Z": "2027-06-30 23:59 -03",
		"2018-11-04T03:00:00Z": "2018-11-04 01:00 -02",
	} {
		moment, err := time.Parse(time.RFC3339, at)
		if err != nil {
			t.Fatal(err)
		}
		if got := show(moment, zone); got != want {
			t.Errorf("%s is shown as %q, want %q", at, got, want)
		}
	}
}
