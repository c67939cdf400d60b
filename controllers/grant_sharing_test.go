// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"net/http"
	"path"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// again makes another completion of the same course by the same user, in another enrollment.
func (c *CompletionWrapper) again() *CompletionWrapper {
	c.Spec.Enrollment.ID += 400
	return c
}

// shared is a course that one user has completed in two enrollments, with a policy that names the namespace by the
// user.
type shared struct {
	*world
	older, newer *v1alpha1.CourseCompletion
	// first and second are their Grants.
	first, second *v1alpha1.Grant
	namespace     *corev1.Namespace
}

// sharedLab waits until both Grants are in place. The last days are those of the enrollments.
func sharedLab(t *testing.T, lab func(w *world) *PolicyWrapper, lastOfOlder, lastOfNewer string) *shared {
	t.Helper()
	w := newWorld(t)
	s := &shared{world: w, namespace: w.learner(1),
		older: MakeCompletion(w, 1).Expire(lastOfOlder).Obj(),
		newer: MakeCompletion(w, 1).again().SendAt("2026-03-01 10:30:00").Expire(lastOfNewer).Obj()}
	s.newer.Spec.User.Email = "graciliano.ramos@example.edu"
	policy := lab(w).Obj()
	w.create(policy, s.older)
	s.first, s.second = w.grantOf(policy.Name, s.older), w.grantOf(policy.Name, s.newer)
	w.awaitActive(s.first)
	w.get(s.namespace)
	w.create(s.newer)
	w.awaitActive(s.second)
	s.awaitOwner(s.second)
	w.awaitActive(s.first)
	return s
}

// awaitOwner waits until a Grant has the namespace, what is in it is as the Grant says, and no other one claims it.
func (s *shared) awaitOwner(grant *v1alpha1.Grant) {
	s.t.Helper()
	s.eventually(func(g Gomega) {
		binding, quota, uid := s.accessOf(1), s.quotaOf(1), s.namespace.UID
		for _, g1 := range []*v1alpha1.Grant{s.first, s.second} {
			g.Expect(admin.Get(s.t.Context(), keyOf(g1), g1)).To(Succeed())
			if g1.Name == grant.Name {
				g.Expect(g1.Status.Inventory).To(ContainElement(HaveField("UID", string(uid))))
			} else {
				g.Expect(g1.Status.Inventory).To(BeEmpty())
			}
		}
		g.Expect(admin.Get(s.t.Context(), keyOf(s.namespace), s.namespace)).To(Succeed())
		g.Expect(s.namespace.UID).To(Equal(uid))
		g.Expect(s.namespace.Labels).To(HaveKeyWithValue(v1alpha1.LabelGrant, grant.OwnerDigest()))
		g.Expect(admin.Get(s.t.Context(), keyOf(quota), quota)).To(Succeed())
		g.Expect(quota.Labels).To(HaveKeyWithValue(v1alpha1.LabelGrant, grant.OwnerDigest()))
		g.Expect(admin.Get(s.t.Context(), keyOf(binding), binding)).To(Succeed())
		g.Expect(binding.Labels).To(HaveKeyWithValue(v1alpha1.LabelGrant, grant.OwnerDigest()))
		g.Expect(binding.Subjects).To(ConsistOf(HaveField("Name", grant.Spec.Namespaces[0].Access[0].Subjects[0].Name)))
	})
}

func plainLab(w *world) *PolicyWrapper { return MakeLab(w, "lab") }

// A course that is taken again, and the first enrollment ends: what the user has stays, with the work in it.
func TestSharedNamespaceStaysWithTheLastGrantThatEntitles(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name                     string
		lastOfOlder, lastOfNewer string
		olderEndsFirst           bool
	}{
		{"the older enrollment ends first", "2026-03-20", "2027-03-20", true},
		{"the newer enrollment ends first", "2027-03-20", "2026-03-20", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			s := sharedLab(t, plainLab, tc.lastOfOlder, tc.lastOfNewer)
			g := NewWithT(t)
			ends, stays := s.second, s.first
			if tc.olderEndsFirst {
				ends, stays = s.first, s.second
			}
			g.Expect(ready(s.first).Message).To(ContainSubstring(
				"namespace " + s.namespace.Name + " is shared with grant " + s.second.Name))
			homework := s.configMap(s.namespace.Name, "homework")
			s.create(homework)

			s.step(ends.Spec.AccessEndsAt.Sub(s.clock.Now()) + margin)
			s.awaitReason(ends, v1alpha1.ReasonEnded)
			g.Expect(ready(ends).Message).To(ContainSubstring("except for what is shared with other grants of the user"))
			s.awaitActive(stays)
			s.awaitOwner(stays)
			s.stays(homework, homework.UID)
			g.Expect(ready(stays).Message).NotTo(ContainSubstring("shared"))

			s.step(stays.Spec.AccessEndsAt.Sub(s.clock.Now()) + margin)
			s.awaitGone(s.namespace)
			s.awaitReason(stays, v1alpha1.ReasonEnded)
		})
	}
}

// The same where data stays for some days after access: whoever comes back within them finds it.
func TestSharedNamespaceIsTakenOverWithinTheGraceDays(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	older := MakeCompletion(w, 1).Expire("2026-03-20").Obj()
	w.create(MakeLab(w, "lab").Grace(10).Obj(), older)
	s := &shared{world: w, namespace: w.learner(1), first: w.grantOf("lab", older)}
	w.awaitActive(s.first)
	w.get(s.namespace)
	w.step(s.first.Spec.AccessEndsAt.Sub(w.clock.Now()) + margin)
	w.awaitReason(s.first, v1alpha1.ReasonAccessEnded)

	newer := MakeCompletion(w, 1).again().SendAt("2026-03-21 10:00:00").Obj()
	s.second = w.grantOf("lab", newer)
	w.create(newer)
	w.awaitActive(s.second)
	s.awaitOwner(s.second)
	w.step(11 * 24 * time.Hour)
	w.awaitReason(s.first, v1alpha1.ReasonEnded)
	w.stays(s.namespace, s.namespace.UID)
	w.awaitActive(s.second)
}

// A withdrawal takes what it alone granted.
func TestSharedNamespaceOutlivesAWithdrawal(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name     string
		withdrew func(s *shared) (*v1alpha1.CourseCompletion, *v1alpha1.Grant, *v1alpha1.Grant)
	}{
		{"of the one that has it", func(s *shared) (*v1alpha1.CourseCompletion, *v1alpha1.Grant, *v1alpha1.Grant) {
			return s.newer, s.second, s.first
		}},
		{"of the other", func(s *shared) (*v1alpha1.CourseCompletion, *v1alpha1.Grant, *v1alpha1.Grant) {
			return s.older, s.first, s.second
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			s := sharedLab(t, plainLab, "2027-03-20", "2027-03-20")
			completion, ends, stays := tc.withdrew(s)
			s.delete(completion)
			s.awaitReason(ends, v1alpha1.ReasonEnded)
			s.awaitOwner(stays)
			s.awaitActive(stays)
			s.stays(s.namespace, s.namespace.UID)
		})
	}
}

// What a person takes from one Grant the other one still gives.
func TestSharedNamespaceOutlivesARevocationOfOneGrant(t *testing.T) {
	t.Parallel()
	s := sharedLab(t, plainLab, "2027-03-20", "2027-03-20")
	s.change(s.second, func() {
		s.second.Spec.Override = v1alpha1.GrantOverride{Revoked: new(true), Reason: "a mistake"}
	})
	s.awaitReason(s.second, v1alpha1.ReasonRevoked)
	s.awaitOwner(s.first)
	s.stays(s.namespace, s.namespace.UID)
	s.change(s.second, func() { s.second.Spec.Override = v1alpha1.GrantOverride{} })
	s.awaitActive(s.second)
	s.awaitOwner(s.second)
}

// lastMoment lets somebody come back to a course when the data of the first enrollment is about to go: it holds up the
// last look before the deletion, and keeps the new Grant from taking the namespace over until that look is over.
type lastMoment struct {
	namespace         string
	armed, keeping    atomic.Bool
	about, come, over chan struct{}
}

func (m *lastMoment) wrap(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(request *http.Request) (*http.Response, error) {
		selector := request.URL.Query().Get("fieldSelector")
		looks := request.Method == http.MethodGet && path.Base(request.URL.Path) == "coursecompletions"
		hold := m.come
		switch {
		case looks && strings.Contains(selector, "spec.user.id=") && m.armed.CompareAndSwap(true, false):
			close(m.about)
		case request.Method == http.MethodPatch && path.Base(request.URL.Path) == m.namespace && m.keeping.Load():
			hold = m.over
		default:
			return next.RoundTrip(request)
		}
		select {
		case <-hold:
		case <-request.Context().Done():
		}
		return next.RoundTrip(request)
	})
}

// Whoever comes back at the last moment finds the work: what is deleted is decided with the Grants that there are then.
func TestSharedNamespaceStaysForAGrantThatComesAtTheLastMoment(t *testing.T) {
	t.Parallel()
	w := makeWorld(t)
	namespace, older := w.learner(1), MakeCompletion(w, 1).Expire("2026-03-20").Obj()
	newer := MakeCompletion(w, 1).again().SendAt("2026-03-01 10:30:00").Obj()
	last := &lastMoment{namespace: namespace.Name,
		about: make(chan struct{}), come: make(chan struct{}), over: make(chan struct{})}
	w.wrap = last.wrap
	w.create(MakeInstitution(w).Obj(), MakeLab(w, "lab").Obj(), older)
	w.start()
	first, second := w.grantOf("lab", older), w.grantOf("lab", newer)
	w.awaitActive(first)
	w.get(namespace)
	last.armed.Store(true)
	w.step(first.Spec.AccessEndsAt.Sub(w.clock.Now()) + margin)
	NewWithT(t).Eventually(last.about, soon).Should(BeClosed())

	last.keeping.Store(true)
	w.create(newer)
	w.eventually(func(g Gomega) { g.Expect(admin.Get(t.Context(), keyOf(second), second)).To(Succeed()) })
	// It has been planned once its status says so, which waits for the Grant for so long.
	w.step(2 * time.Minute)
	w.eventually(func(g Gomega) {
		g.Expect(admin.Get(t.Context(), keyOf(newer), newer)).To(Succeed())
		g.Expect(newer.Status.ObservedGeneration).To(Equal(newer.Generation))
	})
	w.awaitSeen(second)
	close(last.come)
	w.awaitReason(first, v1alpha1.ReasonWaitingForGrant)
	NewWithT(t).Expect(first.Status.Phase).To(Equal(v1alpha1.GrantEnded))
	close(last.over)
	w.awaitActive(second)
	w.awaitReason(first, v1alpha1.ReasonEnded)
	w.stays(namespace, namespace.UID)
}

func TestSharedObjectStaysWithTheLastGrantThatEntitles(t *testing.T) {
	t.Parallel()
	made := func(w *world) *PolicyWrapper {
		w.create(w.account())
		w.allow("", rule("", "configmaps"))
		return MakeWelcome(w).Object("note", w.fill(note))
	}
	s := sharedLab(t, made, "2027-03-20", "2026-03-20")
	awaitApplied := func(grant *v1alpha1.Grant) {
		for _, object := range []*corev1.ConfigMap{
			s.configMap(s.namespace.Name, "welcome"), s.configMap(s.world.namespace, "note-1")} {
			s.eventually(func(g Gomega) {
				g.Expect(admin.Get(t.Context(), keyOf(object), object)).To(Succeed())
				g.Expect(object.Labels).To(HaveKeyWithValue(v1alpha1.LabelAppliedFor, grant.OwnerDigest()))
			})
		}
	}
	awaitApplied(s.second)
	object := s.configMap(s.world.namespace, "note-1")
	s.get(object)
	uid := object.UID
	s.step(s.second.Spec.AccessEndsAt.Sub(s.clock.Now()) + margin)
	s.awaitReason(s.second, v1alpha1.ReasonEnded)
	awaitApplied(s.first)
	s.stays(object, uid)
	s.step(s.first.Spec.AccessEndsAt.Sub(s.clock.Now()) + margin)
	s.awaitReason(s.first, v1alpha1.ReasonEnded)
	s.awaitGone(object)
	s.awaitGone(s.namespace)
}

// Another policy's namespace is another's, also where the user is the same.
func TestNamespaceIsNotSharedBetweenPolicies(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	completion := MakeCompletion(w, 1).Obj()
	w.create(MakeLab(w, "lab").Obj(), completion)
	w.awaitActive(w.grantOf("lab", completion))
	w.create(MakeLab(w, "other").Obj())
	w.awaitReason(w.grantOf("other", completion), v1alpha1.ReasonConflict)
}

func TestPolicySaysWhichNamesItsGrantsShare(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, tc := range []struct {
		name       string
		per        v1alpha1.GrantPer
		namespace  string
		want       metav1.ConditionStatus
		wantReason string
	}{
		{"by-user", v1alpha1.GrantPerUser, "${user.id}", metav1.ConditionTrue, v1alpha1.ReasonNamesDistinct},
		{"by-nobody", v1alpha1.GrantPerUser, "a", metav1.ConditionFalse, v1alpha1.ReasonSharedByUsers},
		{"by-enrollment", v1alpha1.GrantPerCompletion, "${enrollment.id}", metav1.ConditionTrue,
			v1alpha1.ReasonNamesDistinct},
		{"by-course", v1alpha1.GrantPerCompletion, "${course.id}-${user.id}", metav1.ConditionFalse,
			v1alpha1.ReasonSharedByCompletions},
		{"by-course-alone", v1alpha1.GrantPerCompletion, "${course.id}", metav1.ConditionFalse,
			v1alpha1.ReasonSharedByUsers},
	} {
		t.Run(tc.name, func(t *testing.T) {
			policy := MakePolicy(w, tc.name)
			policy.Spec.GrantPer = tc.per
			policy.Namespace(v1alpha1.Template(w.prefix + tc.namespace))
			w.create(policy.Obj())
			w.eventually(func(g Gomega) {
				g.Expect(admin.Get(t.Context(), keyOf(policy.Obj()), policy.Obj())).To(Succeed())
				names := meta.FindStatusCondition(policy.Status.Conditions, v1alpha1.ConditionNamesDistinct)
				g.Expect(names).To(HaveValue(And(HaveField("Status", tc.want), HaveField("Reason", tc.wantReason))))
				if tc.want == metav1.ConditionFalse {
					g.Expect(names.Message).To(HavePrefix("spec.namespaces[0].name: the name is the same for "))
				}
			})
		})
	}
}
