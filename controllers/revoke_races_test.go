// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// meddling changes the world right before the first deletion of a namespace reaches the API server.
type meddling struct {
	next   http.RoundTripper
	once   *sync.Once
	meddle func()
}

func (m *meddling) RoundTrip(request *http.Request) (*http.Response, error) {
	if request.Method == http.MethodDelete && strings.HasPrefix(request.URL.Path, "/api/v1/namespaces/") {
		m.once.Do(m.meddle)
	}
	return m.next.RoundTrip(request)
}

// What changed between the look and the deletion is looked at again: somebody kept the namespace at the last moment.
func TestRevokedNamespaceThatIsKeptAtTheLastMomentStays(t *testing.T) {
	t.Parallel()
	w := makeLateWorld(t)
	namespace := w.labelled(w.prefix+"1", w.id.String())
	meddled, once := make(chan struct{}), &sync.Once{}
	w.wrap = func(next http.RoundTripper) http.RoundTripper {
		return &meddling{next, once, func() {
			// A namespace without the label the API server would not let go anyhow.
			namespace.Labels[v1alpha1.LabelRevocable] = "77"
			if err := admin.Update(t.Context(), namespace); err != nil {
				t.Errorf("change the label: %v", err)
			}
			close(meddled)
		}}
	}
	w.create(MakeInstitution(w).Obj(), revoking(w).Grace(0).Obj(), finish(w).Obj())
	w.start()
	NewWithT(t).Eventually(meddled, soon).Should(BeClosed())
	w.awaitRevocationReason(w.grantOf("done", finish(w).Obj()), v1alpha1.ReasonNotRevocable)
	w.stays(namespace, namespace.UID)
}

// withdrawing lets a person withdraw a completion right before the manager looks, live, at those that are there.
type withdrawing struct {
	next     http.RoundTripper
	armed    *atomic.Bool
	withdraw func()
}

func (m *withdrawing) RoundTrip(request *http.Request) (*http.Response, error) {
	selects := strings.Contains(request.URL.Query().Get("fieldSelector"), "spec.user.id")
	if selects && strings.HasSuffix(request.URL.Path, "/coursecompletions") && m.armed.CompareAndSwap(true, false) {
		m.withdraw()
	}
	return m.next.RoundTrip(request)
}

// A withdrawal that the planner has yet to hear of is one all the same: no data goes against it.
func TestRevokedNamespaceOfAWithdrawalThatIsNotPlannedYetStays(t *testing.T) {
	t.Parallel()
	w := makeLateWorld(t)
	namespace, completion, armed := w.labelled(w.prefix+"1", w.id.String()), finish(w).Obj(), &atomic.Bool{}
	w.wrap = func(next http.RoundTripper) http.RoundTripper {
		return &withdrawing{next, armed, func() {
			if err := admin.Delete(t.Context(), completion.DeepCopy()); err != nil {
				t.Errorf("withdraw the completion: %v", err)
			}
		}}
	}
	w.create(MakeInstitution(w).Obj(), revoking(w).Obj(), completion)
	w.start()
	taker := w.grantOf("done", completion)
	w.awaitRevocationReason(taker, v1alpha1.ReasonAccessEnded)
	w.awaitReason(completion, v1alpha1.ReasonGranted)
	armed.Store(true)
	w.step(31 * oneDay)
	w.awaitGone(completion)
	w.eventually(func(g Gomega) {
		w.get(taker)
		g.Expect(taker.Spec.Revokes).To(BeZero(), "the withdrawal has been planned")
	})
	w.stays(namespace, namespace.UID)
}

// A newer delivery that waits for the brake does not go on under what the older one had begun: the namespace that it
// would take was made in between.
func TestRevokedNamespaceOfANewerDeliveryWaitsForTheBrake(t *testing.T) {
	t.Parallel()
	w := makeLateWorld(t)
	institution, completion := MakeInstitution(w).Obj(), finish(w).SendAt("2026-03-01 10:00:00").Obj()
	institution.Spec.RevocationBudget = new(int32(0))
	w.create(institution, revoking(w).Grace(0).Obj(), completion)
	w.start()
	taker := w.grantOf("done", completion)
	w.awaitRevocationReason(taker, v1alpha1.ReasonNamespacesDeleted)
	namespace := w.labelled(w.prefix+"1", w.id.String())
	w.change(completion, func() { sendAt(completion, finished) })
	w.awaitRevocationReason(taker, v1alpha1.ReasonRevocationPaused)
	w.nudge()
	w.stays(namespace, namespace.UID)
	w.awaitRevocationReason(taker, v1alpha1.ReasonRevocationPaused)
}

// The label of a granted namespace is the policy's to say: without it neither access nor data goes.
func TestRevokedNamespaceOfAPolicyThatDoesNotSayTheLabelStays(t *testing.T) {
	t.Parallel()
	w := newLateWorld(t)
	enrolled := MakeCompletion(w, 1).Obj()
	w.create(MakeLab(w, "lab").Obj(), revoking(w).Grace(0).Obj(), enrolled)
	grant, namespace := w.grantOf("lab", enrolled), w.learner(1)
	w.awaitActive(grant)
	w.get(namespace)
	w.create(finish(w).Obj())
	taker := w.grantOf("done", finish(w).Obj())
	w.awaitRevocationReason(taker, v1alpha1.ReasonNotRevocable)
	w.stays(namespace, namespace.UID)
	w.get(w.accessOf(1))
	w.awaitActive(grant)

	// Nor does a label help that somebody else put on it: the Grant would make it again.
	w.change(namespace, func() { namespace.Labels[v1alpha1.LabelRevocable] = w.id.String() })
	w.nudge()
	w.eventually(func(g Gomega) {
		g.Expect(w.awaitRevocationReason(taker, v1alpha1.ReasonNotRevocable)).To(ContainSubstring("does not have the label"))
	})
	w.stays(namespace, namespace.UID)
}

// A hand-made Grant loses its namespace too, and one that is made after the completion has a new one.
func TestRevokedNamespaceOfAHandmadeGrant(t *testing.T) {
	t.Parallel()
	w := newLateWorld(t)
	g := NewWithT(t)
	made := func(name string) *GrantWrapper {
		grant := MakeGrant(w, name, 1).Namespace(w.prefix + "1")
		grant.Spec.Namespaces[0].Labels = map[string]string{v1alpha1.LabelRevocable: w.id.String()}
		return grant
	}
	hand := made("hand").Obj()
	w.create(hand)
	w.awaitActive(hand)
	w.get(w.accessOf(1))
	// The time of a Grant is that of the API server, of which the test has no other.
	sent := hand.CreationTimestamp.Time
	completion := finish(w).SendAt(sent.In(time.FixedZone("-03", -3*3600)).Format(time.DateTime)).Obj()
	w.create(revoking(w).Grace(0).Obj(), completion)
	w.awaitReason(hand, v1alpha1.ReasonRevokedByCompletion)
	w.awaitGone(w.learner(1))
	w.eventually(func(g Gomega) {
		w.get(hand)
		g.Expect(hand.Status.Inventory).To(BeEmpty())
	})
	w.eventually(func(g Gomega) { g.Expect(time.Since(sent)).To(BeNumerically(">", time.Second)) })
	later := made("later").Obj()
	w.create(later)
	w.awaitActive(later)
	namespace := w.learner(1)
	w.get(namespace)
	g.Expect(namespace.Labels).To(HaveKeyWithValue(v1alpha1.LabelGrant, later.OwnerDigest()))
	w.nudge()
	w.stays(namespace, namespace.UID)
}

// Objects in a namespace that is revoked are data: they stay with it, and go with it.
func TestRevokedNamespaceTakesItsObjectsAlong(t *testing.T) {
	t.Parallel()
	w := newLateWorld(t)
	w.allow("", rule("", "configmaps"))
	lab := revocableLab(w).Object("welcome", w.fill(welcome)).Object("note", w.fill(note))
	enrolled, completion := MakeCompletion(w, 1).Obj(), finish(w).Obj()
	w.create(w.account(), lab.Obj(), revoking(w).Obj(), enrolled)
	grant := w.grantOf("lab", enrolled)
	w.awaitActive(grant)
	inside, outside := w.configMap(w.prefix+"1", "welcome"), w.configMap(w.namespace, "note-1")
	w.get(inside)
	w.get(outside)

	w.create(completion)
	w.awaitGone(w.accessOf(1))
	w.eventually(func(g Gomega) {
		w.get(grant)
		g.Expect(ready(grant).Message).To(ContainSubstring("revoked namespace"))
		g.Expect(grant.Status.Phase).To(Equal(v1alpha1.GrantActive), "the note is left")
	})
	w.stays(inside, inside.UID)
	w.step(31 * oneDay)
	w.awaitGone(w.learner(1))
	w.eventually(func(g Gomega) {
		w.get(grant)
		g.Expect(grant.Status.Inventory).To(HaveLen(1))
		g.Expect(entryOf(grant, w.namespace, "note-1").UID).To(BeEquivalentTo(outside.UID))
	})

	// A withdrawal gives all of it back, though empty.
	w.delete(completion)
	w.awaitGone(completion)
	w.awaitActive(grant)
	w.awaitData(inside, map[string]string{"text": "Welcome, Graciliano Ramos!"})
	w.get(w.accessOf(1))
}

// What was to be taken before a suspension has its grace days from when it really is.
func TestRevokedNamespaceHasItsGraceAfterASuspension(t *testing.T) {
	t.Parallel()
	w := newLateWorld(t)
	institution := MakeInstitution(w).Obj()
	enrolled, completion := MakeCompletion(w, 1).Obj(), finish(w).Obj()
	w.create(revocableLab(w).Obj(), revoking(w).Obj(), enrolled)
	grant, namespace := w.grantOf("lab", enrolled), w.learner(1)
	w.awaitActive(grant)
	w.get(namespace)
	w.change(institution, func() { institution.Spec.Suspend = new(true) })
	w.awaitReason(grant, v1alpha1.ReasonSuspended)
	w.create(completion)
	w.step(40 * oneDay)
	w.stays(namespace, namespace.UID)
	w.get(w.accessOf(1))
	w.change(institution, func() { institution.Spec.Suspend = nil })
	w.awaitReason(grant, v1alpha1.ReasonRevokedByCompletion)
	w.step(29 * oneDay)
	w.stays(namespace, namespace.UID)
	w.step(2 * oneDay)
	w.awaitGone(namespace)
}

// A cause that kept the namespace for a while, and ends: the grace days of both count from then.
func TestRevokedNamespaceThatWasKeptForAWhile(t *testing.T) {
	t.Parallel()
	w := newLateWorld(t)
	const other = v1alpha1.PlatformID(7)
	labs := MakePolicy(w, "labs").PerUser().Courses(course, other).Grace(5).
		Namespace(v1alpha1.Template(w.prefix + "${user.id}"))
	labs.Spec.Namespaces[0].Labels = map[string]v1alpha1.Template{v1alpha1.LabelRevocable: "${institution.id}"}
	w.create(labs.Obj(), MakeCompletion(w, 1).Obj())
	grant, namespace := w.grant("labs."+w.id.String()+"-1"), w.learner(1)
	w.awaitActive(grant)
	w.get(namespace)
	// It is withdrawn, and so ends, after the one that takes has fallen due.
	later := MakeCompletion(w, 1).Course(other).SendAt("2030-06-02 10:00:00").Obj()
	w.create(later)
	w.awaitReason(later, v1alpha1.ReasonGranted)
	w.create(revoking(w).Obj(), finish(w).Obj())
	taker := w.grantOf("done", finish(w).Obj())
	w.awaitRevocationReason(taker, v1alpha1.ReasonNotRevocable)
	NewWithT(t).Expect(taker.Status.Revocations).To(BeEmpty())
	w.step(31 * oneDay)
	w.awaitRevocationReason(taker, v1alpha1.ReasonNotRevocable)
	w.stays(namespace, namespace.UID)

	w.delete(later)
	w.awaitReason(grant, v1alpha1.ReasonRevokedByCompletion)
	w.step(29 * oneDay)
	w.stays(namespace, namespace.UID)
	w.step(2 * oneDay)
	w.eventually(func(g Gomega) {
		g.Expect(apierrors.IsNotFound(admin.Get(t.Context(), keyOf(namespace), namespace))).To(BeTrue())
	})
	w.awaitRevocationReason(taker, v1alpha1.ReasonNamespacesDeleted)
}
