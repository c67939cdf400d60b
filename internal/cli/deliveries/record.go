// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package deliveries

import (
	"bytes"
	"cmp"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"
)

// record is an audit record of the webhook server, see docs/audit.md. Its members never change their meaning.
type record struct {
	Time  time.Time `json:"@timestamp"`
	Event struct {
		// ID is the delivery id.
		ID     string `json:"id"`
		Reason string `json:"reason"`
	} `json:"event"`
	HTTP struct {
		Response struct {
			StatusCode int `json:"status_code"`
		} `json:"response"`
	} `json:"http"`
	Organization id `json:"organization"`
	User         struct {
		Target id `json:"target"`
	} `json:"user"`
	Source struct {
		IP      string `json:"ip"`
		Address string `json:"address"`
	} `json:"source"`
	Orchestrator struct {
		Namespace string `json:"namespace"`
		Resource  struct {
			Name string `json:"name"`
		} `json:"resource"`
	} `json:"orchestrator"`
	Completion struct {
		Outcome      string `json:"outcome"`
		CourseID     string `json:"course_id"`
		EnrollmentID string `json:"enrollment_id"`
		TokenSecret  string `json:"token_secret"`
		ProxyIP      string `json:"proxy_ip"`
	} `json:"completion"`

	// pod is whose log has it.
	pod string
	// line is the record as it was logged.
	line []byte
}

type id struct {
	ID string `json:"id"`
}

// parse reads a line of a log. The program's own lines stand between the audit records, and are none.
func parse(line []byte) (*record, bool) {
	if len(line) == 0 || line[0] != '{' {
		return nil, false
	}
	r := &record{}
	if err := json.Unmarshal(line, r); err != nil || r.Event.ID == "" || r.Completion.Outcome == "" || r.Time.IsZero() {
		return nil, false
	}
	r.line = slices.Clone(line)
	return r, true
}

// filter says which records are wanted. What is zero wants all.
type filter struct {
	institution, course, enrollment, user int64
	delivery, completion                  string
	outcomes, reasons                     []string
	since, until                          time.Time
	checks                                bool
}

// wants reports whether a record is looked for.
func (f *filter) wants(r *record) bool {
	for _, id := range []struct {
		want int64
		have string
	}{
		{f.institution, r.Organization.ID}, {f.course, r.Completion.CourseID},
		{f.enrollment, r.Completion.EnrollmentID}, {f.user, r.User.Target.ID},
	} {
		if id.want != 0 && strconv.FormatInt(id.want, 10) != id.have {
			return false
		}
	}
	switch {
	case f.delivery != "" && f.delivery != r.Event.ID,
		f.completion != "" && f.completion != r.Orchestrator.Resource.Name,
		len(f.outcomes) > 0 && !slices.Contains(f.outcomes, r.Completion.Outcome),
		len(f.reasons) > 0 && !slices.Contains(f.reasons, r.Event.Reason),
		!f.since.IsZero() && r.Time.Before(f.since),
		!f.until.IsZero() && r.Time.After(f.until),
		// A GET of the webhook URL delivers nothing.
		!f.checks && r.Completion.Outcome == outcomeChecked:
		return false
	}
	return true
}

const outcomeChecked = "checked"

// data is the record as it was logged.
func (r *record) data() json.RawMessage { return bytes.TrimSpace(r.line) }

// cells is a row of the table.
func (r *record) cells(zone *time.Location, wide bool) []string {
	row := []string{
		r.Time.In(zone).Format("2006-01-02T15:04:05.000Z07:00"), r.Completion.Outcome, r.Event.Reason,
		strconv.Itoa(r.HTTP.Response.StatusCode), cmp.Or(r.Organization.ID, "-"), cmp.Or(r.Completion.CourseID, "-"),
		cmp.Or(r.Completion.EnrollmentID, "-"), cmp.Or(r.User.Target.ID, "-"), r.Event.ID,
	}
	if wide {
		row = append(row, cmp.Or(r.Source.IP, r.Source.Address, "-"), cmp.Or(r.Completion.TokenSecret, "-"),
			cmp.Or(r.Orchestrator.Resource.Name, "-"), r.pod)
	}
	return row
}

func headers(wide bool) []string {
	head := []string{"TIME", "OUTCOME", "REASON", "STATUS", "INSTITUTION", "COURSE", "ENROLLMENT", "USER", "DELIVERY"}
	if wide {
		head = append(head, "ADDRESS", "TOKEN", "COMPLETION", "POD")
	}
	return head
}

// newest keeps the newest records, in the order of time, and no more than it may.
type newest struct {
	most int
	kept []*record
	// left is how many older ones were left out.
	left int
}

// add keeps a record if it is among the newest.
func (n *newest) add(r *record) {
	n.kept = append(n.kept, r)
	if len(n.kept) >= 2*n.most {
		n.trim()
	}
}

// trim sorts what is kept, and leaves out what is too old.
func (n *newest) trim() {
	slices.SortStableFunc(n.kept, func(a, b *record) int {
		if order := a.Time.Compare(b.Time); order != 0 {
			return order
		}
		return strings.Compare(a.Event.ID, b.Event.ID)
	})
	if more := len(n.kept) - n.most; more > 0 {
		n.left += more
		n.kept = slices.Delete(n.kept, 0, more)
	}
}
