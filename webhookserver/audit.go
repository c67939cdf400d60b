// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package webhookserver

import (
	"context"
	"net/http"
	"strings"
	"time"

	"go.opentelemetry.io/otel/trace"
	"k8s.io/apimachinery/pkg/types"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/webhookserver/throttle"
)

// call is what is known of one call while it is handled, and what its audit record says. It holds no token and nothing
// of the body but its ids.
type call struct {
	id       string
	received time.Time
	origin   throttle.Origin
	// rejected is why the call was not let in, empty where it was.
	rejected rejection
	// institution is the one that the call proved to speak for; nil before that.
	institution *v1alpha1.Institution
	// tokenSecret is the name of the Secret that has the token which proved it.
	tokenSecret string
	// bytes is the length of the body, as far as it was read, and bodyRead whether that is all of it.
	bytes    int
	bodyRead bool
	// event is the slug of an event that is ignored.
	event string
	// spec and completion are those of a delivery that was found to be one, and is not about what was erased.
	spec       *v1alpha1.CourseCompletionSpec
	completion types.NamespacedName
	// span is nil where the call is not traced.
	span trace.Span
}

// audit writes the one record of a call, or a summary of several. Where the sink does not take it, the program's log
// gets it instead: deliveries are not refused for want of their records, and the records are not lost.
func (h *handler) audit(record *auditRecord) {
	turned, err := h.auditLog.write(record)
	if turned && err == nil {
		h.log.Info("Audit log recovered")
	}
	if err == nil {
		return
	}
	h.instruments.auditFailures.Inc()
	if turned {
		h.log.Error(err, "Could not write to audit log, logging audit records here")
	}
	h.log.Info("Audit record", "record", record)
}

// summaryInterval is how often the audit log tells how many calls it has no record of.
const summaryInterval = time.Minute

// summarise writes the summaries until ctx ends, and then those that are left.
func (h *handler) summarise(ctx context.Context) {
	tick := h.clock.NewTicker(summaryInterval)
	defer tick.Stop()
	for ended := false; !ended; {
		select {
		case <-tick.C():
		case <-ctx.Done():
			ended = true
		}
		for _, summary := range h.auditLimit.Next() {
			h.audit(newSummaryRecord(summary))
		}
	}
}

// redacted stands for what may be a token.
const redacted = "***"

// redactPath keeps of a path only the word webhooks and the numbers of institutions: a mistyped URL may have the token
// anywhere. A number is no token, which has at least 32 characters.
func redactPath(path string) string {
	const most = 6
	parts := strings.Split(path, "/")
	for i, part := range parts {
		if part != "" && part != "webhooks" && parseInstitution(part) == 0 {
			parts[i] = redacted
		}
	}
	if len(parts) > most {
		parts = append(parts[:most], redacted)
	}
	return strings.Join(parts, "/")
}

// knownMethod returns the method, or a dash for one that the sender made up.
func knownMethod(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete,
		http.MethodConnect, http.MethodOptions, http.MethodTrace:
		return method
	default:
		return "-"
	}
}
