// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

func (w *world) grants(g Gomega) []v1alpha1.Grant {
	var list v1alpha1.GrantList
	g.Expect(admin.List(w.t.Context(), &list, client.InNamespace(w.namespace))).To(Succeed())
	return list.Items
}

func TestEachPolicySaysWhatCameOfIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	g := NewWithT(t)
	suspended := MakePolicy(w, "f-suspended").Namespace(v1alpha1.Template(w.prefix + "f-${user.id}")).Obj()
	suspended.Spec.Suspend = new(true)
	w.create(
		MakePolicy(w, "a-by-course").Namespace(v1alpha1.Template(w.prefix+"a-${user.id}")).Obj(),
		MakePolicy(w, "b-by-expression").Courses().Expression("enrollment.status == 1 && event.slug.endsWith('completed')").
			Namespace(v1alpha1.Template(w.prefix+"b-${user.id}")).Obj(),
		MakePolicy(w, "c-both-needed").Expression("user.id == 99").
			Namespace(v1alpha1.Template(w.prefix+"c-${user.id}")).Obj(),
		MakePolicy(w, "d-other-course").Courses(9).Namespace(v1alpha1.Template(w.prefix+"d-${user.id}")).Obj(),
		suspended,
	)
	completion := MakeCompletion(w, 1).Obj()
	w.create(completion)
	w.awaitReason(completion, v1alpha1.ReasonGranted)
	got := map[v1alpha1.LocalName]v1alpha1.PolicyOutcome{}
	for _, row := range completion.Status.Policies {
		got[row.Policy] = row.Outcome
	}
	g.Expect(got).To(Equal(map[v1alpha1.LocalName]v1alpha1.PolicyOutcome{
		"a-by-course": v1alpha1.OutcomeGranted, "b-by-expression": v1alpha1.OutcomeGranted,
		"f-suspended": v1alpha1.OutcomeNotGranted,
	}), "what does not match leaves no row")
	g.Expect(names(w.grants(g))).To(Equal("a-by-course." + completion.Name + " b-by-expression." + completion.Name))

	w.change(suspended, func() { suspended.Spec.Suspend = nil })
	w.awaitActive(w.grantOf("f-suspended", completion))
}

func TestGrantPerUserLastsAsLongAsItsLastCause(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	g := NewWithT(t)
	policy := MakePolicy(w, "alumni").PerUser().Courses(1, 2).Namespace(v1alpha1.Template(w.prefix + "${user.id}")).Obj()
	first, second := MakeCompletion(w, 7).Course(1).Obj(), MakeCompletion(w, 7).Course(2).Obj()
	w.create(policy, first, second, MakeCompletion(w, 7).Course(3).Obj())
	grant := w.grant("alumni." + w.id.String() + "-7")
	w.eventually(func(g Gomega) {
		g.Expect(admin.Get(t.Context(), keyOf(grant), grant)).To(Succeed())
		g.Expect(grant.Spec.Causes).To(HaveLen(2))
	})
	w.awaitActive(grant)
	g.Expect(w.grants(g)).To(HaveLen(1))
	namespace := w.learner(7)
	w.get(namespace)

	w.delete(first)
	w.eventually(func(g Gomega) {
		w.get(grant)
		ended := map[v1alpha1.LocalName]v1alpha1.CauseEnd{}
		for _, cause := range grant.Spec.Causes {
			ended[cause.Completion] = cause.End
		}
		g.Expect(ended).To(Equal(map[v1alpha1.LocalName]v1alpha1.CauseEnd{
			v1alpha1.LocalName(first.Name): v1alpha1.CauseWithdrawn, v1alpha1.LocalName(second.Name): ""}))
	})
	w.stays(namespace, namespace.UID)
	w.delete(second)
	w.awaitGone(namespace)
	w.awaitReason(grant, v1alpha1.ReasonEnded)
}

func TestEditedPolicyRendersItsGrantsAnew(t *testing.T) {
	t.Parallel()
	w, _ := labWithOne(t)
	policy, second := MakeLab(w, "lab").Obj(), MakeCompletion(w, 2).Obj()
	w.create(second)
	w.awaitActive(w.grantOf("lab", second))
	w.change(policy, func() {
		ns := &policy.Spec.Namespaces[0]
		ns.ResourceQuota.Hard["count/pods"] = "25"
		ns.Labels = map[string]v1alpha1.Template{"who": "u-${user.id}"}
	})
	for _, user := range []v1alpha1.PlatformID{1, 2} {
		w.eventually(func(g Gomega) {
			quota, namespace := w.quotaOf(user), w.learner(user)
			w.get(quota)
			w.get(namespace)
			hard := quota.Spec.Hard["count/pods"]
			g.Expect(hard.Value()).To(BeEquivalentTo(25))
			g.Expect(namespace.Labels).To(HaveKeyWithValue("who", "u-"+user.String()))
		})
	}
}

func TestNewPolicyIsForThoseWhoCompletedBefore(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	completion := MakeCompletion(w, 1).Obj()
	w.create(completion)
	w.awaitReason(completion, v1alpha1.ReasonNothingMatched)
	w.create(MakeLab(w, "lab").Obj())
	w.awaitActive(w.grantOf("lab", completion))
	w.awaitReason(completion, v1alpha1.ReasonGranted)
}

func TestRemovingOrNarrowingAPolicy(t *testing.T) {
	t.Parallel()
	remove := func(w *world, policy *v1alpha1.CompletionPolicy) { w.delete(policy) }
	narrow := func(w *world, policy *v1alpha1.CompletionPolicy) {
		w.change(policy, func() { policy.Spec.Match.CourseIDs = []v1alpha1.PlatformID{9} })
	}
	for _, tc := range []struct {
		name   string
		action v1alpha1.RemovalAction
		do     func(w *world, policy *v1alpha1.CompletionPolicy)
		end    v1alpha1.CauseEnd
	}{
		{"removed, retaining", v1alpha1.RemovalRetain, remove, ""},
		{"removed, deleting", v1alpha1.RemovalDelete, remove, v1alpha1.CausePolicyRemoved},
		{"narrowed, retaining", v1alpha1.RemovalRetain, narrow, ""},
		{"narrowed, deleting", v1alpha1.RemovalDelete, narrow, v1alpha1.CauseNotMatched},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			policy, completion := MakeLab(w, "lab").OnPolicyRemoval(tc.action).Obj(), MakeCompletion(w, 1).Obj()
			w.create(policy, completion)
			grant := w.grantOf("lab", completion)
			w.awaitActive(grant)
			namespace := w.learner(1)
			w.get(namespace)
			tc.do(w, policy)
			if tc.end == "" {
				w.stays(namespace, namespace.UID)
				w.awaitActive(grant)
				// It still ends with its completion.
				w.delete(completion)
				w.awaitGone(namespace)
				return
			}
			w.awaitGone(namespace)
			w.awaitReason(grant, v1alpha1.ReasonEnded)
			NewWithT(t).Expect(grant.Spec.Causes[0].End).To(Equal(tc.end))
		})
	}
}

// A suspended policy plans nothing, but an end that was recorded comes all the same.
func TestSuspendedPolicy(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	policy, completion := MakeLab(w, "lab").Obj(), MakeCompletion(w, 1).Expire("2026-03-20").Obj()
	w.create(policy, completion)
	grant := w.grantOf("lab", completion)
	w.awaitActive(grant)
	w.change(policy, func() {
		policy.Spec.Suspend = new(true)
		policy.Spec.Namespaces[0].ResourceQuota.Hard["count/pods"] = "25"
	})
	w.awaitReason(policy, v1alpha1.ReasonSuspended)
	next := MakeCompletion(w, 2).Obj()
	w.create(next)
	w.awaitReason(next, v1alpha1.ReasonNothingGranted)
	quota := w.quotaOf(1)
	w.get(quota)
	hard := quota.Spec.Hard["count/pods"]
	NewWithT(t).Expect(hard.Value()).To(BeEquivalentTo(10))
	w.step(11 * oneDay)
	w.awaitGone(w.learner(1))
	w.awaitReason(grant, v1alpha1.ReasonEnded)
}

// Two namespaces of one policy, and one of them belongs to somebody else: the rest of the story is told, nothing
// hangs.
func TestPolicyOfSeveralNamespaces(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	completion := MakeCompletion(w, 1).Obj()
	w.create(MakeLab(w, "lab").Namespace(v1alpha1.Template(w.prefix+"${user.id}-web")).Obj(), completion)
	grant := w.grantOf("lab", completion)
	w.awaitActive(grant)
	web := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: w.prefix + "1-web"}}
	w.get(web)
	w.delete(completion)
	w.awaitGone(web)
	w.awaitGone(w.learner(1))
	w.awaitReason(grant, v1alpha1.ReasonEnded)
}

func TestPolicyThatFailsOnACompletionSaysSoThere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	completion := MakeCompletion(w, 1).Obj()
	completion.Spec.User.Email = ""
	w.create(MakeLab(w, "lab").Obj(), completion)
	w.awaitReason(completion, v1alpha1.ReasonPolicyFailed)
	g := NewWithT(t)
	g.Expect(ready(completion).Message).To(ContainSubstring("policy lab: spec.namespaces[0].access[0].subjects[0]"))
	g.Expect(w.grants(g)).To(BeEmpty())
}

// Another name is another namespace. What is in the former one is not lost by an edit: it goes with the grant.
func TestRenamedNamespaceOfAPolicyKeepsItsDataUntilTheGrantEnds(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		action     v1alpha1.RemovalAction
		wantAccess bool
	}{
		{v1alpha1.RemovalRetain, true},
		{v1alpha1.RemovalDelete, false},
	} {
		t.Run(string(tc.action), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			policy, completion := MakeLab(w, "lab").OnPolicyRemoval(tc.action).Obj(), MakeCompletion(w, 1).Obj()
			w.create(policy, completion)
			grant := w.grantOf("lab", completion)
			w.awaitActive(grant)
			former, renamed := w.learner(1), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: w.prefix + "new-1"}}
			w.get(former)
			w.change(policy, func() { policy.Spec.Namespaces[0].Name = v1alpha1.Template(w.prefix + "new-${user.id}") })
			w.eventually(func(g Gomega) {
				g.Expect(admin.Get(t.Context(), keyOf(renamed), renamed)).To(Succeed())
			})
			w.awaitActive(grant)
			w.stays(former, former.UID)
			w.get(w.quotaOf(1))
			if tc.wantAccess {
				w.get(w.accessOf(1))
			} else {
				w.awaitGone(w.accessOf(1))
			}
			w.delete(completion)
			w.awaitGone(former)
			w.awaitGone(renamed)
			w.awaitReason(grant, v1alpha1.ReasonEnded)
		})
	}
}
