// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package flow

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	toolscache "k8s.io/client-go/tools/cache"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

const namespace = "institution-501"

// world feeds a Flow as the watches do.
type world struct {
	*Flow
	t     testing.TB
	clock *clocktesting.FakePassiveClock
}

func newWorld(t testing.TB) *world {
	// Delivery ids have the machine's time.
	c := clocktesting.NewFakePassiveClock(time.Now())
	return &world{New(c), t, c}
}

func (w *world) handler(object client.Object) toolscache.ResourceEventHandler {
	switch object.(type) {
	case *v1alpha1.Institution:
		return handle(w.institutionSeen, w.institutionGone)
	case *v1alpha1.CompletionPolicy:
		return handle(w.policySeen, w.policyGone)
	case *v1alpha1.SeatPool:
		return handle(w.poolSeen, w.poolGone)
	case *v1alpha1.CourseCompletion:
		return handle(w.completionSeen, w.completionGone)
	case *v1alpha1.Grant:
		return handle(w.grantSeen, w.grantGone)
	}
	w.t.Fatalf("nobody watches %T", object)
	return nil
}

func (w *world) found(objects ...client.Object) {
	for _, object := range objects {
		w.handler(object).OnAdd(object, true)
	}
}

func (w *world) made(objects ...client.Object) {
	for _, object := range objects {
		w.handler(object).OnAdd(object, false)
	}
}

func (w *world) changed(object client.Object) { w.handler(object).OnUpdate(object, object) }

func (w *world) gone(object client.Object) {
	w.handler(object).OnDelete(toolscache.DeletedFinalStateUnknown{Obj: object})
}

// phase has a Grant seen in a phase.
func (w *world) phase(grant *v1alpha1.Grant, phase v1alpha1.GrantPhase) {
	grant.Status.Phase = phase
	w.changed(grant)
}

// gather returns the series of each metric as they are now.
func (w *world) gather() map[string][]*dto.Metric {
	w.t.Helper()
	w.clock.SetTime(w.clock.Now().Add(refresh))
	registry := prometheus.NewPedanticRegistry()
	if err := w.Register(registry); err != nil {
		w.t.Fatal(err)
	}
	families, err := registry.Gather()
	if err != nil {
		w.t.Fatal(err)
	}
	found := map[string][]*dto.Metric{}
	for _, family := range families {
		found[family.GetName()] = family.GetMetric()
	}
	return found
}

// shows compares the series of a metric that are not zero with what is wanted, without the namespace.
func (w *world) shows(metric, want string) {
	w.t.Helper()
	var got []string
	for _, series := range w.gather()[metric] {
		value := series.GetGauge().GetValue() + series.GetCounter().GetValue()
		if value == 0 {
			continue
		}
		var labels []string
		for _, label := range series.GetLabel() {
			if label.GetName() != "namespace" {
				labels = append(labels, label.GetValue())
			}
		}
		got = append(got, fmt.Sprintf("%s=%g", strings.Join(labels, "/"), value))
	}
	if said := strings.Join(got, " "); said != want {
		w.t.Errorf("%s: got %s, want %s", metric, said, want)
	}
}

func named(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: namespace, Name: name, Generation: 1}
}

func institution() *v1alpha1.Institution {
	return &v1alpha1.Institution{ObjectMeta: named("school"), Spec: v1alpha1.InstitutionSpec{ID: 501}}
}

func policy(name string, courses ...v1alpha1.PlatformID) *v1alpha1.CompletionPolicy {
	return &v1alpha1.CompletionPolicy{ObjectMeta: named(name),
		Spec: v1alpha1.CompletionPolicySpec{Match: v1alpha1.PolicyMatch{CourseIDs: courses}}}
}

// completion is one that was delivered just now and that the planner has not looked at.
func completion(course, user v1alpha1.PlatformID) *v1alpha1.CourseCompletion {
	c := &v1alpha1.CourseCompletion{ObjectMeta: named(fmt.Sprintf("501-%d-1-%d", course, user))}
	c.Spec.Institution.ID, c.Spec.Course.ID, c.Spec.User.ID = 501, course, user
	c.Spec.Delivery.ID = uuid.Must(uuid.NewV7()).String()
	c.Status.ObservedGeneration = -1
	return c
}

func grant(name, policy string, causes ...*v1alpha1.CourseCompletion) *v1alpha1.Grant {
	g := &v1alpha1.Grant{ObjectMeta: named(name)}
	g.Spec.Policy, g.Spec.Holder.InstitutionID = v1alpha1.LocalName(policy), 501
	for _, cause := range causes {
		g.Spec.Causes = append(g.Spec.Causes, v1alpha1.GrantCause{Completion: v1alpha1.LocalName(cause.Name)})
	}
	return g
}

func TestCompletionsAreCountedByCourse(t *testing.T) {
	w := newWorld(t)
	first := completion(7, 1)
	w.found(institution(), policy("lab", 7, 8), first)
	w.made(completion(7, 2), completion(9, 2))
	w.changed(first)
	w.shows("completion_completions", "7/school=2 other/school=1")
	w.shows("completion_completions_stored_total", "7/school=1 other/school=1")

	w.gone(first)
	w.made(policy("exam", 9))
	w.made(completion(9, 3))
	w.shows("completion_completions", "7/school=1 9/school=2")
	w.shows("completion_completions_stored_total", "7/school=1 9/school=1 other/school=1")

	w.gone(policy("exam", 9))
	w.shows("completion_completions", "7/school=1 other/school=2")
	w.shows("completion_completions_stored_total", "7/school=1 other/school=1")
	w.gone(institution())
	w.shows("completion_completions", "")
}

// Whoever has what they had before is not granted it again.
func TestGrantsAreCountedByPhaseAndChange(t *testing.T) {
	w := newWorld(t)
	there, handMade, lab := grant("there", "lab"), grant("by-hand", ""), grant("lab-1", "lab")
	there.Status.Phase = v1alpha1.GrantActive
	w.found(institution(), policy("lab", 7), there)
	w.made(handMade, lab)
	w.shows("completion_grants", "school/Active=1 school/Pending=2")
	for _, phase := range []v1alpha1.GrantPhase{v1alpha1.GrantPending, v1alpha1.GrantActive} {
		w.phase(there, phase)
		w.phase(lab, phase)
		w.phase(handMade, phase)
	}
	w.phase(lab, v1alpha1.GrantSuspended)
	w.phase(lab, v1alpha1.GrantActive)
	w.shows("completion_grants", "school/Active=3")
	w.shows("completion_grant_changes_total", "active/school/=1 active/school/lab=1 made/school/=1 made/school/lab=1")

	w.phase(there, v1alpha1.GrantEnded)
	w.phase(handMade, v1alpha1.GrantRevoked)
	w.phase(handMade, v1alpha1.GrantEnded)
	w.phase(there, v1alpha1.GrantActive)
	w.gone(lab)
	w.shows("completion_grants", "school/Active=1 school/Ended=1")
	w.shows("completion_grant_changes_total", "active/school/=1 active/school/lab=2 ended/school/lab=2 "+
		"made/school/=1 made/school/lab=1 revoked/school/=1")
}

func TestEndsAreSeenComing(t *testing.T) {
	w := newWorld(t)
	w.found(institution())
	day := 24 * time.Hour
	for i, in := range []time.Duration{-time.Hour, 3 * day, 20 * day, 31 * day} {
		g := grant(fmt.Sprint(i), "lab")
		g.Spec.AccessEndsAt = new(metav1.NewTime(w.clock.Now().Add(in)))
		g.Status.Phase = v1alpha1.GrantActive
		w.made(g)
	}
	never, ended := grant("never", "lab"), grant("ended", "lab")
	never.Status.Phase, ended.Status.Phase = v1alpha1.GrantActive, v1alpha1.GrantEnded
	ended.Spec.AccessEndsAt = new(metav1.NewTime(w.clock.Now().Add(day)))
	w.made(never, ended)
	w.shows("completion_grants_ending", "school/30d=2 school/7d=1")

	w.clock.SetTime(w.clock.Now().Add(4 * day))
	w.shows("completion_grants_ending", "school/30d=2")
}

func TestSeatsAreShown(t *testing.T) {
	w := newWorld(t)
	room := &v1alpha1.SeatPool{ObjectMeta: named("room")}
	room.Spec.Capacity = new(int32(3))
	w.made(room)
	w.shows("completion_seats", "room=3")
	w.shows("completion_seats_taken", "")
	room.Status.Taken, room.Status.Waiting = new(int32(3)), new(int32(2))
	w.changed(room)
	w.shows("completion_seats_taken", "room=3")
	w.shows("completion_seats_waiting", "room=2")
	w.gone(room)
	w.shows("completion_seats", "")
}

// No tenant makes as many series as it likes, however often it changes its policies.
func TestLabelsAreBounded(t *testing.T) {
	w := newWorld(t)
	w.found(institution())
	for i := range 5 {
		for j := range 50 {
			id := v1alpha1.PlatformID(100*i + j + 1)
			one := policy(fmt.Sprintf("p-%d-%d", i, j), id)
			w.made(one, completion(id, 1), grant(one.Name, one.Name))
			w.made(&v1alpha1.SeatPool{ObjectMeta: named(one.Name)})
		}
		gathered := w.gather()
		for metric, most := range map[string]int{
			"completion_completions": maxCourses + 1, "completion_completions_stored_total": maxCourses + 1,
			"completion_grant_changes_total": (maxPolicies + 2) * len(changes), "completion_seats": maxPools + 1,
		} {
			if got := len(gathered[metric]); got != most {
				t.Errorf("%d series of %s, want %d", got, metric, most)
			}
		}
		for j := range 50 {
			w.gone(policy(fmt.Sprintf("p-%d-%d", i, j)))
		}
	}
}

func TestGrantingIsMeasured(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*v1alpha1.Grant, *v1alpha1.CourseCompletion)
		phases []v1alpha1.GrantPhase
		want   int
	}{
		"at once":     {nil, []v1alpha1.GrantPhase{"Active"}, 1},
		"not for now": {nil, []v1alpha1.GrantPhase{"Pending", "Active", "Pending", "Active"}, 1},
		"in a queue":  {nil, []v1alpha1.GrantPhase{"Waiting", "Active"}, 0},
		"approved": {func(g *v1alpha1.Grant, _ *v1alpha1.CourseCompletion) { g.Spec.Approval = v1alpha1.ApprovalManual },
			[]v1alpha1.GrantPhase{"AwaitingApproval", "Active"}, 0},
		"by hand": {func(g *v1alpha1.Grant, _ *v1alpha1.CourseCompletion) { g.Spec.Policy, g.Spec.Causes = "", nil },
			[]v1alpha1.GrantPhase{"Active"}, 0},
		"by a new policy": {func(_ *v1alpha1.Grant, c *v1alpha1.CourseCompletion) { c.Status.ObservedGeneration = 1 },
			[]v1alpha1.GrantPhase{"Active"}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			done := completion(7, 1)
			g := grant("lab-1", "lab", done)
			if tc.change != nil {
				tc.change(g, done)
			}
			w.made(done, g)
			w.clock.SetTime(w.clock.Now().Add(3 * time.Second))
			for _, phase := range tc.phases {
				w.phase(g, phase)
			}
			measured := w.gather()["completion_grant_duration_seconds"][0].GetHistogram()
			for _, bucket := range measured.GetBucket() {
				want := 0
				if bucket.GetUpperBound() >= 5 {
					want = tc.want
				}
				if got := bucket.GetCumulativeCount(); got != uint64(want) {
					t.Errorf("%d took up to %g seconds, want %d", got, bucket.GetUpperBound(), want)
				}
			}
		})
	}
}

// BenchmarkCollect is what a scrape costs at most of a large installation: 500 institutions, 300,000 completions,
// 10,000 Grants.
func BenchmarkCollect(b *testing.B) {
	w := large(b)
	for b.Loop() {
		w.clock.SetTime(w.clock.Now().Add(refresh))
		if len(w.current()) == 0 {
			b.Fatal("nothing was collected")
		}
	}
	b.ReportMetric(float64(len(w.current())), "series")
}

// BenchmarkCompletion is what a completion costs that is stored there.
func BenchmarkCompletion(b *testing.B) {
	w := large(b)
	one := completion(3, 1)
	one.Namespace = "institution-7"
	one.Spec.Institution.ID = 8
	for b.Loop() {
		w.made(one)
		w.gone(one)
	}
}

// BenchmarkGrant is what a Grant costs that becomes active and ends.
func BenchmarkGrant(b *testing.B) {
	w := large(b)
	one := grant("new", "policy-1")
	one.Namespace, one.Spec.Holder.InstitutionID = "institution-7", 8
	for b.Loop() {
		one.Status.Phase = ""
		w.made(one)
		w.phase(one, v1alpha1.GrantActive)
		w.phase(one, v1alpha1.GrantEnded)
		w.gone(one)
	}
}

func large(b *testing.B) *world {
	w := newWorld(b)
	const institutions, completions, grants = 500, 300_000, 10_000
	in := func(o client.Object, i int) client.Object {
		o.SetNamespace(fmt.Sprintf("institution-%d", i%institutions))
		return o
	}
	for i := range institutions {
		one := institution()
		one.Spec.ID = v1alpha1.PlatformID(i + 1)
		w.found(in(one, i))
		for p := range v1alpha1.PlatformID(4) {
			w.found(in(policy(fmt.Sprintf("policy-%d", p), 10*p+1, 10*p+2, 10*p+3), i))
		}
		w.found(in(&v1alpha1.SeatPool{ObjectMeta: named("room")}, i))
	}
	for i := range completions {
		one := completion(v1alpha1.PlatformID(i%50+1), v1alpha1.PlatformID(i))
		one.Spec.Institution.ID = v1alpha1.PlatformID(i%institutions + 1)
		one.Status.ObservedGeneration = one.Generation
		w.found(in(one, i))
	}
	for i := range grants {
		one := grant(fmt.Sprint(i), fmt.Sprintf("policy-%d", i%4))
		one.Spec.Holder.InstitutionID = v1alpha1.PlatformID(i%institutions + 1)
		one.Spec.AccessEndsAt = new(metav1.NewTime(w.clock.Now().Add(time.Duration(i) * time.Hour)))
		one.Status.Phase = v1alpha1.GrantActive
		w.found(in(one, i))
	}
	b.ResetTimer()
	return w
}
