// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package webhookserver

import (
	"net/http"
	"time"

	"github.com/lxp-dev/course-completion-operator/internal/delivery"
	"github.com/lxp-dev/course-completion-operator/webhookserver/store"
	"github.com/lxp-dev/course-completion-operator/webhookserver/throttle"
)

// ecsVersion is that of the Elastic Common Schema that the records keep to. What it has no field for is in the object
// completion. docs/audit.md describes every field.
const ecsVersion = "9.4.0"

// auditRecord is the one line that the audit log has of a call, or of several without records of their own. Members are
// added to it and never change their meaning.
type auditRecord struct {
	// Time is when the call's header had been read.
	Time         time.Time          `json:"@timestamp"`
	ECS          auditSchema        `json:"ecs"`
	Event        auditEvent         `json:"event"`
	HTTP         *auditHTTP         `json:"http,omitempty"`
	URL          *auditURL          `json:"url,omitempty"`
	Source       auditSource        `json:"source"`
	Organization *auditID           `json:"organization,omitempty"`
	Orchestrator *auditOrchestrator `json:"orchestrator,omitempty"`
	User         *auditUser         `json:"user,omitempty"`
	Completion   auditCompletion    `json:"completion"`
}

type auditSchema struct {
	Version string `json:"version"`
}

type auditEvent struct {
	// ID is the delivery id.
	ID       string     `json:"id,omitempty"`
	Kind     string     `json:"kind"`
	Category []string   `json:"category"`
	Type     []string   `json:"type"`
	Module   string     `json:"module"`
	Dataset  string     `json:"dataset"`
	Action   string     `json:"action"`
	Outcome  string     `json:"outcome"`
	Reason   string     `json:"reason,omitempty"`
	Duration int64      `json:"duration,omitempty"` // nanoseconds
	Start    *time.Time `json:"start,omitempty"`
	End      *time.Time `json:"end,omitempty"`
}

type auditHTTP struct {
	Request  auditRequest  `json:"request"`
	Response auditResponse `json:"response"`
}

type auditRequest struct {
	Method string    `json:"method"`
	Body   auditBody `json:"body"`
}

type auditBody struct {
	Bytes int `json:"bytes"`
}

type auditResponse struct {
	StatusCode int `json:"status_code"`
}

type auditURL struct {
	Path string `json:"path"`
}

// auditSource is the client. Address is there where it is no single address.
type auditSource struct {
	IP      string `json:"ip,omitempty"`
	Address string `json:"address,omitempty"`
}

type auditID struct {
	ID string `json:"id"`
}

type auditOrchestrator struct {
	Type      string         `json:"type"`
	Namespace string         `json:"namespace"`
	Resource  *auditResource `json:"resource,omitempty"`
}

type auditResource struct {
	Type string `json:"type"`
	Name string `json:"name"`
}

// auditUser is whom a delivery is about, not who sent it.
type auditUser struct {
	Target auditID `json:"target"`
}

// auditCompletion is what the schema has no field for.
type auditCompletion struct {
	Outcome      store.Outcome `json:"outcome,omitempty"`
	Rejection    rejection     `json:"rejection,omitempty"`
	CourseID     string        `json:"course_id,omitempty"`
	EnrollmentID string        `json:"enrollment_id,omitempty"`
	// TokenSecret is the name of the Secret that has the token, so that it is known which of several is in use.
	TokenSecret string `json:"token_secret,omitempty"`
	// Slug is that of an event that is ignored.
	Slug string `json:"slug,omitempty"`
	// ProxyIP is that of the trusted proxy which passed the call on.
	ProxyIP string `json:"proxy_ip,omitempty"`
	// Calls and Reasons count what has no record of its own.
	Calls   int            `json:"calls,omitempty"`
	Reasons map[string]int `json:"reasons,omitempty"`
}

func newAuditRecord(r *http.Request, c *call, a *answer, duration time.Duration) *auditRecord {
	record := &auditRecord{
		Time: c.received.UTC(),
		ECS:  auditSchema{ecsVersion},
		Event: newAuditEvent(auditEvent{
			ID: c.id, Type: []string{typeOf(a.outcome)}, Action: actionOf(r.Method), Outcome: "success", Reason: a.reason,
			Duration: duration.Nanoseconds(),
		}),
		HTTP:       &auditHTTP{auditRequest{knownMethod(r.Method), auditBody{c.bytes}}, auditResponse{a.status}},
		URL:        &auditURL{redactPath(r.URL.EscapedPath())},
		Completion: auditCompletion{Outcome: a.outcome, Rejection: c.rejected, Slug: c.event},
	}
	if a.status >= http.StatusBadRequest {
		record.Event.Outcome = "failure"
	}
	if address := throttle.AddressText(c.origin.Client); c.origin.Client.IsValid() {
		record.Source.IP = address
	} else {
		record.Source.Address = address
	}
	if c.origin.Peer != c.origin.Client {
		record.Completion.ProxyIP = throttle.AddressText(c.origin.Peer)
	}
	// Ids are absent where they are not known to be true: the institution's before the token was found good, the others
	// before the body was found to be a delivery, or where it is about what was erased.
	if c.institution != nil {
		record.Organization = &auditID{c.institution.Spec.ID.String()}
		record.Orchestrator = &auditOrchestrator{Type: "kubernetes", Namespace: c.institution.Namespace}
		record.Completion.TokenSecret = c.tokenSecret
	}
	if c.spec != nil {
		record.User = &auditUser{auditID{c.spec.User.ID.String()}}
		record.Completion.CourseID = c.spec.Course.ID.String()
		record.Completion.EnrollmentID = c.spec.Enrollment.ID.String()
		if record.Orchestrator != nil {
			record.Orchestrator.Resource = &auditResource{"CourseCompletion", c.completion.Name}
		}
	}
	return record
}

// newSummaryRecord is the record of calls that have none of their own.
func newSummaryRecord(summary *throttle.AuditSummary) *auditRecord {
	return &auditRecord{
		Time: summary.Time,
		ECS:  auditSchema{ecsVersion},
		Event: newAuditEvent(auditEvent{
			Type: []string{"denied"}, Action: "calls-without-a-record", Outcome: "failure",
			Start: &summary.Since, End: &summary.Time,
		}),
		Source:     auditSource{Address: summary.RemoteNetwork},
		Completion: auditCompletion{Calls: summary.Calls, Reasons: summary.Reasons},
	}
}

// newAuditEvent adds what all records say.
func newAuditEvent(event auditEvent) auditEvent {
	event.Kind, event.Category = "event", []string{"api"}
	event.Module, event.Dataset = "course-completion-operator", "course-completion-operator.deliveries"
	return event
}

// typeOf returns one of the types that the schema has for calls of an API.
func typeOf(outcome store.Outcome) string {
	switch outcome {
	case store.Created:
		return "creation"
	case store.Outcome(delivery.Updated):
		return "change"
	case store.Refused:
		return "denied"
	default:
		return "info"
	}
}

// actionOf says what a call asked for.
func actionOf(method string) string {
	switch method {
	case http.MethodPost:
		return "deliver"
	case http.MethodGet, http.MethodHead:
		return "check-url"
	default:
		return "call"
	}
}
