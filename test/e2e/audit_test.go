// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bufio"
	"encoding/json"
	"os"
	"slices"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// auditEvent is what is read of one line of the API server's audit log.
type auditEvent struct {
	Verb       string `json:"verb"`
	RequestURI string `json:"requestURI"`
	User       struct {
		Username string `json:"username"`
	} `json:"user"`
	ObjectRef struct {
		Resource    string `json:"resource"`
		Subresource string `json:"subresource"`
		Namespace   string `json:"namespace"`
	} `json:"objectRef"`
	Annotations map[string]string `json:"annotations"`
}

// auditSince returns the events of our programs after an offset in the log, and where the log ends now.
func auditSince(t *testing.T, offset int64) ([]auditEvent, int64) {
	t.Helper()
	g := NewWithT(t)
	file, err := os.Open(plane.AuditLog())
	g.Expect(err).NotTo(HaveOccurred())
	defer file.Close()
	_, err = file.Seek(offset, 0)
	g.Expect(err).NotTo(HaveOccurred())
	var events []auditEvent
	lines := bufio.NewReader(file)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			// The rest is a line that is still being written, or nothing.
			return events, offset
		}
		offset += int64(len(line))
		var event auditEvent
		g.Expect(json.Unmarshal(line, &event)).To(Succeed())
		if slices.Contains([]string{controllerManagerUser, webhookServerUser}, event.User.Username) {
			events = append(events, event)
		}
	}
}

// From a delivery to the end of its namespace, nothing is tried that config/rbac does not allow, and every program
// acts as its own ServiceAccount.
func TestTheWholeWayStaysWithinTheRights(t *testing.T) {
	g := NewWithT(t)
	_, began := auditSince(t, 0)
	u := grantedStudent(t)
	u.withdraw(t)
	u.awaitNamespaceGone(t)
	u.awaitGrant(t, v1alpha1.ReasonEnded)

	writers := map[string]string{}
	g.Eventually(func() map[string]string {
		events, _ := auditSince(t, began)
		for _, event := range events {
			g.Expect(event.Annotations["authorization.k8s.io/decision"]).To(Equal("allow"),
				"%s: %s %s", event.User.Username, event.Verb, event.RequestURI)
			if slices.Contains([]string{"create", "patch", "update", "delete"}, event.Verb) {
				writers[event.Verb+" "+event.ObjectRef.Resource] = event.User.Username
			}
		}
		return writers
	}, soon, often).Should(And(
		HaveKeyWithValue("create coursecompletions", webhookServerUser),
		HaveKeyWithValue("patch grants", controllerManagerUser),
		HaveKeyWithValue("patch namespaces", controllerManagerUser),
		HaveKeyWithValue("delete namespaces", controllerManagerUser),
	))
}
