// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package preview

import (
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/lifecycle"
	"github.com/lxp-dev/course-completion-operator/internal/plan"
)

// happened returns what an edit did to each Grant, from what there was and is.
func happened(before, after *world) map[string]Kind {
	found := map[string]Kind{}
	for name, now := range after.grants {
		was, there := before.grants[name]
		lost, back := false, false
		for thing := range before.has[name] {
			lost = lost || !after.has[name][thing]
		}
		entitled := func(w *world, grant *v1alpha1.Grant) bool {
			return lifecycle.StateOf(grant, w.now).Stage == lifecycle.Active
		}
		for _, seat := range was.Spec.Seats {
			back = back || after.has[name]["seat "+string(seat.Pool)] && !before.has[name]["seat "+string(seat.Pool)]
		}
		for _, ns := range was.Spec.Namespaces {
			back = back || after.has[name]["namespace "+ns.Name] && !before.has[name]["namespace "+ns.Name]
		}
		switch {
		case !there:
			found[name] = Gains
		case regranted(before, &was, &now):
			// Who has access to what an older policy granted is in the cluster alone.
			found[name] = unknown
		case lost:
			found[name] = Loses
		case entitled(before, &was) && !entitled(after, &now):
			found[name] = Loses
		case !entitled(before, &was) && entitled(after, &now):
			found[name] = Gains
		case !cmp.Equal(was.Spec, now.Spec) || back:
			found[name] = Changes
		}
	}
	return found
}

const unknown Kind = "Unknown"

// regranted reports whether a Grant says a namespace again that it has and did not say.
func regranted(before *world, was, now *v1alpha1.Grant) bool {
	return slices.ContainsFunc(now.Spec.Namespaces, func(ns v1alpha1.GrantedNamespace) bool {
		return before.has[was.Name]["namespace "+ns.Name] && namespaceOf(was, ns.Name) == nil
	})
}

func (w *world) clone() *world {
	copied := *w
	copied.policies, copied.completions = maps.Clone(w.policies), maps.Clone(w.completions)
	copied.grants, copied.has = maps.Clone(w.grants), map[string]map[string]bool{}
	for name, has := range w.has {
		copied.has[name] = maps.Clone(has)
	}
	return &copied
}

// previewed returns what the preview says of an edit, by Grant.
func previewed(t *testing.T, before, after *world, delivered *v1alpha1.CourseCompletion) (map[string]Change, *Summary) {
	t.Helper()
	planner, err := NewPlanner(before.institution, Policies{before.list(), after.list()}, testLimits, before.now)
	if err != nil {
		t.Fatal(err)
	}
	store, summary, found := NewStore(), NewSummary(), map[string]Change{}
	for _, completion := range before.completions {
		if err := store.AddCompletion(&completion, planner.ConcernsCompletion(&completion.Spec)); err != nil {
			t.Fatal(err)
		}
	}
	for _, grant := range before.grants {
		if err := store.AddGrant(&grant, planner.ConcernsGrant(&grant)); err != nil {
			t.Fatal(err)
		}
	}
	if delivered != nil {
		store.Concern(v1alpha1.GrantHolder{InstitutionID: 1, UserID: delivered.Spec.User.ID})
	}
	err = store.Each(func(person Person) error {
		if delivered != nil && person.Holder.UserID == delivered.Spec.User.ID {
			person.Delivery = delivered
		}
		outcome := planner.Preview(person)
		summary.Add(before.institution, person.Holder, outcome)
		for _, change := range outcome.Changes {
			found[change.Grant] = change
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found, summary
}

// TestRandomEditsDoWhatThePreviewSays edits random policies of random worlds. Who gains, changes and loses has to be
// exactly what the preview said before, and each Grant has to say what the preview showed.
func TestRandomEditsDoWhatThePreviewSays(t *testing.T) {
	t.Parallel()
	seen := map[Kind]int{}
	for seed := range uint64(250) {
		before := newWorld(t, seed)
		after := before.clone()
		after.edit()
		var delivered *v1alpha1.CourseCompletion
		if after.IntN(3) == 0 {
			delivered = new(after.deliver(after.delivery()))
		}
		said, _ := previewed(t, before, after, delivered)
		after.settle()
		kinds := map[string]Kind{}
		for name, change := range said {
			kinds[name] = change.Kind
			seen[change.Kind]++
			is := after.grants[name]
			if !plan.Blank(&is) && !cmp.Equal(change.After.Spec, is.Spec) {
				t.Errorf("seed %d: grant %s (-said +is):\n%s", seed, name, cmp.Diff(change.After.Spec, is.Spec))
			}
		}
		became := happened(before, after)
		for name, kind := range became {
			if kind == unknown {
				kinds[name] = unknown
			}
		}
		if diff := cmp.Diff(kinds, became); diff != "" {
			t.Fatalf("seed %d (-said +happened):\n%s", seed, diff)
		}
	}
	if seen[Gains] < 100 || seen[Changes] < 100 || seen[Loses] < 100 {
		t.Errorf("the edits show too little: %v", seen)
	}
}
