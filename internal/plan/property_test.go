// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/lifecycle"
	"github.com/lxp-dev/course-completion-operator/internal/moment"
	"github.com/lxp-dev/course-completion-operator/test/histories"
)

// rules say by themselves, and far more simply than the planner, what everybody is entitled to: each policy has for
// each completion at most one cause, which ends, or not.
type rules struct {
	causes map[string]map[string]*ruled
	// grants holds which Grants there are, by policy and name: a cause that has ended when it is first seen makes none.
	grants map[string]string
	// requires holds the courses of each of which a Grant needs a cause, by its name.
	requires map[string][]v1alpha1.PlatformID
	// recorded is each policy as it was when it last planned.
	recorded map[string]*v1alpha1.CompletionPolicySpec
}

// ruled is one cause.
type ruled struct {
	grant string
	spec  v1alpha1.CourseCompletionSpec
	// first is when the completion was sent for the first time, as far as was known at any time.
	first     time.Time
	withdrawn bool
	// over is since when something other than its limits has ended it.
	over time.Time
}

// at returns when a cause ends under a policy; zero if it does not.
func (r *ruled) at(policy *v1alpha1.CompletionPolicySpec) time.Time {
	var ends []time.Time
	if !r.over.IsZero() {
		ends = append(ends, r.over)
	}
	if *r.spec.Enrollment.Status == 0 {
		ends = append(ends, r.spec.Event.SentAt.Time)
	}
	follows := policy.Lifetime.EnrollmentExpiry == v1alpha1.EnrollmentExpiryFollow
	if date := r.spec.Enrollment.DateExpire; date != "" && follows {
		last, err := time.Parse(time.DateOnly, date)
		if err != nil {
			panic(err)
		}
		ends = append(ends, last.Add(moment.Day))
	}
	if until := policy.Lifetime.Until; until != "" {
		last, err := time.Parse(time.DateOnly, until)
		if err == nil {
			last = last.Add(moment.Day)
		} else if last, err = time.Parse(time.RFC3339, until); err != nil {
			panic(err)
		}
		ends = append(ends, last)
	}
	if days := policy.Lifetime.MaxDays; days > 0 {
		ends = append(ends, r.first.Add(time.Duration(days)*moment.Day))
	}
	if len(ends) == 0 {
		return time.Time{}
	}
	return slices.MinFunc(ends, time.Time.Compare)
}

func (r *ruled) live(policy *v1alpha1.CompletionPolicySpec, now time.Time) bool {
	at := r.at(policy)
	return at.IsZero() || at.After(now)
}

// plan applies the rules to what there is.
func (r *rules) plan(w *world) {
	for _, name := range propertyPolicies {
		policy, found := w.policies[name]
		switch {
		case found && *policy.Spec.Suspend:
		case found && strings.Contains(policy.Spec.Match.Expression, "nonsense"):
			r.policy(w, name, r.recorded[name], false, false)
		case found:
			r.recorded[name] = policy.Spec.DeepCopy()
			r.policy(w, name, r.recorded[name], true, false)
		default:
			r.policy(w, name, r.recorded[name], false, true)
			r.removed(w, name)
		}
	}
}

// policy considers every completion; a policy that does not work, or has gone, finds no new ones.
func (r *rules) policy(w *world, name string, spec *v1alpha1.CompletionPolicySpec, works, gone bool) {
	if spec == nil {
		return
	}
	for id, cause := range r.causes[name] {
		if _, found := w.completions[id]; !found && !cause.withdrawn {
			cause.withdrawn, cause.over = true, w.now
		}
	}
	var required []v1alpha1.PlatformID
	if spec.Match.Require == v1alpha1.MatchAll {
		required = spec.Match.CourseIDs
	}
	complete := true
	for _, course := range required {
		has := false
		for _, completion := range w.completions {
			has = has || completion.Spec.Course.ID == course
		}
		for _, cause := range r.causes[name] {
			has = has || cause.spec.Course.ID == course
		}
		complete = complete && has
	}
	fresh, matched := map[string]map[string]*ruled{}, map[string]*ruled{}
	for id, completion := range w.completions {
		matches := works && complete && slices.Contains(spec.Match.CourseIDs, completion.Spec.Course.ID)
		cause := r.causes[name][id]
		if cause == nil && !matches {
			continue
		}
		if cause != nil && cause.withdrawn && completion.Spec.Event.SendAt <= cause.spec.Event.SendAt {
			continue
		}
		if cause != nil && !cause.over.IsZero() && !matches {
			if (works || gone) && spec.OnPolicyRemoval == v1alpha1.RemovalDelete {
				// What stays ended is noted with its newest delivery, which an older one does not undo later.
				cause.spec, cause.withdrawn = completion.Spec, false
			}
			continue
		}
		next := &ruled{spec: completion.Spec, grant: name + "." + id, first: completion.Spec.Event.First().Time}
		if cause != nil && cause.first.Before(next.first) {
			next.first = cause.first
		}
		if spec.GrantPer == v1alpha1.GrantPerUser {
			next.grant = name + ".1-5"
		}
		if works && !matches && spec.OnPolicyRemoval == v1alpha1.RemovalDelete {
			next.over = w.now
		}
		if fresh[next.grant] == nil {
			fresh[next.grant] = map[string]*ruled{}
		}
		fresh[next.grant][id] = next
		if matches {
			matched[id] = next
		}
	}
	for grant, causes := range fresh {
		isNew := r.grants[grant] == ""
		if isNew && !entitle(causes, grant, required, spec, w.now) {
			continue
		}
		withdraws := complete && spec.OnPolicyRemoval == v1alpha1.RemovalDelete
		if works && (isNew || withdraws || entitle(matched, grant, required, spec, w.now)) {
			r.requires[grant] = required
		}
		r.grants[grant] = name
		maps.Copy(r.causes[name], causes)
	}
}

// entitle reports whether causes of a grant entitle: one of each required course, or any.
func entitle(causes map[string]*ruled, grant string, required []v1alpha1.PlatformID,
	spec *v1alpha1.CompletionPolicySpec, now time.Time,
) bool {
	live := map[v1alpha1.PlatformID]bool{}
	for _, cause := range causes {
		if cause.grant == grant && cause.live(spec, now) {
			live[cause.spec.Course.ID] = true
		}
	}
	for _, course := range required {
		if !live[course] {
			return false
		}
	}
	return len(live) > 0
}

// removed ends what a policy gave that has gone and said so.
func (r *rules) removed(w *world, name string) {
	spec := r.recorded[name]
	if spec == nil || spec.OnPolicyRemoval != v1alpha1.RemovalDelete {
		return
	}
	for _, cause := range r.causes[name] {
		if cause.over.IsZero() {
			cause.over = w.now
		}
	}
}

// entitled returns which Grants entitle their holder now, by the rules.
func (r *rules) entitled(w *world) map[string]bool {
	found := map[string]bool{}
	for i := range w.grants {
		grant := &w.grants[i]
		policy := r.grants[grant.Name]
		if policy == "" {
			continue
		}
		entitles := entitle(r.causes[policy], grant.Name, r.requires[grant.Name], r.recorded[policy], w.now)
		override := grant.Spec.Override
		switch {
		case override.Revoked != nil:
			entitles = false
		case override.Until != nil:
			entitles = w.now.Before(override.Until.Time)
		}
		if entitles {
			found[grant.Name] = true
		}
	}
	return found
}

// propertyPolicies are the policies of the random histories.
var propertyPolicies = []string{"alumni", "graduates"}

// history makes random events. They shrink: a failure is told by the shortest and plainest history that still fails.
type history struct {
	t *rapid.T
	w *world
}

// IntN draws one of n numbers.
func (h *history) IntN(n int) int { return histories.Below(n).Draw(h.t, "n") }

func (h *history) tell(format string, args ...any) {
	h.t.Logf(h.w.now.Format(time.DateTime)+" "+format, args...)
}

// delivery is a random one: of three enrollments in two courses, sent within a month of now, each at another second.
func (h *history) delivery() v1alpha1.CourseCompletionSpec {
	enrollment := v1alpha1.PlatformID(11 + h.IntN(3))
	sent := h.w.now.Add(-time.Duration(h.IntN(30*24*3600)) * time.Second)
	return delivered(sent.Format(time.DateTime), func(s *v1alpha1.CourseCompletionSpec) {
		s.Enrollment.ID = enrollment
		s.Course.ID = 7 + enrollment%2
		s.Enrollment.CourseID = s.Course.ID
		if h.IntN(4) == 0 {
			s.Enrollment.Status = new(int32(0))
		}
		if h.IntN(2) == 0 {
			s.Enrollment.DateExpire = h.w.now.AddDate(0, 0, h.IntN(90)-20).Format(time.DateOnly)
		}
	})
}

// policy is a random one. Half of the time it is about both courses.
func (h *history) policy(name string) *v1alpha1.CompletionPolicy {
	return namespacePolicy(func(s *v1alpha1.CompletionPolicySpec) {
		s.Match.CourseIDs = [][]v1alpha1.PlatformID{{7}, {8}, {7, 8}, {7, 8}}[h.IntN(4)]
		s.Lifetime.MaxDays = []int32{0, 0, 40, 90}[h.IntN(4)]
		s.Lifetime.EnrollmentExpiry = []v1alpha1.EnrollmentExpiry{
			v1alpha1.EnrollmentExpiryFollow, v1alpha1.EnrollmentExpiryIgnore}[h.IntN(2)]
		s.OnPolicyRemoval = []v1alpha1.RemovalAction{v1alpha1.RemovalRetain, v1alpha1.RemovalDelete}[h.IntN(2)]
		s.Suspend = new(h.IntN(6) == 0)
		if h.IntN(6) == 0 {
			s.Match.Expression = "nonsense("
		}
		if name == "alumni" {
			s.GrantPer = v1alpha1.GrantPerUser
			s.Namespaces[0].Name = "grad-all-${user.id}"
			s.Match.Require = []v1alpha1.MatchRequire{v1alpha1.MatchAny, v1alpha1.MatchAll}[h.IntN(2)]
		}
		if h.IntN(4) == 0 {
			s.Lifetime.Until = h.w.now.AddDate(0, 0, h.IntN(90)-10).Format([]string{time.DateOnly, time.RFC3339}[h.IntN(2)])
		}
	})
}

// event lets something happen.
func (h *history) event() {
	switch n := h.IntN(20); {
	case n < 9:
		spec := h.delivery()
		h.tell("deliver %s sent %s status %d expire %s", spec.Name(), spec.Event.SendAt, *spec.Enrollment.Status,
			spec.Enrollment.DateExpire)
		h.w.deliver(spec)
	case n < 11:
		if names := slices.Sorted(maps.Keys(h.w.completions)); len(names) > 0 {
			name := names[h.IntN(len(names))]
			h.tell("withdraw %s", name)
			delete(h.w.completions, name)
		}
	case n < 13:
		name := propertyPolicies[h.IntN(2)]
		edited := h.policy(name)
		edited.Name = name
		h.w.policies[name] = edited
		h.tell("edit %s: courses %v %s, %d days, until %q, expiry %s, removal %s, suspended %t, expression %q", name,
			edited.Spec.Match.CourseIDs, edited.Spec.Match.Require, edited.Spec.Lifetime.MaxDays, edited.Spec.Lifetime.Until,
			edited.Spec.Lifetime.EnrollmentExpiry,
			edited.Spec.OnPolicyRemoval, *edited.Spec.Suspend, edited.Spec.Match.Expression)
	case n < 14:
		name := propertyPolicies[h.IntN(2)]
		h.tell("remove %s", name)
		delete(h.w.policies, name)
	case n < 16:
		h.override()
	default:
		h.w.now = h.w.now.Add(time.Duration(h.IntN(40*24)) * time.Hour)
		h.tell("the clock jumps")
	}
}

func (h *history) override() {
	if len(h.w.grants) == 0 {
		return
	}
	grant := &h.w.grants[h.IntN(len(h.w.grants))]
	grant.Spec.Override = []v1alpha1.GrantOverride{
		{},
		{Revoked: new(true), Reason: "left"},
		{Until: new(metav1.NewTime(h.w.now.Add(time.Duration(h.IntN(60)-20) * moment.Day))), Reason: "exam"},
	}[h.IntN(3)]
	h.tell("override %s: %+v", grant.Name, grant.Spec.Override)
}

func TestMain(m *testing.M) { histories.Run(m, 400, 40) }

// TestRandomHistoriesGrantWhatTheRulesSay plays random histories of deliveries, withdrawals, policies, overrides and
// clock jumps. After each plan exactly those Grants entitle that the rules say; planning again changes nothing; and
// what a Grant once rendered is there as long as it entitles.
func TestRandomHistoriesGrantWhatTheRulesSay(t *testing.T) {
	t.Parallel()
	plans, entitled := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		h := &history{t: t, w: newWorld(t)}
		r := &rules{causes: map[string]map[string]*ruled{"alumni": {}, "graduates": {}}, grants: map[string]string{},
			requires: map[string][]v1alpha1.PlatformID{}, recorded: map[string]*v1alpha1.CompletionPolicySpec{}}
		t.Repeat(map[string]func(*rapid.T){"event": func(t *rapid.T) {
			h.t = t
			h.event()
			if h.IntN(3) == 0 {
				// What happens between two plans is planned together.
				return
			}
			h.w.plan()
			r.plan(h.w)
			got, want := map[string]bool{}, r.entitled(h.w)
			for i := range h.w.grants {
				if grant := &h.w.grants[i]; stateLettingGo(grant, h.w.now).Stage == lifecycle.Active {
					got[grant.Name] = true
					if len(grant.Spec.Namespaces) != 1 {
						t.Fatalf("grant %s entitles to nothing", grant.Name)
					}
				}
			}
			plans, entitled = plans+1, entitled+len(want)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("entitled (-want +got):\n%s", diff)
			}
		}})
	})
	if entitled*3 < plans {
		t.Fatalf("only %d times somebody was entitled in %d plans: the histories show too little", entitled, plans)
	}
}

// TestRandomDeliveriesInAnyOrder delivers the same random deliveries under the same random policies in two orders, and
// expects the same entitlements, to the same things and until the same time.
func TestRandomDeliveriesInAnyOrder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		h := &history{t: t, w: newWorld(t)}
		for _, name := range propertyPolicies {
			h.w.policies[name] = h.policy(name)
			h.w.policies[name].Name = name
		}
		sent := map[string]bool{}
		var deliveries []v1alpha1.CourseCompletionSpec
		for range 1 + h.IntN(12) {
			if one := h.delivery(); !sent[one.Event.SendAt] {
				sent[one.Event.SendAt] = true
				deliveries = append(deliveries, one)
			}
		}
		play := func(deliveries []v1alpha1.CourseCompletionSpec) map[string]v1alpha1.GrantSpec {
			w := newWorld(t)
			w.policies = h.w.policies
			for _, delivery := range deliveries {
				w.deliver(delivery)
				if h.IntN(2) == 0 {
					w.plan()
				}
			}
			w.plan()
			entitled := map[string]v1alpha1.GrantSpec{}
			for i := range w.grants {
				if stateLettingGo(&w.grants[i], w.now).Stage == lifecycle.Active {
					entitled[w.grants[i].Name] = w.grants[i].Spec
				}
			}
			return entitled
		}
		first, second := play(deliveries), play(rapid.Permutation(deliveries).Draw(t, "order"))
		if diff := cmp.Diff(first, second, whatever); diff != "" {
			t.Fatalf("another order ends differently:\n%s", diff)
		}
	})
}
