// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package report

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// noPolicy is the group of completions that no policy granted anything for.
const noPolicy = "(none)"

// dimension is something that completions are counted by.
type dimension struct {
	name string
	// of returns the groups of a completion, one or more; the time is when the course was completed, in the zone of the
	// institution.
	of func(completion *v1alpha1.CourseCompletion, at time.Time) []string
	// next returns the group after one; nil where groups do not follow each other.
	next func(string) string
}

// dimensions are all that there are, in the order in which help shows them.
var dimensions = []dimension{
	{name: "course", of: func(c *v1alpha1.CourseCompletion, _ time.Time) []string {
		return []string{c.Spec.Course.ID.String()}
	}},
	{name: "institution", of: func(c *v1alpha1.CourseCompletion, _ time.Time) []string {
		return []string{c.Spec.Institution.ID.String()}
	}},
	{name: "policy", of: policiesOf},
	{name: "day", of: func(_ *v1alpha1.CourseCompletion, at time.Time) []string {
		return []string{at.Format(time.DateOnly)}
	}, next: nextDay},
	{name: "week", of: func(_ *v1alpha1.CourseCompletion, at time.Time) []string { return []string{weekOf(at)} },
		next: nextWeek},
	{name: "month", of: func(_ *v1alpha1.CourseCompletion, at time.Time) []string {
		return []string{at.Format(monthLayout)}
	}, next: nextMonth},
}

const monthLayout = "2006-01"

func policiesOf(c *v1alpha1.CourseCompletion, _ time.Time) []string {
	var granted []string
	for _, row := range c.Status.Policies {
		if row.Outcome == v1alpha1.OutcomeGranted {
			granted = append(granted, string(row.Policy))
		}
	}
	if granted == nil {
		return []string{noPolicy}
	}
	return granted
}

// weekOf returns the week of ISO 8601, which begins on Monday.
func weekOf(at time.Time) string {
	year, week := at.ISOWeek()
	return fmt.Sprintf("%04d-W%02d", year, week)
}

func nextDay(day string) string {
	at, err := time.Parse(time.DateOnly, day)
	if err != nil {
		return ""
	}
	return at.AddDate(0, 0, 1).Format(time.DateOnly)
}

func nextMonth(month string) string {
	at, err := time.Parse(monthLayout, month)
	if err != nil {
		return ""
	}
	return at.AddDate(0, 1, 0).Format(monthLayout)
}

func nextWeek(week string) string {
	var year, number int
	if _, err := fmt.Sscanf(week, "%04d-W%02d", &year, &number); err != nil {
		return ""
	}
	// The fourth of January is always in the first week.
	at := time.Date(year, 1, 4, 0, 0, 0, 0, time.UTC).AddDate(0, 0, 7*number)
	return weekOf(at)
}

// dimensionsOf finds dimensions by their names.
func dimensionsOf(names []string) ([]dimension, error) {
	var found []dimension
	for _, name := range names {
		at := slices.IndexFunc(dimensions, func(d dimension) bool { return d.name == name })
		if at < 0 {
			return nil, fmt.Errorf("--by %s is unknown: use one or more of %s", name, strings.Join(dimensionNames(), ", "))
		}
		if slices.ContainsFunc(found, func(d dimension) bool { return d.name == name }) {
			return nil, fmt.Errorf("--by has %s twice", name)
		}
		found = append(found, dimensions[at])
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("--by is empty: use one or more of %s", strings.Join(dimensionNames(), ", "))
	}
	return found, nil
}

func dimensionNames() []string {
	var names []string
	for _, d := range dimensions {
		names = append(names, d.name)
	}
	return names
}

// group is a row of the report.
type group struct {
	keys []string
	// completions are all of the group, granted those for which a policy granted something.
	completions, granted int
}

// counter counts completions. Its memory grows with the number of groups alone.
type counter struct {
	by     []dimension
	groups map[string]*group
	total  group
}

func newCounter(by []dimension) *counter { return &counter{by: by, groups: make(map[string]*group)} }

// add counts a completion: in each combination of its groups.
func (c *counter) add(completion *v1alpha1.CourseCompletion, at time.Time) {
	granted := policiesOf(completion, at)[0] != noPolicy
	rows := [][]string{nil}
	for _, d := range c.by {
		var longer [][]string
		for _, row := range rows {
			for _, key := range d.of(completion, at) {
				longer = append(longer, append(slices.Clone(row), key))
			}
		}
		rows = longer
	}
	for _, keys := range rows {
		name := strings.Join(keys, "\x00")
		if c.groups[name] == nil {
			c.groups[name] = &group{keys: keys}
		}
		c.groups[name].count(granted)
	}
	c.total.count(granted)
}

func (g *group) count(granted bool) {
	g.completions++
	if granted {
		g.granted++
	}
}

// sorted returns the groups in the order of their keys.
func (c *counter) sorted() []*group {
	return slices.SortedFunc(maps.Values(c.groups), func(a, b *group) int {
		return slices.CompareFunc(a.keys, b.keys, compareKeys)
	})
}

// compareKeys orders numbers by their value, and everything else as text.
func compareKeys(a, b string) int {
	x, errX := strconv.ParseInt(a, 10, 64)
	y, errY := strconv.ParseInt(b, 10, 64)
	if errX == nil && errY == nil {
		return cmp.Compare(x, y)
	}
	return cmp.Compare(a, b)
}

// maxGap is how many empty groups a chart shows in a row.
const maxGap = 400

// withoutGaps adds the days, weeks or months in which nothing was completed, where the report is by one of these alone.
func withoutGaps(by []dimension, groups []*group) []*group {
	if len(by) != 1 || by[0].next == nil || len(groups) == 0 {
		return groups
	}
	whole := groups[:1:1]
	for _, g := range groups[1:] {
		key := by[0].next(whole[len(whole)-1].keys[0])
		for n := 0; key != "" && key < g.keys[0] && n < maxGap; n++ {
			whole = append(whole, &group{keys: []string{key}})
			key = by[0].next(key)
		}
		whole = append(whole, g)
	}
	return whole
}
