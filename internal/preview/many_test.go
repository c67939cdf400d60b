// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package preview

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/plan"
)

// TestManyCompletionsFit previews many completions, each with a Grant of its own, and holds what is kept of them
// against a bound by which a hundred thousand fit in 100 MiB. Of so many 39 MiB were kept, and as much was in use at
// most.
func TestManyCompletionsFit(t *testing.T) {
	const count, bound = 3_000, 700
	institution := &v1alpha1.Institution{ObjectMeta: metav1.ObjectMeta{Namespace: "institution-1", Name: "one"},
		Spec: v1alpha1.InstitutionSpec{ID: 1, TimeZone: "UTC", NamespacePrefix: "grad-"}}
	w := newWorld(t, 1)
	before := w.policy("lab")
	before.Spec.Match = v1alpha1.PolicyMatch{CourseIDs: []v1alpha1.PlatformID{7}}
	before.Spec.Suspend, before.Spec.Approval = nil, v1alpha1.ApprovalAutomatic
	before.Spec.Namespaces[0].Name = "grad-${enrollment.id}"
	after := before.DeepCopy()
	after.Spec.Namespaces[0].Labels["term"] = "next"
	planner, err := NewPlanner(institution, Policies{[]v1alpha1.CompletionPolicy{*before},
		[]v1alpha1.CompletionPolicy{*after}}, testLimits, w.now)
	if err != nil {
		t.Fatal(err)
	}
	store, summary, base, most := NewStore(), NewSummary(), uint64(0), uint64(0)
	for n := range count {
		completion := manyth(w, n)
		if err := store.AddCompletion(&completion, planner.ConcernsCompletion(&completion.Spec)); err != nil {
			t.Fatal(err)
		}
		grant := grantOf(w, planner, &completion)
		if err := store.AddGrant(&grant, planner.ConcernsGrant(&grant)); err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			// What packs them does not grow.
			base = inUse()
		}
		if n%1000 == 0 {
			most = max(most, inUse())
		}
	}
	kept := inUse() - base
	err = store.Each(func(person Person) error {
		summary.Add(institution, person.Holder, planner.Preview(person))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	most = max(most, inUse())
	t.Logf("%d completions and as many Grants: %d KiB are kept, %d KiB in use at most", count, kept>>10, most>>10)
	if summary.Changes.Grants != count {
		t.Errorf("%d change", summary.Changes.Grants)
	}
	if kept > count*bound {
		t.Errorf("%d bytes are kept of each", kept/count)
	}
}

func inUse() uint64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}

// manyth returns one completion of many, as large as the platform sends them.
func manyth(w *world, n int) v1alpha1.CourseCompletion {
	user := v1alpha1.PlatformID(100_000_000 + n/2*7919)
	sent := w.now.Add(-time.Duration(n) * time.Minute)
	spec := v1alpha1.CourseCompletionSpec{
		Event: v1alpha1.CompletionEvent{Name: "Atividades - Curso concluído", Slug: v1alpha1.EventSlug,
			SendAt: sent.Format(time.DateTime), SentAt: metav1.NewTime(sent), FirstSentAt: new(metav1.NewTime(sent))},
		Institution: v1alpha1.CompletionInstitution{ID: 1},
		Course:      v1alpha1.CompletionCourse{ID: 7, Name: "Course Name"},
		Enrollment: v1alpha1.CompletionEnrollment{ID: v1alpha1.PlatformID(500_000 + n), CourseID: 7,
			Activated: new(true), Status: new(int32(1)), DateExpire: "2046-12-31"},
		User: v1alpha1.CompletionUser{ID: user, Name: fmt.Sprintf("Ada %x Lovelace %x", n*2654435761, n*40503),
			Email: fmt.Sprintf("ada.%x@example.edu", n*2654435761), CPF: "***.***.***-99",
			UUID: fmt.Sprintf("%08x-5cc4-4372-a567-%012x", n*2654435761%(1<<32), n*40503)},
		Delivery: v1alpha1.CompletionDelivery{ID: fmt.Sprintf("01a218c4-%04x-71ce-bebb-%012x", n%(1<<16), n*48271)},
	}
	return v1alpha1.CourseCompletion{ObjectMeta: metav1.ObjectMeta{Namespace: "institution-1", Name: spec.Name(),
		CreationTimestamp: metav1.NewTime(sent)}, Spec: spec}
}

// grantOf returns the Grant of one completion, in place.
func grantOf(w *world, planner *Planner, completion *v1alpha1.CourseCompletion) v1alpha1.Grant {
	planned := plan.For(plan.Person{
		Holder: v1alpha1.GrantHolder{InstitutionID: 1, UserID: completion.Spec.User.ID}, Prefix: "grad-", Zone: time.UTC,
		Completions: []v1alpha1.CourseCompletion{*completion}, Policies: planner.before, Now: w.now}).Grants[0]
	grant := planner.written(&planned)
	name := grant.Spec.Namespaces[0].Name
	for _, kind := range []string{"Namespace", "NetworkPolicy", "ResourceQuota", "RoleBinding"} {
		grant.Status.Inventory = append(grant.Status.Inventory, v1alpha1.InventoryEntry{Group: new(""), Kind: kind,
			Namespace: new(name), Name: "completion-" + name,
			UID: fmt.Sprintf("%08x-9c5f-4be4-8f5d-%s0000beef", completion.Spec.Enrollment.ID*2654435761%(1<<32), kind[:4])})
	}
	grant.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue,
		Reason: v1alpha1.ReasonReady, Message: "everything is in place", LastTransitionTime: grant.CreationTimestamp}}
	grant.Status.Phase = v1alpha1.GrantActive
	return *grant
}
