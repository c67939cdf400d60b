// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package moment

import (
	"testing"
	"time"
)

func TestAfter(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for name, tc := range map[string]struct {
		at   time.Time
		by   time.Duration
		want time.Time
	}{
		"within the calendar":   {noon, 30 * Day, noon.Add(30 * Day)},
		"up to the last moment": {Last.Add(-30 * Day), 30 * Day, Last},
		"beyond it":             {Last.Add(-29 * Day), 30 * Day, Last},
		"from the last moment":  {Last, 3650 * Day, Last},
		"from beyond it":        {time.Date(10000, 1, 1, 3, 0, 0, 0, time.UTC), 0, Last},
		"in a zone that is behind": {
			time.Date(9999, 12, 31, 20, 0, 0, 0, time.FixedZone("-03", -3*3600)), time.Hour, Last},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := After(tc.at, tc.by); !got.Equal(tc.want) {
				t.Errorf("got %s, want %s", got, tc.want)
			}
		})
	}
}
