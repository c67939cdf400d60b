// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/test/system"
)

// drift is something that a person does to what was provisioned, and what has to come of it.
type drift struct {
	name string
	do   func(w *world)
	want func(w *world, g Gomega)
}

func drifts() []drift {
	const enforce = "pod-security.kubernetes.io/enforce"
	read := func(w *world, g Gomega, object client.Object) {
		g.Expect(admin.Get(w.t.Context(), keyOf(object), object)).To(Succeed())
	}
	wantAccess := func(w *world, g Gomega) {
		access := w.accessOf(1)
		read(w, g, access)
		g.Expect(access.Subjects).To(Equal([]rbacv1.Subject{
			{APIGroup: rbacv1.GroupName, Kind: "User", Name: "graciliano.1@example.org"}}))
		g.Expect(access.Labels).To(HaveKeyWithValue(v1alpha1.LabelGrant, v1alpha1.OwnerDigest(w.namespace, w.labName(1))))
	}
	wantQuota := func(w *world, g Gomega) {
		quota := w.quotaOf(1)
		read(w, g, quota)
		got := quota.Spec.Hard["count/pods"]
		g.Expect(got.Value()).To(BeEquivalentTo(10))
		g.Expect(quota.Labels).To(HaveKeyWithValue(v1alpha1.LabelGrant, v1alpha1.OwnerDigest(w.namespace, w.labName(1))))
	}
	wantNamespace := func(w *world, g Gomega) {
		namespace := w.learner(1)
		read(w, g, namespace)
		g.Expect(namespace.Labels).To(HaveKeyWithValue(enforce, "restricted"))
		g.Expect(namespace.Labels).To(HaveKeyWithValue(v1alpha1.LabelGrant, v1alpha1.OwnerDigest(w.namespace, w.labName(1))))
	}
	return []drift{
		{"somebody is let in", func(w *world) {
			access := w.accessOf(1)
			w.change(access, func() {
				access.Subjects = append(access.Subjects, rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: "User", Name: "eve"})
			})
		}, wantAccess},
		{"the access is deleted", func(w *world) { w.delete(w.accessOf(1)) }, wantAccess},
		{"the quota is raised", func(w *world) {
			quota := w.quotaOf(1)
			w.change(quota, func() { quota.Spec.Hard["count/pods"] = resource.MustParse("1000") })
		}, wantQuota},
		{"the quota is deleted", func(w *world) { w.delete(w.quotaOf(1)) }, wantQuota},
		{"the isolation is opened", func(w *world) {
			isolation := w.isolationOf(1)
			w.change(isolation, func() { isolation.Spec.Ingress, isolation.Spec.Egress = nil, nil })
		}, func(w *world, g Gomega) {
			isolation := w.isolationOf(1)
			read(w, g, isolation)
			g.Expect(isolation.Spec).To(Equal(wantIsolation()))
		}},
		{"the pod security is lowered", func(w *world) {
			namespace := w.learner(1)
			w.change(namespace, func() { namespace.Labels[enforce] = "privileged" })
		}, wantNamespace},
		{"the pod security is taken off", func(w *world) {
			namespace := w.learner(1)
			w.change(namespace, func() { delete(namespace.Labels, enforce) })
		}, wantNamespace},
	}
}

// labName is the name of the Grant that the policy lab makes of the course's completion by a user.
func (w *world) labName(user v1alpha1.PlatformID) string {
	return "lab." + MakeCompletion(w, user).Obj().Name
}

func labWithOne(t *testing.T) (*world, *v1alpha1.Grant) {
	t.Helper()
	w := newWorld(t)
	completion := MakeCompletion(w, 1).Obj()
	w.create(MakeLab(w, "lab").Obj(), completion)
	grant := w.grantOf("lab", completion)
	w.awaitActive(grant)
	w.awaitReason(completion, v1alpha1.ReasonGranted)
	return w, grant
}

func TestDriftIsCorrected(t *testing.T) {
	t.Parallel()
	w, grant := labWithOne(t)
	for _, tc := range drifts() {
		t.Run(tc.name, func(t *testing.T) {
			w := w.in(t)
			tc.do(w)
			w.eventually(func(g Gomega) { tc.want(w, g) })
		})
	}
	w.awaitActive(grant)
}

func TestDriftWhileTheManagerWasDownIsCorrectedAfterItsStart(t *testing.T) {
	t.Parallel()
	for _, tc := range drifts() {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w, grant := labWithOne(t)
			w.stop()
			tc.do(w)
			w.start()
			w.eventually(func(g Gomega) { tc.want(w, g) })
			w.awaitActive(grant)
		})
	}
}

func TestDeletedNamespaceIsMadeAgain(t *testing.T) {
	t.Parallel()
	w, grant := labWithOne(t)
	namespace := w.learner(1)
	w.get(namespace)
	before := namespace.UID
	w.delete(namespace)
	w.eventually(func(g Gomega) {
		g.Expect(admin.Get(t.Context(), keyOf(namespace), namespace)).To(Succeed())
		g.Expect(namespace.UID).NotTo(Equal(before))
		g.Expect(namespace.Status.Phase).To(Equal(corev1.NamespaceActive))
		g.Expect(admin.Get(t.Context(), keyOf(w.quotaOf(1)), w.quotaOf(1))).To(Succeed())
		g.Expect(admin.Get(t.Context(), keyOf(w.accessOf(1)), w.accessOf(1))).To(Succeed())
	})
	w.awaitActive(grant)
}

// A planned Grant belongs to the operator: people change nothing about it but the override, and what got into it all
// the same (a restored backup, another version of the program) is put right.
func TestPlannedGrantIsPutRight(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		change func(w *world, grant *v1alpha1.Grant)
	}{
		{"a value", func(_ *world, grant *v1alpha1.Grant) { grant.Spec.OnRevoke = v1alpha1.RemovalRetain }},
		{"somebody is let in", func(_ *world, grant *v1alpha1.Grant) {
			access := &grant.Spec.Namespaces[0].Access[0]
			access.Subjects = append(access.Subjects, v1alpha1.GrantedSubject{Name: "eve"})
		}},
		{"one more namespace", func(w *world, grant *v1alpha1.Grant) {
			grant.Spec.Namespaces = append(grant.Spec.Namespaces, v1alpha1.GrantedNamespace{Name: w.prefix + "more"})
		}},
		{"one more seat", func(_ *world, grant *v1alpha1.Grant) {
			grant.Spec.Seats = []v1alpha1.GrantedSeat{{Pool: "room"}}
		}},
		{"an end of its own", func(_ *world, grant *v1alpha1.Grant) { grant.Spec.AccessEndsAt = &grant.CreationTimestamp }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w, grant := labWithOne(t)
			g := NewWithT(t)
			want, tampered := grant.Spec.DeepCopy(), grant.DeepCopy()
			tc.change(w, tampered)
			g.Expect(admin.Update(t.Context(), tampered.DeepCopy())).To(
				MatchError(ContainSubstring("only spec.override can be changed")))
			itself, err := system.NewClient(rights)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(itself.Patch(t.Context(), tampered, client.MergeFrom(grant), client.FieldOwner("another"))).To(Succeed())
			w.eventually(func(g Gomega) {
				g.Expect(admin.Get(t.Context(), keyOf(grant), grant)).To(Succeed())
				g.Expect(grant.Spec).To(BeComparableTo(*want))
			})
			w.awaitActive(grant)
		})
	}
}

// Taking the owner label off is how people keep something: from then on it is theirs, and only the label brings it
// back.
func TestWhatLostItsOwnerLabelIsLeftToPeople(t *testing.T) {
	t.Parallel()
	w, grant := labWithOne(t)
	g := NewWithT(t)
	namespace := w.learner(1)
	w.change(namespace, func() { delete(namespace.Labels, v1alpha1.LabelGrant) })
	w.awaitReason(grant, v1alpha1.ReasonConflict)
	w.change(namespace, func() { namespace.Labels[v1alpha1.LabelGrant] = grant.OwnerDigest() })
	w.awaitActive(grant)

	w.change(namespace, func() { delete(namespace.Labels, v1alpha1.LabelGrant) })
	w.awaitReason(grant, v1alpha1.ReasonConflict)
	version := namespace.ResourceVersion
	w.delete(MakeCompletion(w, 1).Obj())
	w.awaitReason(grant, v1alpha1.ReasonEnded)
	w.awaitGone(w.accessOf(1))
	w.stays(namespace, namespace.UID)
	g.Expect(namespace.ResourceVersion).To(Equal(version))
	g.Expect(grant.Status.Inventory).To(BeEmpty())
}
