// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package upgrade

import (
	"slices"
	"strings"

	"github.com/google/go-cmp/cmp"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/test/system"
)

// version is what changes with every write of an object.
type version struct {
	uid      types.UID
	resource string
}

// snapshot is what the institutions have for which nobody delivers.
type snapshot struct {
	// bindings are the RoleBindings that give access, and seats the Seats, by namespace and name. Nothing writes them.
	bindings, seats map[string]version
	namespaces      map[string]corev1.Namespace
	grants          map[string]v1alpha1.Grant
	completions     map[string]types.UID
	brake           v1alpha1.BrakeStatus
}

func (w *world) look(g Gomega) *snapshot {
	s := &snapshot{
		bindings: map[string]version{}, seats: map[string]version{}, namespaces: map[string]corev1.Namespace{},
		grants: map[string]v1alpha1.Grant{}, completions: map[string]types.UID{},
	}
	var (
		bindings    rbacv1.RoleBindingList
		namespaces  corev1.NamespaceList
		seats       v1alpha1.SeatList
		completions v1alpha1.CourseCompletionList
	)
	ctx := w.t.Context()
	provisioned := client.HasLabels{v1alpha1.LabelGrant}
	g.Expect(w.admin.List(ctx, &bindings, provisioned)).To(Succeed())
	g.Expect(w.admin.List(ctx, &namespaces, provisioned)).To(Succeed())
	for _, binding := range bindings.Items {
		if !strings.HasPrefix(binding.Namespace, "i9202-") {
			s.bindings[key(&binding)] = versionOf(&binding)
		}
	}
	for _, namespace := range namespaces.Items {
		if !strings.HasPrefix(namespace.Name, "i9202-") {
			s.namespaces[namespace.Name] = namespace
		}
	}
	for _, i := range []*system.Institution{w.school, w.paused} {
		for _, grant := range w.grants(g, i) {
			s.grants[key(&grant)] = grant
		}
		g.Expect(w.admin.List(ctx, &seats, client.InNamespace(i.Namespace))).To(Succeed())
		for _, seat := range seats.Items {
			s.seats[key(&seat)] = versionOf(&seat)
		}
		g.Expect(w.admin.List(ctx, &completions, client.InNamespace(i.Namespace))).To(Succeed())
		for _, completion := range completions.Items {
			s.completions[key(&completion)] = completion.UID
		}
	}
	s.brake = w.institution(g, w.paused).Status.Brake
	return s
}

func key(object client.Object) string { return object.GetNamespace() + "/" + object.GetName() }

func versionOf(object client.Object) version {
	return version{object.GetUID(), object.GetResourceVersion()}
}

// same makes sure that nobody has lost or got anything between two snapshots.
func (s *snapshot) same(g Gomega, after *snapshot) {
	g.Expect(after.bindings).To(Equal(s.bindings), "no access moved")
	g.Expect(after.seats).To(Equal(s.seats), "no seat moved")
	g.Expect(after.completions).To(Equal(s.completions), "no completion moved")
	g.Expect(after.namespaces).To(HaveLen(len(s.namespaces)))
	for name, before := range s.namespaces {
		now := after.namespaces[name]
		g.Expect(now.UID).To(Equal(before.UID), name)
		g.Expect(now.DeletionTimestamp.IsZero()).To(BeTrue(), name)
		// A version may say more about a namespace, and less than a later one.
		for _, label := range []string{v1alpha1.LabelGrant, v1alpha1.LabelRevocable, "pod-security.kubernetes.io/enforce"} {
			g.Expect(now.Labels[label]).To(Equal(before.Labels[label]), "%s of %s", label, name)
		}
	}
	g.Expect(after.grants).To(HaveLen(len(s.grants)))
	for name, before := range s.grants {
		now := after.grants[name]
		sameGrant(g, name, &before, &now)
	}
	g.Expect(cmp.Diff(s.brake, after.brake)).To(BeEmpty(), "the brake holds the same")
}

// sameGrant makes sure that a Grant was not rewritten: a version may add to what it provisions, and say it in the
// status.
func sameGrant(g Gomega, name string, before, now *v1alpha1.Grant) {
	g.Expect(now.UID).To(Equal(before.UID), name)
	g.Expect(now.Generation).To(Equal(before.Generation), name)
	g.Expect(cmp.Diff(before.Spec, now.Spec)).To(BeEmpty(), name)
	g.Expect(cmp.Diff(before.Labels, now.Labels)).To(BeEmpty(), name)
	g.Expect(cmp.Diff(before.Annotations, now.Annotations)).To(BeEmpty(), name)
	g.Expect(cmp.Diff(before.Finalizers, now.Finalizers)).To(BeEmpty(), name)
	was, is := before.Status.DeepCopy(), now.Status.DeepCopy()
	// What exists is compared above, access and namespaces to the version.
	provisions := cmp.Diff(was.Inventory, is.Inventory) != ""
	was.Inventory, is.Inventory = nil, nil
	words := forgetMessages(was.Conditions, is.Conditions)
	g.Expect(cmp.Diff(was, is)).To(BeEmpty(), name)
	if !provisions && !words {
		g.Expect(now.ResourceVersion).To(Equal(before.ResourceVersion), "%s was written without need", name)
	}
}

// forgetMessages empties the messages, which are for people and may change, and reports whether they differ.
func forgetMessages(was, is []metav1.Condition) bool {
	differ := !slices.EqualFunc(was, is, func(a, b metav1.Condition) bool { return a.Message == b.Message })
	for _, conditions := range [][]metav1.Condition{was, is} {
		for i := range conditions {
			conditions[i].Message = ""
		}
	}
	return differ
}
