/*
Copyright 2026 The Course Completion Operator Authors.

Licensed under the Apache License, Version 2.0 (the "License");
you may not use this file except in compliance with the License.
You may obtain a copy of the License at

    http://www.apache.org/licenses/LICENSE-2.0

Unless required by applicable law or agreed to in writing, software
distributed under the License is distributed on an "AS IS" BASIS,
WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
See the License for the specific language governing permissions and
limitations under the License.
*/

package webhookserver

import (
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/types"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// call is what is known of one call while it is handled, and what its audit record says. It holds no token and nothing
// of the body.
type call struct {
	id       string
	received time.Time
	// institution is the one that the call proved to speak for; nil before that.
	institution *v1alpha1.Institution
	// bytes is the length of the body, as far as it was read.
	bytes      int
	completion types.NamespacedName
}

// audit writes the one record of a call.
func audit(log logr.Logger, r *http.Request, c *call, a *answer, duration time.Duration) {
	fields := []any{
		"deliveryID", c.id,
		"method", knownMethod(r.Method),
		"path", redactPath(r.URL.EscapedPath()),
		"remoteAddress", remoteAddress(r),
		"outcome", string(a.outcome),
		"reason", a.reason,
		"status", a.status,
		"bytes", c.bytes,
		"durationSeconds", duration.Seconds(),
	}
	if c.institution != nil {
		fields = append(fields, "institutionID", int64(c.institution.Spec.ID), "namespace", c.institution.Namespace)
	}
	if c.completion.Name != "" {
		fields = append(fields, "completion", c.completion.Name)
	}
	log.Info("Delivery handled", fields...)
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

// remoteAddress returns the address of the peer without its port.
func remoteAddress(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}
