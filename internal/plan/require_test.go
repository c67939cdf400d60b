// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/lifecycle"
	"github.com/lxp-dev/course-completion-operator/internal/seats"
)

// path makes a policy that grants once courses 7 and 8 are completed.
func path(edit ...func(*v1alpha1.CompletionPolicySpec)) *v1alpha1.CompletionPolicy {
	return namespacePolicy(append([]func(*v1alpha1.CompletionPolicySpec){func(s *v1alpha1.CompletionPolicySpec) {
		s.GrantPer = v1alpha1.GrantPerUser
		s.Match = v1alpha1.PolicyMatch{CourseIDs: []v1alpha1.PlatformID{8, 7}, Require: v1alpha1.MatchAll}
		s.Namespaces[0].Name = "grad-${user.id}"
	}}, edit...)...)
}

func courses(ids ...v1alpha1.PlatformID) func(*v1alpha1.CompletionPolicySpec) {
	return func(s *v1alpha1.CompletionPolicySpec) { s.Match.CourseIDs = ids }
}

// took delivers the completion of a course in an enrollment, which expires on a date, if that is not empty.
func (w *world) started(course, enrollment v1alpha1.PlatformID, sendAt, expiry string) {
	w.deliver(delivered(sendAt, expires(expiry), func(s *v1alpha1.CourseCompletionSpec) {
		s.Course.ID, s.Enrollment.ID, s.Enrollment.CourseID = course, enrollment, course
	}))
}

func TestAllOfSeveralCourses(t *testing.T) {
	t.Parallel()
	const seven, otherSeven, eight = "1-7-11-5", "1-7-12-5", "1-8-21-5"
	edited := func(edit ...func(*v1alpha1.CompletionPolicySpec)) func(w *world) {
		return func(w *world) { w.policies["graduates"] = path(edit...); w.plan() }
	}
	both := func(w *world) {
		w.started(7, 11, "2024-01-08 10:00:00", "2024-06-30")
		w.plan()
		w.started(8, 21, "2024-01-09 10:00:00", "2024-03-31")
		w.plan()
	}
	for name, tc := range map[string]struct {
		policy *v1alpha1.CompletionPolicy
		// begin delivers both courses unless it is set.
		begin func(w *world)
		play  func(w *world)
		// want is where the grant stands; nil where there is none.
		want *lifecycle.Stage
		// wantEnds is when access ends, a day.
		wantEnds string
	}{
		"one course grants nothing": {
			begin: func(w *world) { w.started(7, 11, "2024-01-08 10:00:00", ""); w.plan() },
		},
		"two enrollments of one course grant nothing": {
			begin: func(w *world) {
				w.started(7, 11, "2024-01-08 10:00:00", "")
				w.started(7, 12, "2024-01-08 11:00:00", "")
				w.plan()
			},
		},
		"one course that has ended already grants nothing": {
			begin: func(w *world) {
				w.started(7, 11, "2024-01-08 10:00:00", "")
				w.started(8, 21, "2024-01-08 11:00:00", "2024-01-09")
				w.plan()
			},
		},
		"it ends with the course that ends first": {want: new(lifecycle.Active), wantEnds: "2024-04-01"},
		"of each course the enrollment counts that ends last": {
			play: func(w *world) { w.started(8, 22, "2024-01-09 11:00:00", "2024-12-31"); w.plan() },
			want: new(lifecycle.Active), wantEnds: "2024-07-01",
		},
		"a course without an end does not end it": {
			play: func(w *world) { w.started(8, 22, "2024-01-09 11:00:00", ""); w.plan() },
			want: new(lifecycle.Active), wantEnds: "2024-07-01",
		},
		"a newer delivery extends": {
			play: func(w *world) { w.started(8, 21, "2024-01-10 11:00:00", "2024-05-31"); w.plan() },
			want: new(lifecycle.Active), wantEnds: "2024-06-01",
		},
		"it has ended": {
			play: func(w *world) { w.now = time.Date(2024, 4, 2, 0, 0, 0, 0, time.UTC); w.plan() },
			want: new(lifecycle.AccessExpired), wantEnds: "2024-04-01",
		},
		"it has ended, and a newer delivery brings it back": {
			play: func(w *world) {
				w.now = time.Date(2024, 4, 2, 0, 0, 0, 0, time.UTC)
				w.plan()
				w.started(8, 21, "2024-04-01 11:00:00", "2024-05-31")
				w.plan()
			},
			want: new(lifecycle.Active), wantEnds: "2024-06-01",
		},
		"one course is withdrawn": {
			play: func(w *world) { delete(w.completions, eight); w.plan() },
			want: new(lifecycle.AccessExpired), wantEnds: "2024-01-10",
		},
		"one enrollment of a course is withdrawn, and another one is there": {
			play: func(w *world) {
				w.started(7, 12, "2024-01-09 11:00:00", "2024-08-31")
				w.plan()
				delete(w.completions, seven)
				w.plan()
			},
			want: new(lifecycle.Active), wantEnds: "2024-04-01",
		},
		"one course is archived": {
			play: func(w *world) {
				w.grants[0].Spec.Causes[1].ArchivedAt = new(metav1.NewTime(w.now))
				delete(w.completions, eight)
				w.plan()
			},
			want: new(lifecycle.Active), wantEnds: "2024-04-01",
		},
		"the policy asks for a third course and retains": {
			play: edited(courses(7, 8, 9)), want: new(lifecycle.Active), wantEnds: "2024-04-01",
		},
		"the policy asks for a third course, and it ends with one of the two": {
			play: func(w *world) { edited(courses(7, 8, 9))(w); delete(w.completions, eight); w.plan() },
			want: new(lifecycle.AccessExpired), wantEnds: "2024-01-10",
		},
		"the policy asks for a third course and takes back": {
			policy: path(removeWithPolicy), play: edited(removeWithPolicy, courses(7, 8, 9)),
			want: new(lifecycle.AccessExpired), wantEnds: "2024-01-10",
		},
		"the policy asks for a third course and takes back, until it is completed": {
			policy: path(removeWithPolicy),
			play: func(w *world) {
				edited(removeWithPolicy, courses(7, 8, 9))(w)
				w.started(9, 31, "2024-01-10 11:00:00", "2024-02-29")
				w.plan()
			},
			want: new(lifecycle.Active), wantEnds: "2024-03-01",
		},
		"the policy asks for a third course, which is completed": {
			play: func(w *world) {
				edited(courses(7, 8, 9))(w)
				w.started(9, 31, "2024-01-10 11:00:00", "2024-02-29")
				w.plan()
			},
			want: new(lifecycle.Active), wantEnds: "2024-03-01",
		},
		"the policy asks for one course only": {
			play: edited(courses(7)), want: new(lifecycle.Active), wantEnds: "2024-07-01",
		},
		"any course was enough before": {
			policy: path(func(s *v1alpha1.CompletionPolicySpec) { s.Match.Require = v1alpha1.MatchAny }),
			begin:  func(w *world) { w.started(7, 11, "2024-01-08 10:00:00", "2024-06-30"); w.plan() },
			play:   edited(), want: new(lifecycle.Active), wantEnds: "2024-07-01",
		},
		"any course is enough from now on": {
			play: edited(func(s *v1alpha1.CompletionPolicySpec) { s.Match.Require = v1alpha1.MatchAny }),
			want: new(lifecycle.Active), wantEnds: "2024-07-01",
		},
		"the policy breaks, and a course is withdrawn": {
			play: func(w *world) {
				edited(matching("("))(w)
				delete(w.completions, otherSeven)
				delete(w.completions, seven)
				w.plan()
			},
			want: new(lifecycle.AccessExpired), wantEnds: "2024-01-10",
		},
		"the policy goes, and it ends with a course": {
			play: func(w *world) {
				clear(w.policies)
				w.plan()
				w.now = time.Date(2024, 4, 2, 0, 0, 0, 0, time.UTC)
				w.plan()
			},
			want: new(lifecycle.AccessExpired), wantEnds: "2024-04-01",
		},
		"an expression leaves one course out": {policy: path(matching("enrollment.id != 21"))},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			policy, begin := tc.policy, tc.begin
			if policy == nil {
				policy = path()
			}
			if begin == nil {
				begin = both
			}
			w := newWorld(t, policy)
			begin(w)
			if tc.play != nil {
				tc.play(w)
			}
			if tc.want == nil {
				if len(w.grants) != 0 {
					t.Errorf("got %s, want no grant", w.grants[0].Name)
				}
				told := map[string]bool{}
				for _, completion := range w.last.Completions {
					for _, row := range completion.Policies {
						told[row.Reason] = true
					}
				}
				if !told[v1alpha1.ReasonCoursesMissing] {
					t.Errorf("the completions are told %v", told)
				}
				return
			}
			if len(w.grants) != 1 {
				t.Fatalf("got %d grants, want one", len(w.grants))
			}
			if got := stateLettingGo(&w.grants[0], w.now).Stage; got != *tc.want {
				t.Errorf("standing: got %v, want %v; %+v", got, *tc.want, w.grants[0].Spec)
			}
			if got := w.grants[0].Spec.AccessEndsAt; got == nil || got.UTC().Format(time.DateOnly) != tc.wantEnds {
				t.Errorf("access ends at %v, want %s", got, tc.wantEnds)
			}
		})
	}
}

func TestAPathTakesOnceItIsCompleted(t *testing.T) {
	t.Parallel()
	w := newWorld(t, path(func(s *v1alpha1.CompletionPolicySpec) {
		s.Revoke.Seats = []v1alpha1.RevokedSeat{{Pool: "desk"}}
	}))
	w.started(7, 11, "2024-01-08 10:00:00", "")
	w.plan()
	if len(w.grants) != 0 {
		t.Fatal("it takes after the first course")
	}
	w.started(8, 21, "2024-01-09 10:00:00", "")
	w.plan()
	if got := w.grants[0].Spec.Revokes.Completion; got != "1-8-21-5" {
		t.Errorf("it takes because of %q, want the course that came last", got)
	}
	delete(w.completions, "1-7-11-5")
	w.plan()
	if w.grants[0].Revokes() {
		t.Error("it still takes after a course was withdrawn")
	}
}

func TestPlaceInTheQueueIsWhenThePathWasCompleted(t *testing.T) {
	t.Parallel()
	w := newWorld(t, path())
	w.started(7, 11, "2024-01-01 10:00:00", "")
	w.started(8, 21, "2024-01-05 10:00:00", "")
	w.started(8, 22, "2024-01-09 10:00:00", "")
	w.plan()
	if got := seats.ClaimedAt(&w.grants[0]).UTC().Format(time.DateTime); got != "2024-01-05 10:00:00" {
		t.Errorf("got %s", got)
	}
}

func TestUntil(t *testing.T) {
	t.Parallel()
	zone := time.FixedZone("-03", -3*3600)
	for name, tc := range map[string]struct {
		until, expiry, want string
		wantEnd             v1alpha1.CauseEnd
	}{
		"the end of a day": {until: "2024-03-31", want: "2024-04-01T03:00:00Z", wantEnd: v1alpha1.CauseUntilReached},
		"a moment": {until: "2024-03-31T18:00:00+02:00", want: "2024-03-31T16:00:00Z",
			wantEnd: v1alpha1.CauseUntilReached},
		"the enrollment is over": {until: "2024-03-31", expiry: "2024-03-30", want: "2024-03-31T03:00:00Z",
			wantEnd: v1alpha1.CauseEnrollmentExpired},
		"the enrollment goes on": {until: "2024-03-31", expiry: "2024-05-30", want: "2024-04-01T03:00:00Z",
			wantEnd: v1alpha1.CauseUntilReached},
		"no such bound": {},
		"for ever":      {until: "9999-12-31"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, namespacePolicy(func(s *v1alpha1.CompletionPolicySpec) { s.Lifetime.Until = tc.until }))
			w.deliver(delivered("2024-01-10 10:00:00", expires(tc.expiry)))
			person := w.person()
			person.Zone = zone
			cause := For(person).Grants[0].Spec.Causes[0]
			got := ""
			if cause.EndsAt != nil {
				got = cause.EndsAt.UTC().Format(time.RFC3339)
			}
			if got != tc.want || cause.End != tc.wantEnd {
				t.Errorf("got %s by %q, want %s by %q", got, cause.End, tc.want, tc.wantEnd)
			}
		})
	}
}
