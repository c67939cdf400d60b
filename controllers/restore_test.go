// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"fmt"
	"maps"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/memory"
	"github.com/lxp-dev/course-completion-operator/test/system"
)

// backup is what a backup tool keeps of a namespace, by kind: names, labels, annotations, finalizers and specs, and
// neither status nor uid nor the moment of creation.
type backup map[string][]unstructured.Unstructured

// backedUp are the kinds of a backup, in the alphabetical order in which tools restore those that they do not know.
var backedUp = []schema.GroupVersionKind{
	corev1.SchemeGroupVersion.WithKind("Secret"),
	corev1.SchemeGroupVersion.WithKind("ServiceAccount"),
	rbacv1.SchemeGroupVersion.WithKind("RoleBinding"),
	v1alpha1.GroupVersion.WithKind("CompletionPolicy"),
	v1alpha1.GroupVersion.WithKind("CourseCompletion"),
	v1alpha1.GroupVersion.WithKind("Grant"),
	v1alpha1.GroupVersion.WithKind("Institution"),
	v1alpha1.GroupVersion.WithKind("SeatPool"),
	v1alpha1.GroupVersion.WithKind("Seat"),
}

func (w *world) backup() backup {
	w.t.Helper()
	kept := backup{}
	for _, kind := range backedUp {
		list := &unstructured.UnstructuredList{}
		list.SetGroupVersionKind(kind.GroupVersion().WithKind(kind.Kind + "List"))
		NewWithT(w.t).Expect(admin.List(w.t.Context(), list, client.InNamespace(w.namespace))).To(Succeed())
		for _, item := range list.Items {
			delete(item.Object, "status")
			for _, field := range []string{
				"uid", "creationTimestamp", "resourceVersion", "generation", "managedFields", "deletionTimestamp",
				"deletionGracePeriodSeconds", "generateName", "ownerReferences",
			} {
				unstructured.RemoveNestedField(item.Object, "metadata", field)
			}
			kept[kind.Kind] = append(kept[kind.Kind], item)
		}
	}
	return kept
}

// lose deletes the namespace of the institution, and makes an empty one.
func (w *world) lose() {
	w.t.Helper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: w.namespace}}
	w.delete(namespace)
	NewWithT(w.t).Eventually(func() bool {
		return apierrors.IsNotFound(admin.Get(w.t.Context(), keyOf(namespace), namespace))
	}, 4*soon, often).Should(BeTrue())
	w.create(system.InstitutionNamespace(w.namespace, w.id, w.prefix))
}

// restore puts kinds back, with the labels that Velero adds. What is there already is left as it is.
func (w *world) restore(kept backup, kinds ...string) {
	w.t.Helper()
	for _, kind := range kinds {
		for i := range kept[kind] {
			object := kept[kind][i].DeepCopy()
			labels := map[string]string{"velero.io/backup-name": "daily", "velero.io/restore-name": "first"}
			maps.Copy(labels, object.GetLabels())
			object.SetLabels(labels)
			err := admin.Create(w.t.Context(), object)
			NewWithT(w.t).Expect(client.IgnoreAlreadyExists(err)).To(Succeed(), "%s %s", kind, kept[kind][i].GetName())
		}
	}
}

// can reports whether a person may read Secrets in a namespace.
func (w *world) can(g Gomega, user, namespace string) bool {
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User: user, ResourceAttributes: &authorizationv1.ResourceAttributes{
			Namespace: namespace, Verb: "get", Resource: "secrets"}}}
	g.Expect(admin.Create(w.t.Context(), review)).To(Succeed())
	return review.Status.Allowed
}

// school is an institution with everything that a backup can get wrong.
type school struct {
	*world
	labs map[v1alpha1.PlatformID]types.UID
	kept backup
}

// newSchool makes three people with labs, one of them withdrawn; a guest who has the only seat of a room, for which
// somebody waits who came earlier; and one whose desk a completion has revoked.
func newSchool(t *testing.T) *school {
	t.Helper()
	w := makeLateWorld(t)
	w.patience = memory.Patience{}
	s := &school{world: w, labs: map[v1alpha1.PlatformID]types.UID{}}
	institution := MakeInstitution(w).Obj()
	w.create(institution)
	w.start()
	w.awaitReason(institution, v1alpha1.ReasonReady)
	guest, enrolled := MakeGrant(w, "guest", 42).Seat("room").Obj(), MakeGrant(w, "enrolled", 3).Seat("desk").Obj()
	w.create(MakePool(w, "room", 1).Obj(), MakePool(w, "desk", 1).Obj(), guest, enrolled,
		MakeLab(w, "lab").OnPolicyRemoval(v1alpha1.RemovalDelete).Obj())
	w.awaitActive(guest)
	w.awaitActive(enrolled)
	withdrawn := MakeCompletion(w, 4).Obj()
	w.create(MakeCompletion(w, 1).Obj(), MakeCompletion(w, 2).Obj(), withdrawn)
	for _, user := range []v1alpha1.PlatformID{1, 2, 4} {
		w.awaitActive(w.grantOf("lab", MakeCompletion(w, user).Obj()))
	}
	w.delete(withdrawn)
	w.awaitReason(w.grantOf("lab", withdrawn), v1alpha1.ReasonEnded)
	w.create(MakePolicy(w, "seat").Courses(2).Seat("room").Obj(), MakeCompletion(w, 5).Course(2).Obj())
	w.awaitReason(w.grantOf("seat", MakeCompletion(w, 5).Course(2).Obj()), v1alpha1.ReasonWaitingForSeat)
	// It was sent after the desk was asked for, and before anything is restored.
	sent := enrolled.CreationTimestamp.Add(time.Second).In(time.FixedZone("-03", -3*3600)).Format(time.DateTime)
	w.create(MakePolicy(w, "done").Revokes([]v1alpha1.LocalName{"desk"}).Obj(),
		MakeCompletion(w, 3).Course(finishing).SendAt(sent).Obj())
	w.awaitReason(enrolled, v1alpha1.ReasonRevokedByCompletion)
	for _, user := range []v1alpha1.PlatformID{1, 2} {
		lab := w.learner(user)
		w.get(lab)
		s.labs[user] = lab.UID
	}
	s.kept = w.backup()
	return s
}

// whole makes sure that everybody has what they had, and nobody more.
func (s *school) whole(g Gomega) {
	for user, uid := range s.labs {
		lab := s.learner(user)
		g.Expect(admin.Get(s.t.Context(), keyOf(lab), lab)).To(Succeed())
		g.Expect(lab.UID).To(Equal(uid))
		g.Expect(lab.DeletionTimestamp).To(BeNil())
		binding := s.accessOf(user)
		g.Expect(admin.Get(s.t.Context(), keyOf(binding), binding)).To(Succeed())
		g.Expect(binding.DeletionTimestamp).To(BeNil())
	}
	g.Expect(s.taken(g)).To(Equal(map[string]string{"room-0": "guest"}))
	for _, grant := range s.grants(g) {
		for _, cause := range grant.Spec.Causes {
			want := v1alpha1.CauseEnd("")
			if grant.Spec.Holder.UserID == 4 {
				want = v1alpha1.CauseWithdrawn
			}
			g.Expect(cause.End).To(Equal(want), grant.Name)
		}
	}
}

// settled makes sure that the operator has looked at all of it, and doubts nothing of it any more.
func (s *school) settled(g Gomega) {
	s.whole(g)
	reasons := map[string]string{}
	for _, grant := range s.grants(g) {
		g.Expect(grant.Status.RestoredAt).To(BeNil(), grant.Name)
		g.Expect(grant.Status.ObservedGeneration).To(Equal(grant.Generation), grant.Name)
		reasons[grant.Name] = ready(&grant).Reason
	}
	name := func(policy string, user, course v1alpha1.PlatformID) string {
		return policy + "." + MakeCompletion(s.world, user).Course(course).Obj().Name
	}
	g.Expect(reasons).To(Equal(map[string]string{
		"guest": v1alpha1.ReasonActive, "enrolled": v1alpha1.ReasonRevokedByCompletion,
		name("lab", 1, course): v1alpha1.ReasonActive, name("lab", 2, course): v1alpha1.ReasonActive,
		name("lab", 4, course): v1alpha1.ReasonEnded, name("seat", 5, 2): v1alpha1.ReasonWaitingForSeat,
		name("done", 3, finishing): v1alpha1.ReasonActive,
	}))
}

// A backup loses statuses, uids and the moments of creation. Whatever the order in which it is restored, and however
// far apart its kinds come, nobody loses anything, and nobody gets back what was revoked.
func TestRestore(t *testing.T) {
	t.Parallel()
	before := []string{"Secret", "ServiceAccount", "RoleBinding"}
	// later is longer than what is absent is waited for, and shorter than an absence is remembered without a look.
	const later = 20 * time.Minute
	for _, tc := range []struct {
		name  string
		steps [][]string
		// between two steps so much time passes.
		between time.Duration
	}{
		{"as the guide says, the institution last", [][]string{
			{"SeatPool", "Seat", "Grant", "CompletionPolicy", "CourseCompletion"}, {"Institution"}}, later},
		{"in alphabetical order", [][]string{
			{"CompletionPolicy", "CourseCompletion", "Grant", "Institution", "SeatPool", "Seat"}}, 0},
		{"seats first, completions last, long after everything else", [][]string{
			{"Seat", "SeatPool", "CompletionPolicy", "Institution", "Grant"}, {"CourseCompletion"}}, later},
		{"into what another tool has made, seats last but one", [][]string{
			{"Institution", "CompletionPolicy", "SeatPool"}, {"Grant"}, {"Seat"}, {"CourseCompletion"}}, 0},
		{"policies last, long after everything else", [][]string{
			{"Institution", "SeatPool", "CourseCompletion", "Seat", "Grant"}, {"CompletionPolicy"}}, later},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			s := newSchool(t)
			s.lose()
			s.restore(s.kept, before...)
			for i, kinds := range tc.steps {
				s.restore(s.kept, kinds...)
				if i < len(tc.steps)-1 {
					s.linger(tc.between)
				}
			}
			s.eventually(s.whole)
			s.step(time.Hour)
			NewWithT(t).Eventually(s.settled, 2*soon, often).Should(Succeed())
			s.consistently(s.settled)
		})
	}
}

// linger gives everything that is wrong the time to happen, twice.
func (s *school) linger(between time.Duration) {
	s.t.Helper()
	for range 2 {
		s.consistently(func(g Gomega) {
			for _, grant := range s.grants(g) {
				if grant.Spec.Holder.UserID != 4 {
					for _, cause := range grant.Spec.Causes {
						g.Expect(cause.End).To(BeEmpty(), grant.Name)
					}
				}
			}
			for user := range s.labs {
				g.Expect(admin.Get(s.t.Context(), keyOf(s.accessOf(user)), s.accessOf(user))).To(Succeed())
			}
			for _, holder := range s.taken(g) {
				g.Expect(holder).To(Equal("guest"))
			}
		})
		if between == 0 {
			return
		}
		s.step(between)
	}
}

// A templated object is recorded in the status alone, which a backup loses. It goes all the same when access has ended.
func TestTemplatedAccessDoesNotOutliveARestoredGrant(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	shared := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: w.prefix + "shared"}}
	w.create(shared, w.account())
	reads := rule("", "secrets", "get")
	bound := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: w.namespace + "-reads"},
		Rules: []rbacv1.PolicyRule{reads}}
	w.create(bound)
	w.allow("", rule(rbacv1.GroupName, "rolebindings"), reads,
		rbacv1.PolicyRule{APIGroups: []string{rbacv1.GroupName}, Resources: []string{"clusterroles"},
			Verbs: []string{"bind"}})
	template := fmt.Sprintf(`
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: "lab-${user.id}", namespace: %s}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: %s}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: "learner-${user.id}-%s"}]
`, shared.Name, bound.Name, w.namespace)
	learner := "learner-1-" + w.namespace
	completion := MakeCompletion(w, 1).Expire("2026-03-20").Obj()
	w.create(MakePolicy(w, "lab").Object("access", template).Obj(), completion)
	grant := w.grantOf("lab", completion)
	w.awaitActive(grant)
	w.eventually(func(g Gomega) { g.Expect(w.can(g, learner, shared.Name)).To(BeTrue()) })

	kept := w.backup()
	w.lose()
	w.eventually(func(g Gomega) { g.Expect(w.can(g, learner, shared.Name)).To(BeTrue()) })
	w.clock.ahead.Add(int64(20 * oneDay))
	w.restore(kept, "Secret", "ServiceAccount", "RoleBinding", "CompletionPolicy", "CourseCompletion", "Grant",
		"Institution")
	w.awaitReason(grant, v1alpha1.ReasonEnded)
	w.eventually(func(g Gomega) { g.Expect(w.can(g, learner, shared.Name)).To(BeFalse()) })
}
