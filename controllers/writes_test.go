// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"bufio"
	"encoding/json"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	eventsv1 "k8s.io/api/events/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/test/system"
)

// auditEvent is what is read of a line of the API server's audit log.
type auditEvent struct {
	Stage string `json:"stage"`
	Verb  string `json:"verb"`
	// RequestURI says what is only tried, and not to be stored.
	RequestURI string `json:"requestURI"`
	User       struct {
		Username string `json:"username"`
	} `json:"user"`
	ObjectRef struct {
		Resource    string `json:"resource"`
		Subresource string `json:"subresource"`
		Namespace   string `json:"namespace"`
		Name        string `json:"name"`
	} `json:"objectRef"`
	ResponseStatus struct {
		Code int `json:"code"`
	} `json:"responseStatus"`
}

// outdated marks what was refused because it was written on an outdated view.
const outdated = ", outdated"

// writes counts what the controller-manager wrote in the namespaces of a test since an offset in the audit log: what
// the API server took, and what it refused. It returns where the log ends now.
func (w *world) writes(offset int64) (taken, refused map[string]int, end int64) {
	w.t.Helper()
	taken, refused = map[string]int{}, map[string]int{}
	end = w.eachWrite(offset, func(what string, event auditEvent) {
		switch {
		case event.ResponseStatus.Code < 300:
			taken[what]++
		case event.ResponseStatus.Code == http.StatusConflict:
			refused[what+outdated]++
		default:
			refused[what]++
		}
	})
	return taken, refused, end
}

// eachWrite goes through what the controller-manager wrote in the namespaces of a test since an offset in the audit
// log, and returns where the log ends now.
func (w *world) eachWrite(offset int64, look func(what string, event auditEvent)) (end int64) {
	w.t.Helper()
	g := NewWithT(w.t)
	file, err := os.Open(plane.AuditLog())
	g.Expect(err).NotTo(HaveOccurred())
	defer file.Close()
	_, err = file.Seek(offset, 0)
	g.Expect(err).NotTo(HaveOccurred())
	lines := bufio.NewReader(file)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			// The rest is a line that is still being written, or nothing.
			return offset
		}
		offset += int64(len(line))
		var event auditEvent
		g.Expect(json.Unmarshal(line, &event)).To(Succeed())
		if !w.wrote(event) {
			continue
		}
		what := event.ObjectRef.Resource
		if event.ObjectRef.Subresource != "" {
			what += "/" + event.ObjectRef.Subresource
		}
		look(what, event)
	}
}

// wrote reports whether an event is a write of the controller-manager that is about the test. Events for people do not
// count.
func (w *world) wrote(event auditEvent) bool {
	ref := event.ObjectRef
	return event.Stage == "ResponseComplete" &&
		event.User.Username == "system:serviceaccount:"+system.Namespace+":"+serviceAccount &&
		!slices.Contains([]string{"get", "list", "watch"}, event.Verb) && ref.Resource != "events" &&
		!strings.Contains(event.RequestURI, "dryRun=All") &&
		(ref.Namespace == w.namespace || strings.HasPrefix(ref.Namespace, w.prefix) || strings.HasPrefix(ref.Name, w.prefix))
}

// writesOfACompletion is what an undisturbed completion costs: one write for each object that must exist, one status
// of the Grant and one of the completion.
func writesOfACompletion() map[string]int {
	return map[string]int{
		"grants": 1, "namespaces": 1, "resourcequotas": 1, "networkpolicies": 1, "rolebindings": 1,
		"grants/status": 1, "coursecompletions/status": 1,
	}
}

// complete makes a completion and waits until it is granted. It returns a look at whether that has cost what it may
// cost, however long it took.
func (w *world) complete(began int64, want map[string]int) (look func(Gomega)) {
	w.t.Helper()
	completion := MakeCompletion(w, 1).Obj()
	w.create(completion)
	w.awaitReason(completion, v1alpha1.ReasonGranted)
	return func(g Gomega) {
		taken, refused, _ := w.writes(began)
		// Counts come together for all, some seconds later.
		delete(taken, "institutions/status")
		delete(taken, "completionpolicies/status")
		g.Expect(taken).To(BeComparableTo(want))
		// A cache that is behind may cost an attempt.
		maps.DeleteFunc(refused, func(what string, n int) bool { return strings.HasSuffix(what, outdated) && n <= 2 })
		g.Expect(refused).To(BeEmpty())
	}
}

// auditEnd returns where the audit log ends once it has caught up with what the controller-manager wrote so far.
func (w *world) auditEnd() int64 {
	w.t.Helper()
	_, _, end := w.writes(0)
	NewWithT(w.t).Eventually(func(g Gomega) {
		taken, refused, at := w.writes(end)
		end = at
		g.Expect(taken).To(BeEmpty())
		g.Expect(refused).To(BeEmpty())
	}, soon, "700ms").Should(Succeed())
	return end
}

func TestUndisturbedCompletionCostsNoWriteTooMany(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	policy := MakeLab(w, "lab").Obj()
	w.create(policy)
	w.awaitReason(policy, v1alpha1.ReasonReady)
	look := w.complete(w.auditEnd(), writesOfACompletion())
	// The audit log lags behind the answers; then more would come.
	w.eventually(look)
	w.consistently(look)
	// Nor an event: the conditions tell the same.
	var events eventsv1.EventList
	NewWithT(t).Expect(admin.List(t.Context(), &events, client.InNamespace(w.namespace))).To(Succeed())
	for i := range events.Items {
		if event := &events.Items[i]; event.Regarding.Kind == "Grant" || event.Regarding.Kind == "CourseCompletion" {
			t.Errorf("event %s of %s %s: %s", event.Reason, event.Regarding.Kind, event.Regarding.Name, event.Note)
		}
	}
}

// Objects cost one write each, and one more of the Grant's status, ahead of them.
func TestObjectsCostOneMoreStatus(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.allow("", rule("", "configmaps"))
	policy := MakeWelcome(w).Object("note", w.fill(note)).Obj()
	w.create(w.account(), policy)
	w.awaitAccess(policy, v1alpha1.ReasonReady)
	want := writesOfACompletion()
	want["configmaps"], want["grants/status"] = 2, 2
	look := w.complete(w.auditEnd(), want)
	w.eventually(look)
	w.consistently(look)
	w.stop()
	w.start()
	w.consistently(look)
}

func TestRepeatedLookAndRestartWriteNothing(t *testing.T) {
	t.Parallel()
	w, grant := labWithOne(t)
	pool := MakePool(w, "room", 1).Obj()
	seated := MakeGrant(w, "guest", 42).Namespace(w.prefix + "42").Seat("room").Obj()
	w.create(pool, seated)
	w.awaitActive(seated)
	w.awaitPool(pool, 1, 0)
	policy, institution := MakeLab(w, "lab").Obj(), MakeInstitution(w).Obj()
	// Otherwise it counts when it looks at its tokens the next time.
	w.touch(institution)
	w.eventually(func(g Gomega) {
		w.get(policy)
		w.get(institution)
		g.Expect(policy.Status.Grants.Active).To(HaveValue(BeEquivalentTo(1)))
		g.Expect(institution.Status.Grants.Active).To(HaveValue(BeEquivalentTo(2)))
		g.Expect(institution.Status.Completions).To(HaveValue(BeEquivalentTo(1)))
	})

	w.awaitSeenOf(1, 42)
	began := w.auditEnd()
	quiet := func() {
		t.Helper()
		w.consistently(func(g Gomega) {
			taken, refused, _ := w.writes(began)
			g.Expect(taken).To(BeEmpty())
			g.Expect(refused).To(BeEmpty())
		})
	}
	w.nudge()
	quiet()
	w.stop()
	w.start()
	quiet()
	// The restarted manager works: it is not silent because it does nothing.
	w.delete(w.quotaOf(1))
	w.eventually(func(g Gomega) {
		taken, _, _ := w.writes(began)
		g.Expect(taken).To(Equal(map[string]int{"resourcequotas": 1, "grants/status": 1}), "the inventory has another uid")
	})
	w.awaitActive(grant)
}
