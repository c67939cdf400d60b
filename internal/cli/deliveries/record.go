// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package deliveries

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"
)

// record is an audit record of the webhook server, see docs/security.md. Its members never change their meaning.
type record struct {
	Time          time.Time `json:"time"`
	DeliveryID    string    `json:"deliveryID"`
	Path          string    `json:"path"`
	InstitutionID int64     `json:"institutionID"`
	Namespace     string    `json:"namespace"`
	TokenSecret   string    `json:"tokenSecret"`
	CourseID      int64     `json:"courseID"`
	EnrollmentID  int64     `json:"enrollmentID"`
	UserID        int64     `json:"userID"`
	Completion    string    `json:"completion"`
	Event         string    `json:"event"`
	Outcome       string    `json:"outcome"`
	Reason        string    `json:"reason"`
	Status        int       `json:"status"`
	RemoteAddress string    `json:"remoteAddress"`
	PeerAddress   string    `json:"peerAddress"`

	// pod is whose log has it.
	pod string
	// line is the record as it was logged.
	line []byte
}

// parse reads a line of a log. The program's own lines stand between the audit records, and are none.
func parse(line []byte) (*record, bool) {
	if len(line) == 0 || line[0] != '{' {
		return nil, false
	}
	r := &record{}
	if err := json.Unmarshal(line, r); err != nil || r.DeliveryID == "" || r.Outcome == "" || r.Time.IsZero() {
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
	for _, id := range []struct{ want, have int64 }{
		{f.institution, r.InstitutionID}, {f.course, r.CourseID}, {f.enrollment, r.EnrollmentID}, {f.user, r.UserID},
	} {
		if id.want != 0 && id.want != id.have {
			return false
		}
	}
	switch {
	case f.delivery != "" && f.delivery != r.DeliveryID,
		f.completion != "" && f.completion != r.Completion,
		len(f.outcomes) > 0 && !slices.Contains(f.outcomes, r.Outcome),
		len(f.reasons) > 0 && !slices.Contains(f.reasons, r.Reason),
		!f.since.IsZero() && r.Time.Before(f.since),
		!f.until.IsZero() && r.Time.After(f.until),
		// A GET of the webhook URL delivers nothing.
		!f.checks && r.Outcome == outcomeChecked:
		return false
	}
	return true
}

const outcomeChecked = "checked"

// cells is a row of the table.
func (r *record) cells(zone *time.Location) []string {
	return []string{
		r.Time.In(zone).Format("2006-01-02T15:04:05.000Z07:00"), r.Outcome, r.Reason, strconv.Itoa(r.Status),
		number(r.InstitutionID), number(r.CourseID), number(r.EnrollmentID), number(r.UserID), r.DeliveryID,
	}
}

var headers = []string{"TIME", "OUTCOME", "REASON", "STATUS", "INSTITUTION", "COURSE", "ENROLLMENT", "USER", "DELIVERY"}

func number(id int64) string {
	if id == 0 {
		return "-"
	}
	return strconv.FormatInt(id, 10)
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
		return strings.Compare(a.DeliveryID, b.DeliveryID)
	})
	if more := len(n.kept) - n.most; more > 0 {
		n.left += more
		n.kept = slices.Delete(n.kept, 0, more)
	}
}
