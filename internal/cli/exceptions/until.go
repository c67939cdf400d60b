// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package exceptions

import (
	"regexp"
	"strconv"
	"time"

	"github.com/lxp-dev/course-completion-operator/internal/cli/cmdutil"
	"github.com/lxp-dev/course-completion-operator/internal/plan"
)

var (
	duration = regexp.MustCompile(`^(?:([0-9]{1,5})d)?((?:[0-9]+h)?(?:[0-9]+m)?)$`)
	// last is the last moment that the API holds.
	last = time.Date(9999, time.December, 31, 23, 59, 59, 0, time.UTC)
)

// until is when access is to end, as somebody wrote it.
type until struct {
	text string
	// at is the moment; zero where the text is a day, which depends on the zone.
	at time.Time
}

// readUntil reads a day (yyyy-MM-dd), a moment (RFC 3339), or how long from now (30d, 12h).
func readUntil(text string, now time.Time) (until, error) {
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		return until{text, at.UTC().Truncate(time.Second)}, nil
	}
	if parts := duration.FindStringSubmatch(text); parts != nil && text != "" {
		days, _ := strconv.Atoi(parts[1])
		rest := time.Duration(0)
		if parts[2] != "" {
			var err error
			if rest, err = time.ParseDuration(parts[2]); err != nil {
				return until{}, cmdutil.Usagef("--until=%s is too long", text)
			}
		}
		return until{text, now.Add(time.Duration(days)*24*time.Hour + rest).UTC().Truncate(time.Second)}, nil
	}
	if _, ok := plan.EndOfDay(text, time.UTC); ok {
		return until{text: text}, nil
	}
	return until{}, cmdutil.Usagef("--until=%s is not a time: use a day such as 2027-06-30, a time such as "+
		"2027-06-30T18:00:00-03:00, or a duration from now such as 30d or 12h", text)
}

// in returns the moment; a day lasts until its end in a zone.
func (u until) in(zone *time.Location) time.Time {
	if !u.at.IsZero() {
		return u.at
	}
	at, _ := plan.EndOfDay(u.text, zone)
	return at.UTC()
}

// show writes a moment as people of a zone read it. Midnight is the end of a day: an end of access that was given as a
// day shows that day.
func show(at time.Time, zone *time.Location) string {
	local := at.In(zone)
	if local.Hour() == 0 && local.Minute() == 0 && local.Second() == 0 {
		before := at.Add(-time.Second).In(zone)
		return before.Format(time.DateOnly) + " 24:00 " + before.Format("MST")
	}
	return local.Format("2006-01-02 15:04 MST")
}
