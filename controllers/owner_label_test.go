// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// unguarded hides from one manager that the admission policy on the owner label is in place, which for others it is.
type unguarded struct {
	kind string
	// back is set once the policy is there again.
	back atomic.Bool
}

func (u *unguarded) wrap(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(request *http.Request) (*http.Response, error) {
		if u.back.Load() || !strings.HasSuffix(request.URL.Path, "/"+u.kind+"/completion-owner-label") {
			return next.RoundTrip(request)
		}
		return &http.Response{
			StatusCode: http.StatusNotFound, Request: request, Header: http.Header{"Content-Type": {"application/json"}},
			Body: io.NopCloser(strings.NewReader(
				`{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"NotFound","code":404}`)),
		}, nil
	})
}

// What carries the label and was not recorded is the Grant's only if nobody else can have labelled it.
func TestOwnerLabelAloneIsNotBelievedWithoutItsAdmissionPolicy(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"validatingadmissionpolicies", "validatingadmissionpolicybindings"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			g, w := NewWithT(t), makeWorld(t)
			guard := &unguarded{kind: kind}
			w.wrap = guard.wrap
			completion := MakeCompletion(w, 1).Obj()
			grant := w.grantOf("lab", completion)
			forged := w.learner(1)
			forged.Labels = map[string]string{v1alpha1.LabelGrant: grant.OwnerDigest()}
			w.create(forged)
			version := forged.ResourceVersion
			institution := MakeInstitution(w).Obj()
			w.create(institution)
			w.start()
			w.awaitReason(institution, v1alpha1.ReasonReady)
			w.create(MakeLab(w, "lab").Obj(), completion)
			w.awaitReason(grant, v1alpha1.ReasonConflict)
			g.Expect(ready(grant).Message).To(And(
				ContainSubstring("completion-owner-label is missing"), ContainSubstring("config/admission")))
			g.Expect(grant.Status.Inventory).To(BeEmpty())
			g.Expect(w.logs.String()).To(ContainSubstring("Admission policy is not in place"))
			w.get(forged)
			g.Expect(forged.ResourceVersion).To(Equal(version))
			// What the Grant makes itself, it knows by what it recorded.
			other := MakeCompletion(w, 2).Obj()
			w.create(other)
			w.awaitActive(w.grantOf("lab", other))
			w.awaitReason(other, v1alpha1.ReasonGranted)

			guard.back.Store(true)
			w.awaitActive(grant)
		})
	}
}

// Others' objects that carry the label of a Grant neither fill its status nor go with it.
func TestForeignObjectsWithTheOwnerLabelAreNobodysBusiness(t *testing.T) {
	t.Parallel()
	g, w := NewWithT(t), newWorld(t)
	completion := MakeCompletion(w, 1).Obj()
	grant := w.grantOf("lab", completion)
	elsewhere := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: w.namespace + "-elsewhere"}}
	w.create(elsewhere)
	labelled := func(namespace string, n int) *networkingv1.NetworkPolicy {
		return &networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace, Name: fmt.Sprintf("foreign-%d", n),
			Labels: map[string]string{v1alpha1.LabelGrant: grant.OwnerDigest()}}}
	}
	for n := range 260 {
		w.create(labelled(elsewhere.Name, n))
	}
	access := &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: elsewhere.Name, Name: "foreign",
			Labels: map[string]string{v1alpha1.LabelGrant: grant.OwnerDigest()}},
		RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "view"},
	}
	w.create(access)
	w.create(MakeLab(w, "lab").Obj(), completion)
	w.awaitActive(grant)
	for _, entry := range grant.Status.Inventory {
		g.Expect(*entry.Namespace).NotTo(Equal(elsewhere.Name), "%s %s", entry.Kind, entry.Name)
	}

	w.delete(completion)
	w.awaitReason(grant, v1alpha1.ReasonEnded)
	w.get(access)
	g.Expect(access.DeletionTimestamp).To(BeNil())
	var left networkingv1.NetworkPolicyList
	g.Expect(admin.List(t.Context(), &left, client.InNamespace(elsewhere.Name))).To(Succeed())
	g.Expect(left.Items).To(HaveLen(260))
}

// The status lists 256 objects at most: what there is in the Grant's own namespace cannot keep it from being written.
func TestInventoryNeverOutgrowsTheStatus(t *testing.T) {
	t.Parallel()
	g, w := NewWithT(t), newWorld(t)
	completion := MakeCompletion(w, 1).Obj()
	w.create(MakeLab(w, "lab").Obj(), completion)
	grant := w.grantOf("lab", completion)
	w.awaitActive(grant)
	for n := range 260 {
		w.create(&networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{
			Namespace: w.learner(1).Name, Name: fmt.Sprintf("restored-%d", n),
			Labels: map[string]string{v1alpha1.LabelGrant: grant.OwnerDigest()}}})
	}
	w.delete(completion)
	w.awaitReason(grant, v1alpha1.ReasonEnded)
	w.awaitGone(w.learner(1))
	w.eventually(func(g Gomega) {
		g.Expect(admin.Get(t.Context(), keyOf(grant), grant)).To(Succeed())
		g.Expect(grant.Status.Inventory).To(BeEmpty())
	})
	g.Expect(grant.Status.AccessEndedAt).NotTo(BeNil())
}
