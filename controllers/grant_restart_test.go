// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"context"
	"net/http"
	"path"
	"strings"
	"sync"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// What a Grant records may be outdated when the manager starts: the end that it records has passed, and what happened
// meanwhile moves it. No data goes on the strength of an outdated record. The grace is none.
func TestEndThatMovedWhileTheManagerWasDownTakesNoData(t *testing.T) {
	t.Parallel()
	lab := func(w *world) *PolicyWrapper { return MakeLab(w, "lab").MaxDays(15) }
	alumni := func(w *world) *PolicyWrapper {
		return MakePolicy(w, "lab").PerUser().Courses(course, 2).MaxDays(15).
			Namespace(v1alpha1.Template(w.prefix + "${user.id}"))
	}
	follow := func(w *world) *PolicyWrapper { return MakeLab(w, "lab") }
	for _, tc := range []struct {
		name       string
		zone       string
		policy     func(w *world) *PolicyWrapper
		expire     string
		meanwhile  func(w *world, completions []*v1alpha1.CourseCompletion)
		ends, want string
	}{
		{"the policy gives more days", "", lab, "",
			func(w *world, _ []*v1alpha1.CourseCompletion) {
				policy := lab(w).Obj()
				w.change(policy, func() { policy.Spec.Lifetime.MaxDays = 30 })
			}, "2026-03-16T13:00:00Z", "2026-03-31T13:00:00Z"},
		{"a second completion came", "", alumni, "",
			func(w *world, completions []*v1alpha1.CourseCompletion) {
				for _, first := range completions {
					w.create(MakeCompletion(w, first.Spec.User.ID).Course(2).SendAt("2026-03-10 08:00:00").Obj())
				}
			}, "2026-03-16T13:00:00Z", "2026-03-25T11:00:00Z"},
		{"newer deliveries came", "America/Sao_Paulo", follow, "2026-03-20",
			func(w *world, completions []*v1alpha1.CourseCompletion) {
				for _, completion := range completions {
					w.change(completion, func() {
						sendAt(completion, "2026-03-10 08:00:00")
						completion.Spec.Enrollment.DateExpire = "2026-03-25"
					})
				}
			}, "2026-03-21T03:00:00Z", "2026-03-26T03:00:00Z"},
		{"the institution is in another zone", "Asia/Tokyo", follow, "2026-03-20",
			func(w *world, _ []*v1alpha1.CourseCompletion) {
				institution := MakeInstitution(w).Obj()
				w.change(institution, func() { institution.Spec.TimeZone = "America/Sao_Paulo" })
			}, "2026-03-20T15:00:00Z", "2026-03-21T03:00:00Z"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w := makeWorld(t)
			w.create(MakeInstitution(w).Zone(tc.zone).Obj(), tc.policy(w).Obj())
			// Several, since what comes first after a start is left to chance.
			var completions []*v1alpha1.CourseCompletion
			for user := range v1alpha1.PlatformID(4) {
				completions = append(completions, MakeCompletion(w, user+1).Expire(tc.expire).Obj())
				w.create(completions[user])
			}
			w.start()
			grants := w.awaitEnds(completions, tc.ends)
			var namespaces []*corev1.Namespace
			for _, completion := range completions {
				namespace := w.learner(completion.Spec.User.ID)
				w.get(namespace)
				namespaces = append(namespaces, namespace)
			}
			w.stop()
			tc.meanwhile(w, completions)
			w.clock.ahead.Add(int64(w.until(tc.ends) + time.Minute))
			w.wrap = (&overtaken{read: map[string]chan struct{}{}, changed: map[string]chan struct{}{}}).wrap
			w.start()
			w.awaitEnds(completions, tc.want)
			for i, namespace := range namespaces {
				w.awaitActive(grants[i])
				w.stays(namespace, namespace.UID)
			}
			// It was put off, and not forgotten.
			w.step(w.until(tc.want) + time.Minute)
			for _, completion := range completions {
				w.awaitGone(w.learner(completion.Spec.User.ID))
			}
		})
	}
}

// overtaken has a Grant change between a live read of it and the answer: whoever decides by what was read decides by
// what the planner has changed meanwhile. Neither waits for the other for long.
type overtaken struct {
	mu            sync.Mutex
	read, changed map[string]chan struct{}
}

// once returns the channel of a Grant.
func (o *overtaken) once(channels map[string]chan struct{}, grant string) chan struct{} {
	o.mu.Lock()
	defer o.mu.Unlock()
	if channels[grant] == nil {
		channels[grant] = make(chan struct{}, 1)
	}
	return channels[grant]
}

func (o *overtaken) wrap(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(request *http.Request) (*http.Response, error) {
		if !strings.HasSuffix(path.Dir(request.URL.Path), "/grants") {
			return next.RoundTrip(request)
		}
		name := path.Base(request.URL.Path)
		read, changed := o.once(o.read, name), o.once(o.changed, name)
		if request.Method == http.MethodPatch {
			await(request.Context(), read)
		}
		response, err := next.RoundTrip(request)
		switch request.Method {
		case http.MethodGet:
			signal(read)
			await(request.Context(), changed)
		case http.MethodPatch:
			// What the planner notes, it notes right after.
			time.AfterFunc(100*time.Millisecond, func() { signal(changed) })
		}
		return response, err
	})
}

func signal(channel chan struct{}) {
	select {
	case channel <- struct{}{}:
	default:
	}
}

func await(ctx context.Context, channel chan struct{}) {
	select {
	case <-channel:
	case <-time.After(2 * time.Second):
	case <-ctx.Done():
	}
}

// until returns how long it takes to a moment by the clock of a test.
func (w *world) until(moment string) time.Duration {
	w.t.Helper()
	at, err := time.Parse(time.RFC3339, moment)
	NewWithT(w.t).Expect(err).NotTo(HaveOccurred())
	return at.Sub(w.clock.Now())
}

// awaitEnds waits until the only Grant of each user is in place, to a moment.
func (w *world) awaitEnds(completions []*v1alpha1.CourseCompletion, moment string) []*v1alpha1.Grant {
	w.t.Helper()
	grants := make([]*v1alpha1.Grant, len(completions))
	w.eventually(func(g Gomega) {
		for _, grant := range w.grants(g) {
			for i, completion := range completions {
				if grant.Spec.Holder.UserID == completion.Spec.User.ID {
					grants[i] = grant.DeepCopy()
				}
			}
		}
		for _, grant := range grants {
			g.Expect(grant).NotTo(BeNil())
			g.Expect(grant.Spec.AccessEndsAt.UTC().Format(time.RFC3339)).To(Equal(moment))
		}
	})
	for _, grant := range grants {
		w.awaitActive(grant)
	}
	return grants
}
