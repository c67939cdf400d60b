// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"fmt"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// awaitRevocationReason waits until a Grant says how far the revocation of its namespaces has come.
func (w *world) awaitRevocationReason(grant *v1alpha1.Grant, reason string) string {
	w.t.Helper()
	var message string
	w.eventually(func(g Gomega) {
		g.Expect(admin.Get(w.t.Context(), keyOf(grant), grant)).To(Succeed())
		condition := meta.FindStatusCondition(grant.Status.Conditions, v1alpha1.ConditionRevocationsComplete)
		g.Expect(condition).NotTo(BeNil())
		g.Expect(condition.Reason).To(Equal(reason), condition.Message)
		message = condition.Message
	})
	return message
}

// revocableLab makes a policy of labs that completions may revoke.
func revocableLab(w *world) *PolicyWrapper {
	lab := MakeLab(w, "lab").Grace(90)
	lab.Spec.Namespaces[0].Labels = map[string]v1alpha1.Template{v1alpha1.LabelRevocable: "${institution.id}"}
	return lab
}

// taking makes a policy that takes the lab of whoever completes the course finishing.
func revoking(w *world) *PolicyWrapper {
	return MakePolicy(w, "done").Grace(30).Revokes(nil, v1alpha1.Template(w.prefix+"${user.id}"))
}

// labelled makes a namespace as people do, with a label that lets an institution revoke it.
func (w *world) labelled(name, institution string) *corev1.Namespace {
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
	if institution != "" {
		namespace.Labels = map[string]string{v1alpha1.LabelRevocable: institution}
	}
	w.create(namespace)
	return namespace
}

// The namespace of the course just finished: access at once, data after the grace days of the policy that takes.
func TestRevokedNamespaceOfAPolicyGoesAfterTheGrace(t *testing.T) {
	t.Parallel()
	w := newLateWorld(t)
	g := NewWithT(t)
	enrolled, completion := MakeCompletion(w, 1).Obj(), finish(w).Obj()
	w.create(revocableLab(w).Obj(), revoking(w).Obj(), enrolled)
	grant, taker := w.grantOf("lab", enrolled), w.grantOf("done", completion)
	w.awaitActive(grant)
	namespace := w.learner(1)
	w.get(namespace)
	g.Expect(namespace.Labels).To(HaveKeyWithValue(v1alpha1.LabelRevocable, w.id.String()))

	w.create(completion)
	w.awaitGone(w.accessOf(1))
	w.awaitReason(grant, v1alpha1.ReasonRevokedByCompletion)
	g.Expect(grant.Status.Phase).To(Equal(v1alpha1.GrantEnded))
	g.Expect(ready(grant).Message).To(
		ContainSubstring("completion " + completion.Name + " revoked namespace " + namespace.Name))
	w.awaitEvent(grant, v1alpha1.ReasonRevokedByCompletion, completion.Name)
	g.Expect(w.awaitRevocationReason(taker, v1alpha1.ReasonAccessEnded)).To(ContainSubstring(namespace.Name))
	g.Expect(taker.Status.Revocations).To(HaveLen(1))
	g.Expect(taker.Status.Revocations[0].At.Time).To(BeTemporally("~", w.clock.Now(), margin))
	w.get(w.quotaOf(1))

	w.step(30*oneDay - margin)
	w.stays(namespace, namespace.UID)
	// The time of a restart counts, and it changes nothing.
	w.stop()
	w.start()
	w.stays(namespace, namespace.UID)
	w.step(2 * margin)
	w.awaitGone(namespace)
	w.awaitRevocationReason(taker, v1alpha1.ReasonNamespacesDeleted)
	w.awaitEvent(taker, v1alpha1.ReasonNamespacesDeleted, "is gone")
	w.eventually(func(g Gomega) {
		w.get(grant)
		g.Expect(grant.Status.Inventory).To(BeEmpty())
	})
	w.consistently(func(g Gomega) {
		g.Expect(apierrors.IsNotFound(admin.Get(t.Context(), keyOf(namespace), namespace))).To(BeTrue())
	})
}

// It becomes due while nobody runs.
func TestRevokedNamespaceThatFellDueWhileTheManagerWasDown(t *testing.T) {
	t.Parallel()
	w := newLateWorld(t)
	enrolled, completion := MakeCompletion(w, 1).Obj(), finish(w).Obj()
	w.create(revocableLab(w).Obj(), revoking(w).Obj(), enrolled)
	w.awaitActive(w.grantOf("lab", enrolled))
	w.create(completion)
	w.awaitReason(w.grantOf("lab", enrolled), v1alpha1.ReasonRevokedByCompletion)
	w.stop()
	w.clock.ahead.Add(int64(31 * oneDay))
	w.start()
	w.awaitGone(w.learner(1))
	w.awaitRevocationReason(w.grantOf("done", completion), v1alpha1.ReasonNamespacesDeleted)
}

// A completion that was to take, and that is withdrawn while nobody runs, takes nothing once somebody does: no data
// goes on the strength of an outdated record.
func TestRevokedNamespaceOfAWithdrawalWhileTheManagerWasDownStays(t *testing.T) {
	t.Parallel()
	w := newLateWorld(t)
	enrolled, completion := MakeCompletion(w, 1).Obj(), finish(w).Obj()
	w.create(revocableLab(w).Obj(), revoking(w).Obj(), enrolled)
	grant, namespace := w.grantOf("lab", enrolled), w.learner(1)
	w.awaitActive(grant)
	w.get(namespace)
	w.create(completion)
	w.awaitReason(grant, v1alpha1.ReasonRevokedByCompletion)
	w.stop()
	w.delete(completion)
	w.clock.ahead.Add(int64(31 * oneDay))
	w.start()
	w.awaitActive(grant)
	w.stays(namespace, namespace.UID)
	w.get(w.accessOf(1))
}

func TestRevokedNamespaceComesBackWithinTheGrace(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		how  func(w *world, completion *v1alpha1.CourseCompletion)
	}{
		{"by a withdrawal", func(w *world, completion *v1alpha1.CourseCompletion) { w.delete(completion) }},
		{"by a later completion", func(w *world, _ *v1alpha1.CourseCompletion) {
			enrolled := MakeCompletion(w, 1).Obj()
			w.change(enrolled, func() { sendAt(enrolled, "2030-06-02 10:00:00") })
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w := newLateWorld(t)
			enrolled, completion := MakeCompletion(w, 1).Obj(), finish(w).Obj()
			w.create(revocableLab(w).Obj(), revoking(w).Obj(), enrolled)
			grant, namespace := w.grantOf("lab", enrolled), w.learner(1)
			w.awaitActive(grant)
			w.get(namespace)
			w.create(completion)
			w.awaitGone(w.accessOf(1))
			w.awaitReason(grant, v1alpha1.ReasonRevokedByCompletion)
			w.step(29 * oneDay)
			tc.how(w, completion)
			w.awaitActive(grant)
			w.get(w.accessOf(1))
			w.step(60 * oneDay)
			w.stays(namespace, namespace.UID)
		})
	}
}

// What others made goes if they say so by the label, and nothing else does.
func TestRevokedNamespaceThatOthersMade(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		// make returns the namespace, before the completion that takes it.
		make func(w *world) *corev1.Namespace
		want string
		says string
	}{
		{"labelled", func(w *world) *corev1.Namespace { return w.labelled(w.prefix+"1", w.id.String()) },
			v1alpha1.ReasonNamespacesDeleted, "is gone"},
		{"labelled for another institution", func(w *world) *corev1.Namespace { return w.labelled(w.prefix+"1", "77") },
			v1alpha1.ReasonNotRevocable, "does not have the label"},
		{"not labelled", func(w *world) *corev1.Namespace { return w.labelled(w.prefix+"1", "") },
			v1alpha1.ReasonNotRevocable, "does not have the label"},
		{"with an institution in it", func(w *world) *corev1.Namespace {
			namespace := w.labelled(w.prefix+"1", w.id.String())
			inside := MakeInstitution(w).Obj()
			inside.Namespace = namespace.Name
			w.create(inside)
			return namespace
		}, v1alpha1.ReasonNotRevocable, "it contains an Institution"},
		{"of somebody else's grant", func(w *world) *corev1.Namespace {
			other := MakeGrant(w, "other", 2).Namespace(w.prefix + "1")
			other.Spec.Namespaces[0].Labels = map[string]string{v1alpha1.LabelRevocable: w.id.String()}
			w.create(other.Obj())
			w.awaitActive(other.Obj())
			return w.learner(1)
		}, v1alpha1.ReasonNotRevocable, "of another user"},
		{"with the owner label of nobody", func(w *world) *corev1.Namespace {
			namespace := w.labelled(w.prefix+"1", w.id.String())
			w.change(namespace, func() { namespace.Labels[v1alpha1.LabelGrant] = v1alpha1.OwnerDigest("gone", "gone") })
			return namespace
		}, v1alpha1.ReasonNotRevocable, "a grant that does not exist"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w := newLateWorld(t)
			namespace := tc.make(w)
			w.get(namespace)
			completion := finish(w).Obj()
			w.create(revoking(w).Grace(0).Obj(), completion)
			taker := w.grantOf("done", completion)
			NewWithT(t).Expect(w.awaitRevocationReason(taker, tc.want)).To(ContainSubstring(tc.says))
			w.awaitEvent(taker, tc.want, tc.says)
			w.awaitActive(taker)
			if tc.want == v1alpha1.ReasonNamespacesDeleted {
				w.awaitGone(namespace)
				return
			}
			w.stays(namespace, namespace.UID)
			w.step(time.Hour)
			w.stays(namespace, namespace.UID)
		})
	}
}

// Who makes an Institution chooses its id: it takes nothing of the one that has it already, and keeps it from nothing,
// unless the cluster's own people allowed it.
func TestRevokedNamespaceOfAnIDThatTwoClaim(t *testing.T) {
	t.Parallel()
	for _, allowed := range []bool{false, true} {
		t.Run(fmt.Sprintf("allowed %t", allowed), func(t *testing.T) {
			t.Parallel()
			w, there := makeLateWorld(t), makeLateWorld(t)
			w.beside = []string{there.namespace}
			other := MakeInstitution(there).Obj()
			other.Spec.ID = w.id
			if allowed {
				there.permit(w.id, there.prefix)
			}
			w.create(MakeInstitution(w).Obj(), other)
			w.start()
			if !allowed {
				w.awaitReason(other, v1alpha1.ReasonNotAllowed)
			} else {
				w.awaitReason(other, v1alpha1.ReasonReady)
			}
			namespace := w.labelled(w.prefix+"1", w.id.String())
			completion := finish(w).Obj()
			w.create(revoking(w).Grace(0).Obj(), completion)
			if !allowed {
				w.awaitGone(namespace)
				return
			}
			taker := w.grantOf("done", completion)
			says := w.awaitRevocationReason(taker, v1alpha1.ReasonNotRevocable)
			NewWithT(t).Expect(says).To(ContainSubstring("an Institution in another namespace has the id " + w.id.String()))
			w.stays(namespace, namespace.UID)

			w.delete(other)
			w.awaitGone(other)
			w.nudge()
			w.awaitGone(namespace)
		})
	}
}

// It is not what was finished: it came afterwards.
func TestRevokedNamespaceThatWasMadeAfterTheCompletionStays(t *testing.T) {
	t.Parallel()
	w := newLateWorld(t)
	namespace := w.labelled(w.prefix+"1", w.id.String())
	completion := finish(w).SendAt("2026-03-01 10:00:00").Obj()
	w.create(revoking(w).Grace(0).Obj(), completion)
	says := w.awaitRevocationReason(w.grantOf("done", completion), v1alpha1.ReasonNotRevocable)
	NewWithT(t).Expect(says).To(ContainSubstring("created after the completion"))
	w.stays(namespace, namespace.UID)
}

// A finalizer of others holds it: that is told, and repeated until it has gone.
func TestRevokedNamespaceThatDoesNotGoIsTold(t *testing.T) {
	t.Parallel()
	w := newLateWorld(t)
	namespace := w.labelled(w.prefix+"1", w.id.String())
	held := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{
		Namespace: namespace.Name, Name: "held", Finalizers: []string{"example.org/hold"}}}
	w.create(held)
	completion := finish(w).Obj()
	w.create(revoking(w).Grace(0).Obj(), completion)
	taker := w.grantOf("done", completion)
	says := w.awaitRevocationReason(taker, v1alpha1.ReasonTerminating)
	NewWithT(t).Expect(says).To(ContainSubstring(namespace.Name))
	w.change(held, func() { held.Finalizers = nil })
	w.awaitGone(namespace)
	w.awaitRevocationReason(taker, v1alpha1.ReasonNamespacesDeleted)
}

// Templates label namespaces for their own institution only, and other labels of the domain are not theirs.
func TestRevocableLabelOfAnotherInstitutionIsRefused(t *testing.T) {
	t.Parallel()
	w := newLateWorld(t)
	handmade := MakeGrant(w, "hand", 1).Namespace(w.prefix + "hand")
	handmade.Spec.Namespaces[0].Labels = map[string]string{v1alpha1.LabelRevocable: "77"}
	lab := revocableLab(w).Obj()
	lab.Spec.Namespaces[0].Labels[v1alpha1.LabelRevocable] = "77"
	completion := MakeCompletion(w, 2).Obj()
	w.create(handmade.Obj(), lab, completion)
	w.awaitReason(handmade.Obj(), v1alpha1.ReasonRefused)
	w.awaitReason(completion, v1alpha1.ReasonPolicyFailed)
	NewWithT(t).Expect(ready(completion).Message).To(ContainSubstring("the id of the institution"))
	w.consistently(func(g Gomega) {
		g.Expect(client.IgnoreNotFound(admin.Get(t.Context(), keyOf(w.learner(2)), w.learner(2)))).To(Succeed())
		g.Expect(w.grants(g)).To(HaveLen(1))
	})
}
