// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"net/http"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/test/cluster"
	"github.com/lxp-dev/course-completion-operator/webhookserver"
)

// expectQueued holds an answer to what the sender gets where the API did not take a delivery for now, and its audit
// record to the reason.
func expectQueued(t *testing.T, server *running, got reply, reason string) {
	t.Helper()
	g := NewWithT(t)
	g.Expect(got.status).To(Equal(200), got.text)
	g.Expect(got.outcome()).To(Equal("queued"))
	g.Expect(got.text).NotTo(ContainSubstring(reason), "the inside of the cluster is none of the sender's business")
	g.Expect(server.log.audit(t, got.deliveryID())).To(And(
		HaveKeyWithValue("completion.outcome", "queued"), HaveKeyWithValue("event.reason", reason)))
}

func brief(o *webhookserver.Options) { o.APITimeout = time.Second }

// emptied waits until the server has drained its inbox.
func (r *running) emptied(t *testing.T) {
	t.Helper()
	NewWithT(t).Eventually(func() float64 { return r.gauge(t, "completion_inbox_records") }, patience).Should(BeZero())
}

// gauge returns the value of a metric without labels.
func (r *running) gauge(t *testing.T, name string) float64 {
	t.Helper()
	families, err := r.registry.Gather()
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	for _, family := range families {
		if family.GetName() == name {
			return family.GetMetric()[0].GetGauge().GetValue()
		}
	}
	t.Fatalf("no metric %s", name)
	return 0
}

func TestQueuedWhileTheAPIHangs(t *testing.T) {
	g := NewWithT(t)
	i, server := newInstitution(t), start(t, brief)
	url := server.knows(t, i)
	g.Expect(controlPlane.Pause(t.Context(), cluster.APIServer)).To(Succeed())
	first := post(t, url, example)
	second := post(t, url, edited(t, sendAt, later))
	ready := get(t, server.HealthAddress(), "/readyz")
	g.Expect(controlPlane.Resume(t.Context(), cluster.APIServer)).To(Succeed())
	expectQueued(t, server, first, "api-timeout")
	// Once is enough to know.
	expectQueued(t, server, second, "api-away")
	g.Expect(ready).To(Equal(200), "accepting deliveries")
	server.emptied(t)
	g.Expect(i.completion(t).Spec.Delivery.ID).To(Equal(second.deliveryID()))
	g.Eventually(func() string { return post(t, url, example).outcome() }, patience).Should(Equal("stale"))
}

func TestQueuedWhileTheAPIIsAway(t *testing.T) {
	g := NewWithT(t)
	i, server := newInstitution(t), start(t, brief)
	url := server.knows(t, i)
	g.Expect(controlPlane.Kill(t.Context(), cluster.APIServer)).To(Succeed())
	got := post(t, url, example)
	check := send(t, http.MethodGet, url, "")
	g.Expect(controlPlane.StartPart(t.Context(), cluster.APIServer)).To(Succeed())
	g.Expect(got.status).To(Equal(200), got.text)
	g.Expect(server.log.audit(t, got.deliveryID())["event.reason"]).To(BeElementOf("api-unreachable", "api-timeout"))
	g.Expect(check.status).To(Equal(200), "what is known of the institutions stays known")
	server.emptied(t)
	g.Expect(i.completion(t).Spec.Delivery.ID).To(Equal(got.deliveryID()))
	// An API server that has just started may be too slow for a while, and the server queues again.
	g.Eventually(func() string { return post(t, url, example).outcome() }, patience).Should(Equal("duplicate"))
}

// A namespace that takes nothing holds up nobody else.
func TestQueuedForANamespaceThatIsMissing(t *testing.T) {
	g := NewWithT(t)
	server := start(t, brief)
	// The Institution's own namespace cannot be missing, so the others are made to wait behind one that terminates.
	gone := newInstitution(t, func(i *v1alpha1.Institution) { i.Finalizers = []string{"people/finalizer"} })
	url := server.knows(t, gone)
	terminate(t, gone)
	for range 3 {
		expectQueued(t, server, post(t, url, example), "namespace-terminating")
	}
	other := newInstitution(t)
	otherURL := server.knows(t, other)
	g.Expect(controlPlane.Pause(t.Context(), cluster.APIServer)).To(Succeed())
	got := post(t, otherURL, example)
	g.Expect(controlPlane.Resume(t.Context(), cluster.APIServer)).To(Succeed())
	expectQueued(t, server, got, "api-timeout")
	g.Eventually(func() float64 { return server.gauge(t, "completion_inbox_records") }, patience).Should(Equal(3.0))
	g.Expect(other.completion(t).Spec.Delivery.ID).To(Equal(got.deliveryID()))

	// Once the namespace is there again, they are stored in it.
	release(t, gone)
	g.Eventually(func() error {
		again := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: gone.namespace}}
		return admin.Create(t.Context(), again)
	}, 2*patience).Should(Succeed())
	g.Eventually(func() float64 { return server.gauge(t, "completion_inbox_records") }, 4*patience).Should(BeZero())
	g.Expect(gone.completions(t)).To(Equal(1))
}

// terminate deletes the namespace of an institution that a finalizer holds.
func terminate(t *testing.T, i institution) {
	t.Helper()
	g, ctx := NewWithT(t), t.Context()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: i.namespace}}
	g.Expect(admin.Delete(ctx, namespace)).To(Succeed())
	g.Eventually(func(g Gomega) {
		g.Expect(admin.Get(ctx, client.ObjectKeyFromObject(namespace), namespace)).To(Succeed())
		g.Expect(namespace.Status.Phase).To(Equal(corev1.NamespaceTerminating))
	}, patience).Should(Succeed())
}

// release takes the finalizer from an institution.
func release(t *testing.T, i institution) {
	t.Helper()
	held := &v1alpha1.Institution{ObjectMeta: metav1.ObjectMeta{Namespace: i.namespace, Name: "institution"}}
	NewWithT(t).Eventually(func() error {
		if err := admin.Get(t.Context(), client.ObjectKeyFromObject(held), held); err != nil {
			return err
		}
		held.Finalizers = nil
		return admin.Update(t.Context(), held)
	}, patience).Should(Succeed())
}

func TestQueuedWhileTheNamespaceGoes(t *testing.T) {
	g := NewWithT(t)
	// The Institution stays for as long as somebody's finalizer holds it, and with it the namespace.
	i := newInstitution(t, func(i *v1alpha1.Institution) { i.Finalizers = []string{"people/finalizer"} })
	server := start(t)
	url := server.knows(t, i)
	terminate(t, i)
	expectQueued(t, server, post(t, url, example), "namespace-terminating")

	release(t, i)
	g.Eventually(func() int { return post(t, url, example).status }, patience).Should(Equal(401))
}

func TestQueuedWhileTheCompletionGoes(t *testing.T) {
	g, ctx := NewWithT(t), t.Context()
	i, server := newInstitution(t), start(t)
	url := server.knows(t, i)
	g.Expect(post(t, url, example).outcome()).To(Equal("created"))
	stored := i.completion(t)
	stored.Finalizers = []string{"people/finalizer"}
	g.Expect(admin.Update(ctx, stored)).To(Succeed())
	g.Expect(admin.Delete(ctx, stored)).To(Succeed())
	expectQueued(t, server, post(t, url, example), "completion-terminating")
	newest := post(t, url, edited(t, sendAt, later))
	expectQueued(t, server, newest, "completion-terminating")

	stored = i.completion(t)
	stored.Finalizers = nil
	g.Expect(admin.Update(ctx, stored)).To(Succeed())
	server.emptied(t)
	g.Expect(i.completion(t).Spec.Delivery.ID).To(Equal(newest.deliveryID()))
	g.Expect(post(t, url, example).outcome()).To(Equal("stale"))
}
