// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/resourceversion"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

func (w *world) create(objects ...client.Object) {
	w.t.Helper()
	for _, object := range objects {
		NewWithT(w.t).Expect(admin.Create(w.t.Context(), object)).To(Succeed(), "%T %s", object, object.GetName())
	}
}

func (w *world) delete(objects ...client.Object) {
	w.t.Helper()
	for _, object := range objects {
		NewWithT(w.t).Expect(admin.Delete(w.t.Context(), object)).To(Succeed(), "%T %s", object, object.GetName())
	}
}

func keyOf(object client.Object) client.ObjectKey { return client.ObjectKeyFromObject(object) }

// get reads an object anew.
func (w *world) get(object client.Object) {
	w.t.Helper()
	NewWithT(w.t).Expect(admin.Get(w.t.Context(), keyOf(object), object)).To(Succeed())
}

// change reads an object anew and changes it as a person would.
func (w *world) change(object client.Object, how func()) {
	w.t.Helper()
	NewWithT(w.t).Eventually(func() error {
		if err := admin.Get(w.t.Context(), keyOf(object), object); err != nil {
			return err
		}
		how()
		return admin.Update(w.t.Context(), object)
	}, soon, often).Should(Succeed())
}

// eventually repeats a look at the cluster until everything in it holds.
func (w *world) eventually(look func(g Gomega)) {
	w.t.Helper()
	NewWithT(w.t).Eventually(look, soon, often).Should(Succeed())
}

// consistently repeats a look at the cluster for a while, in which something wrong would have had the time to happen:
// the manager has seen everything that happened before.
func (w *world) consistently(look func(g Gomega)) {
	w.t.Helper()
	w.awaitAllSeen()
	NewWithT(w.t).Consistently(look, 1500*time.Millisecond+late.Most, often).Should(Succeed())
}

// awaitSeen waits until the manager has seen an object as it is here, or later: the watches of two kinds have no
// order, and what was done to one kind and then to another may come the other way round.
func (w *world) awaitSeen(object client.Object) {
	w.t.Helper()
	seen := object.DeepCopyObject().(client.Object)
	w.eventually(func(g Gomega) {
		g.Expect(w.seen.Get(w.t.Context(), keyOf(object), seen)).To(Succeed())
		g.Expect(older(g, seen.GetResourceVersion(), object.GetResourceVersion())).To(BeFalse())
	})
}

// awaitAllSeen waits until the manager, if it runs, has seen what there is of our kinds now, and what has gone.
func (w *world) awaitAllSeen() {
	w.t.Helper()
	if w.seen == nil {
		return
	}
	for _, there := range []client.ObjectList{
		&v1alpha1.InstitutionList{}, &v1alpha1.CourseCompletionList{}, &v1alpha1.CompletionPolicyList{},
		&v1alpha1.GrantList{}, &v1alpha1.SeatPoolList{}, &v1alpha1.SeatList{},
	} {
		seen := there.DeepCopyObject().(client.ObjectList)
		NewWithT(w.t).Expect(admin.List(w.t.Context(), there, client.InNamespace(w.namespace))).To(Succeed())
		w.eventually(func(g Gomega) {
			g.Expect(w.seen.List(w.t.Context(), seen, client.InNamespace(w.namespace))).To(Succeed())
			known := byName(g, seen)
			for name, object := range byName(g, there) {
				if known[name] == nil {
					// Perhaps it has gone since.
					err := admin.Get(w.t.Context(), keyOf(object), object.DeepCopyObject().(client.Object))
					g.Expect(apierrors.IsNotFound(err)).To(BeTrue(), "%T %s has not been seen", object, name)
					continue
				}
				g.Expect(older(g, known[name].GetResourceVersion(), object.GetResourceVersion())).To(BeFalse(),
					"%T %s has been seen, but not as it is", object, name)
				delete(known, name)
			}
			for name, object := range known {
				g.Expect(older(g, object.GetResourceVersion(), there.GetResourceVersion())).To(BeFalse(),
					"%T %s has gone, which has not been seen", object, name)
			}
		})
	}
}

// awaitSeenOf waits until the manager has seen what there is in the namespaces of users: what it has yet to see, it
// writes again.
func (w *world) awaitSeenOf(users ...v1alpha1.PlatformID) {
	w.t.Helper()
	for _, user := range users {
		for _, object := range []client.Object{w.learner(user), w.quotaOf(user), w.isolationOf(user), w.accessOf(user)} {
			err := admin.Get(w.t.Context(), keyOf(object), object)
			NewWithT(w.t).Expect(client.IgnoreNotFound(err)).To(Succeed())
			if err == nil {
				w.awaitSeen(object)
			}
		}
	}
}

func byName(g Gomega, list client.ObjectList) map[string]client.Object {
	items, err := meta.ExtractList(list)
	g.Expect(err).NotTo(HaveOccurred())
	objects := map[string]client.Object{}
	for _, item := range items {
		object := item.(client.Object)
		objects[object.GetName()] = object
	}
	return objects
}

func older(g Gomega, version, than string) bool {
	order, err := resourceversion.CompareResourceVersion(version, than)
	g.Expect(err).NotTo(HaveOccurred())
	return order < 0
}

func conditionsOf(object client.Object) (observed int64, conditions []metav1.Condition) {
	switch o := object.(type) {
	case *v1alpha1.Institution:
		return o.Status.ObservedGeneration, o.Status.Conditions
	case *v1alpha1.CourseCompletion:
		return o.Status.ObservedGeneration, o.Status.Conditions
	case *v1alpha1.CompletionPolicy:
		return o.Status.ObservedGeneration, o.Status.Conditions
	case *v1alpha1.Grant:
		return o.Status.ObservedGeneration, o.Status.Conditions
	case *v1alpha1.SeatPool:
		return o.Status.ObservedGeneration, o.Status.Conditions
	}
	panic(fmt.Sprintf("%T has no conditions", object))
}

// ready returns the condition Ready of an object as it was read.
func ready(object client.Object) metav1.Condition {
	_, conditions := conditionsOf(object)
	if condition := meta.FindStatusCondition(conditions, v1alpha1.ConditionReady); condition != nil {
		return *condition
	}
	return metav1.Condition{Reason: "no condition Ready"}
}

// stalled reports whether an object as it was read says that only a change by people can help.
func stalled(object client.Object) bool {
	_, conditions := conditionsOf(object)
	return meta.IsStatusConditionTrue(conditions, v1alpha1.ConditionStalled)
}

// awaitReason waits until the condition Ready of an object speaks of what is stored and has this reason; the object is
// then as it was read.
func (w *world) awaitReason(object client.Object, reason string) {
	w.t.Helper()
	w.eventually(func(g Gomega) {
		g.Expect(admin.Get(w.t.Context(), keyOf(object), object)).To(Succeed())
		condition := ready(object)
		g.Expect(condition.Reason).To(Equal(reason), condition.Message)
		observed, _ := conditionsOf(object)
		g.Expect(observed).To(Equal(object.GetGeneration()))
	})
}

// grant returns a Grant to be read, by its name.
func (w *world) grant(name string) *v1alpha1.Grant {
	return &v1alpha1.Grant{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: name}}
}

// grantOf returns the Grant that a policy makes of a completion, to be read.
func (w *world) grantOf(policy string, completion *v1alpha1.CourseCompletion) *v1alpha1.Grant {
	return w.grant(policy + "." + completion.Name)
}

// awaitActive waits until a Grant is in place.
func (w *world) awaitActive(grant *v1alpha1.Grant) {
	w.t.Helper()
	w.awaitReason(grant, v1alpha1.ReasonActive)
	NewWithT(w.t).Expect(grant.Status.Phase).To(Equal(v1alpha1.GrantActive))
}

// learner returns the namespace of a user, to be read.
func (w *world) learner(user v1alpha1.PlatformID) *corev1.Namespace {
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: w.prefix + user.String()}}
}

// What is in the namespace of a user, to be read.
func (w *world) quotaOf(user v1alpha1.PlatformID) *corev1.ResourceQuota {
	return &corev1.ResourceQuota{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.prefix + user.String(), Name: "completion-quota"}}
}

func (w *world) isolationOf(user v1alpha1.PlatformID) *networkingv1.NetworkPolicy {
	return &networkingv1.NetworkPolicy{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.prefix + user.String(), Name: "completion-isolation"}}
}

func (w *world) accessOf(user v1alpha1.PlatformID) *rbacv1.RoleBinding {
	return &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.prefix + user.String(), Name: "access-completion-learner"}}
}

// awaitGone waits until an object has really gone, not only is being deleted.
func (w *world) awaitGone(object client.Object) {
	w.t.Helper()
	w.eventually(func(g Gomega) {
		err := admin.Get(w.t.Context(), keyOf(object), object)
		g.Expect(apierrors.IsNotFound(err)).To(BeTrue(), "%T %s is still there", object, object.GetName())
	})
}

// stays makes sure that an object is still the same one, and not being deleted.
func (w *world) stays(object client.Object, uid types.UID) {
	w.t.Helper()
	w.consistently(func(g Gomega) {
		g.Expect(admin.Get(w.t.Context(), keyOf(object), object)).To(Succeed())
		g.Expect(object.GetUID()).To(Equal(uid))
		g.Expect(object.GetDeletionTimestamp()).To(BeNil())
	})
}

// step puts the clock forward and has every Grant and pool looked at: what is planned for later waits in real time.
func (w *world) step(by time.Duration) {
	w.t.Helper()
	w.clock.ahead.Add(int64(by))
	w.nudge()
}

func (w *world) nudge() {
	w.t.Helper()
	g := NewWithT(w.t)
	var grants v1alpha1.GrantList
	var pools v1alpha1.SeatPoolList
	g.Expect(admin.List(w.t.Context(), &grants, client.InNamespace(w.namespace))).To(Succeed())
	g.Expect(admin.List(w.t.Context(), &pools, client.InNamespace(w.namespace))).To(Succeed())
	var objects []client.Object
	for i := range grants.Items {
		objects = append(objects, &grants.Items[i])
	}
	for i := range pools.Items {
		objects = append(objects, &pools.Items[i])
	}
	for _, object := range objects {
		w.touch(object)
	}
}

// nudges makes every touch another one.
var nudges atomic.Int64

// touch changes nothing about an object but an annotation, so that it is looked at.
func (w *world) touch(object client.Object) {
	w.t.Helper()
	patch := fmt.Sprintf(`{"metadata":{"annotations":{"example.org/nudge":"%d"}}}`, nudges.Add(1))
	err := admin.Patch(w.t.Context(), object, client.RawPatch(types.MergePatchType, []byte(patch)))
	NewWithT(w.t).Expect(client.IgnoreNotFound(err)).To(Succeed())
}

// names returns the names of objects, for comparison.
func names[T any, P interface {
	*T
	client.Object
}](items []T) string {
	var all []string
	for i := range items {
		all = append(all, P(&items[i]).GetName())
	}
	return strings.Join(all, " ")
}
