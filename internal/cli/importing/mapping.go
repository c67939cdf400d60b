// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package importing

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/sender"
)

// required are the fields that every delivery has to have. The other ones may be left out, or are known otherwise.
var required = []string{
	"event.send_at", "course.id", "enrollment.id", "enrollment.date_expire", "enrollment.course_id", "enrollment.actived",
	"enrollment.status", "user.id",
}

// The contract names the course twice.
const completedCourse, enrolledCourse = "course.id", "enrollment.course_id"

// mapping says which column is which field of the contract.
type mapping struct {
	// byColumn has what --map says; a column may be several fields, or none.
	byColumn map[string][]string
	// set has the fields that are the same in every row.
	set map[string]any
	// ignored are the columns that are no field.
	ignored []string
}

// newMapping reads --map column=field and --set field=value. What is neither in the file nor set is the institution of
// the URL and the one event that there is.
func newMapping(columns, sets []string, institution v1alpha1.PlatformID) (*mapping, error) {
	m := &mapping{byColumn: make(map[string][]string), set: map[string]any{
		"event.slug": v1alpha1.EventSlug, "institution.id": int64(institution),
	}}
	for _, text := range columns {
		// A column may have = in its name; a field has none.
		at := strings.LastIndex(text, "=")
		if at < 1 {
			return nil, fmt.Errorf("--map %s: write COLUMN=FIELD", text)
		}
		column, field := text[:at], text[at+1:]
		if field != "" && !slices.Contains(sender.Fields(), field) {
			return nil, fmt.Errorf("--map %s: the contract has no field %s, but %s", text, field, known())
		}
		if m.byColumn[column] == nil {
			m.byColumn[column] = []string{}
		}
		if field != "" {
			m.byColumn[column] = append(m.byColumn[column], field)
		}
	}
	for _, text := range sets {
		field, value, ok := strings.Cut(text, "=")
		if !ok || !slices.Contains(sender.Fields(), field) {
			return nil, fmt.Errorf("--set %s: use FIELD=VALUE with a field of %s", text, known())
		}
		if m.set[field] = any(value); value == "" {
			m.set[field] = nil
		}
	}
	return m, nil
}

func known() string { return strings.Join(sender.Fields(), ", ") }

// constants returns a new map with the fields that every row has.
func (m *mapping) constants() map[string]any {
	values := make(map[string]any, len(sender.Fields()))
	maps.Copy(values, m.set)
	return values
}

// of returns the fields that a column is.
func (m *mapping) of(column string) []string {
	if fields, ok := m.byColumn[column]; ok {
		return fields
	}
	if slices.Contains(sender.Fields(), column) {
		return []string{column}
	}
	return nil
}

// columns returns the fields of each column of a header, in which every field that is required has to be, once.
func (m *mapping) columns(names []string) ([][]string, error) {
	var all [][]string
	from := make(map[string]string)
	for _, name := range names {
		fields := m.of(name)
		if _, mapped := m.byColumn[name]; fields == nil && !mapped && !isOwn(name) {
			m.ignored = append(m.ignored, name)
		}
		for _, field := range fields {
			if other, twice := from[field]; twice {
				return nil, fmt.Errorf("the columns %q and %q both are %s: leave one out with --map '%s='",
					other, name, field, name)
			}
			from[field] = name
		}
		all = append(all, fields)
	}
	for column := range m.byColumn {
		if !slices.Contains(names, column) {
			return nil, fmt.Errorf("--map names the column %q, and the file has %s", column, strings.Join(names, ", "))
		}
	}
	var missing []string
	for _, field := range required {
		_, set := m.set[field]
		if _, ok := from[field]; !ok && !set && field != enrolledCourse {
			missing = append(missing, field)
		}
	}
	if missing != nil {
		return nil, fmt.Errorf("the file has no column for %s. Its columns are %s. For each one missing, say which column "+
			"it is with --map COLUMN=FIELD, or give all rows one value with --set FIELD=VALUE (--set FIELD= for none), such as "+
			"--set %s=VALUE", strings.Join(missing, ", "), strings.Join(names, ", "), missing[0])
	}
	m.enroll(from, names, all)
	return all, nil
}

// enroll makes the course of the enrollment the one that was completed, where the file does not say it.
func (m *mapping) enroll(from map[string]string, names []string, all [][]string) {
	_, set := m.set[enrolledCourse]
	if _, there := from[enrolledCourse]; there || set {
		return
	}
	if course, ok := m.set[completedCourse]; ok {
		m.set[enrolledCourse] = course
		return
	}
	at := slices.Index(names, from[completedCourse])
	all[at] = append(slices.Clone(all[at]), enrolledCourse)
}
