// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/lifecycle"
	"github.com/lxp-dev/course-completion-operator/internal/moment"
)

// moments calls with each time in an object, as the API gets it.
func moments(t *testing.T, value any, call func(path, text string)) {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	var fields any
	if err := json.Unmarshal(text, &fields); err != nil {
		t.Fatal(err)
	}
	var walk func(path string, value any)
	walk = func(path string, value any) {
		switch value := value.(type) {
		case map[string]any:
			for key, inner := range value {
				walk(path+"."+key, inner)
			}
		case []any:
			for i, inner := range value {
				walk(fmt.Sprintf("%s[%d]", path, i), inner)
			}
		case string:
			if len(value) > 19 && value[len(value)-1] == 'Z' {
				call(path, value)
			}
		}
	}
	walk("spec", fields)
}

// Whatever is delivered, under whatever lifetime and in whatever zone: the API holds every time that is planned, an
// enrollment that is extended for ever keeps its grant, and planning again changes nothing.
func TestNoDateLeavesWhatTheAPIHolds(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 9))
	pick := func(from []string) string { return from[random.IntN(len(from))] }
	for range 1500 {
		zone, err := time.LoadLocation(pick(extremeZones))
		if err != nil {
			t.Fatal(err)
		}
		first, then, sent := pick(extremeDays), pick(extremeDays), pick(extremeMoments)
		maxDays, grace := []int32{0, 1, 36500}[random.IntN(3)], []int32{0, 30, 3650}[random.IntN(3)]
		what := fmt.Sprintf("expires %q, then %q, sent %s in %s, maxDays %d, graceDays %d", first, then, sent, zone,
			maxDays, grace)
		w := newWorld(t, namespacePolicy(func(s *v1alpha1.CompletionPolicySpec) {
			s.Lifetime.MaxDays, s.Lifetime.GraceDays = maxDays, new(grace)
		}))
		at, err := time.ParseInLocation(time.DateTime, sent, zone)
		if err != nil {
			t.Fatal(err)
		}
		w.now = []time.Time{at, time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC), at.Add(40 * moment.Day)}[random.IntN(3)]
		if w.now.After(moment.Last) {
			w.now = moment.Last
		}
		for _, expiry := range []string{first, then} {
			spec := delivered(sent, expires(expiry))
			spec.Event.SentAt = metav1.NewTime(at)
			w.completions[spec.Name()] = v1alpha1.CourseCompletion{Spec: spec,
				ObjectMeta: metav1.ObjectMeta{Name: spec.Name(), CreationTimestamp: metav1.NewTime(w.now)}}
			person := w.person()
			person.Zone, person.Retention = zone, 36500*moment.Day
			w.grants = adopt(For(person))
			for i := range w.grants {
				grant := &w.grants[i]
				moments(t, grant.Spec, func(path, text string) {
					if parsed, err := time.Parse(time.RFC3339, text); err != nil || parsed.Year() < 0 || parsed.After(moment.Last) {
						t.Errorf("%s: %s is %s, which the API does not hold", what, path, text)
					}
				})
				ends, data := grant.Spec.AccessEndsAt, grant.Spec.DataEndsAt
				if ends != nil && data.Before(ends) {
					t.Errorf("%s: data ends at %s, before access, %s", what, data, ends)
				}
				if expiry == "9999-12-31" && maxDays == 0 && ends != nil {
					t.Errorf("%s: for ever ends at %s", what, ends)
				}
				lifecycle.StateOf(grant, moment.Last)
			}
			person.Grants = w.grants
			for _, again := range For(person).Grants {
				if again.Changed() {
					t.Errorf("%s: planning again changes %s", what, again.Name)
				}
			}
		}
		// What is sent far ahead is not planned yet.
		if first == "9999-12-31" && maxDays == 0 && len(w.grants) == 0 && w.now.After(at.Add(-moment.Day)) {
			t.Errorf("%s: for ever grants nothing", what)
		}
		if t.Failed() {
			return
		}
	}
}

// What the API server refuses of a rendering does not keep the end from moving.
func TestEndMovesWhereTheRenderingIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, namespacePolicy())
	w.deliver(delivered("2024-01-10 10:00:00", expires("2024-02-01")))
	w.plan()
	before := w.grants[0].Spec.DeepCopy()
	w.policies["graduates"].Spec.Namespaces[0].Labels = map[string]v1alpha1.Template{"team": "blue"}
	w.deliver(delivered("2024-01-11 10:00:00", expires("9999-12-31")))
	planned := For(w.person())
	ends := planned.Grants[0].Ends()
	if ends == nil || ends.Spec.AccessEndsAt != nil || len(ends.Spec.Namespaces[0].Labels) > 0 {
		t.Fatalf("got %+v, want the same namespace without an end", ends)
	}
	planned.Grants[0].Existing.Spec = *ends.Spec.DeepCopy()
	if again := planned.Grants[0].Ends(); again != nil || !planned.Grants[0].Changed() {
		t.Errorf("there is an end to write again: %+v, before %+v", again, before)
	}
	told := planned.Completions[0]
	told.Refuse(map[string]string{planned.Grants[0].Name: "Invalid"})
	if told.Policies[0].Outcome != v1alpha1.OutcomeFailed || !told.Verdict.Stalled || told.Patience != 0 {
		t.Errorf("the completion is told %+v", told)
	}
}

// extremes are the days, and the moments, at which arithmetic goes wrong.
var (
	extremeDays = []string{"", "0001-01-01", "0001-12-31", "1600-02-29", "1969-12-31", "2018-11-03", "2024-02-29",
		"2038-01-19",
		"2262-04-12", "9998-12-31", "9999-11-30", "9999-12-01", "9999-12-02", "9999-12-30", "9999-12-31"}
	extremeMoments = []string{"0001-01-02 00:00:00", "1582-10-15 12:00:00", "2018-11-04 00:30:00", "2024-02-29 23:59:59",
		"2262-04-11 23:47:17", "9999-12-30 23:59:59"}
	extremeZones = []string{"UTC", "America/Sao_Paulo", "Pacific/Kiritimati", "Etc/GMT+12", "Asia/Kathmandu",
		"Africa/Monrovia"}
)
