// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"testing"
	"time"
	_ "time/tzdata"
)

func TestEndOfDay(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		date, zone string
		// want is empty where there is no end.
		want string
	}{
		"an ordinary day":                   {date: "2026-11-23", zone: "America/Sao_Paulo", want: "2026-11-24T03:00:00Z"},
		"the last day of a leap february":   {date: "2024-02-29", zone: "UTC", want: "2024-03-01T00:00:00Z"},
		"the last day of a year":            {date: "2025-12-31", zone: "Asia/Kathmandu", want: "2025-12-31T18:15:00Z"},
		"before summer time skips midnight": {date: "2018-11-03", zone: "America/Sao_Paulo", want: "2018-11-04T03:00:00Z"},
		"the day that lacks its first hour": {date: "2018-11-04", zone: "America/Sao_Paulo", want: "2018-11-05T02:00:00Z"},
		"the day that has an hour twice at its end": {
			date: "2019-02-16", zone: "America/Sao_Paulo", want: "2019-02-17T03:00:00Z"},
		"a day of 25 hours":       {date: "2026-10-25", zone: "Europe/Berlin", want: "2026-10-25T23:00:00Z"},
		"a day that a zone skips": {date: "2011-12-29", zone: "Pacific/Apia", want: "2011-12-30T10:00:00Z"},
		"no date":                 {date: "2023-02-29", zone: "UTC"},
		"the last day but one":    {date: "9999-12-30", zone: "America/Sao_Paulo", want: "9999-12-31T03:00:00Z"},
		"the last day":            {date: "9999-12-31", zone: "America/Sao_Paulo"},
		"the last day, and the zone's midnight is before UTC's": {date: "9999-12-31", zone: "Asia/Tokyo"},
		"the first day": {date: "0001-01-01", zone: "UTC", want: "0001-01-02T00:00:00Z"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			zone, err := time.LoadLocation(tc.zone)
			if err != nil {
				t.Fatal(err)
			}
			got, ends := EndOfDay(tc.date, zone)
			if ends != (tc.want != "") {
				t.Fatalf("ends: %v, want %q", ends, tc.want)
			}
			if ends && got.UTC().Format(time.RFC3339) != tc.want {
				t.Errorf("got %s, want %s", got.UTC().Format(time.RFC3339), tc.want)
			}
		})
	}
}
