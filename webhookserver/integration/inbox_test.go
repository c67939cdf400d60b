// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/test/cluster"
	"github.com/lxp-dev/course-completion-operator/webhookserver"
)

// keptIn has a server keep its inbox where another one finds it later.
func keptIn(dir string) func(*webhookserver.Options) {
	return func(o *webhookserver.Options) {
		o.Storage = storageIn(dir)
		o.APITimeout = time.Second
	}
}

// awayConfig is that of an API which nobody serves.
func awayConfig(t *testing.T) *rest.Config {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	away := "https://" + listener.Addr().String()
	NewWithT(t).Expect(listener.Close()).To(Succeed())
	return &rest.Config{Host: away}
}

// ended waits until a server that was told to stop has.
func (r *running) awaitEnd(t *testing.T) {
	t.Helper()
	r.stop()
	NewWithT(t).Eventually(r.ended, 2*patience).Should(Receive(BeNil()))
}

// A server that starts while the API is away knows the Institutions of the last time, takes their deliveries, and hands
// them over to the next one.
func TestStartWhileTheAPIIsAway(t *testing.T) {
	g := NewWithT(t)
	dir := t.TempDir()
	i := newInstitution(t)
	first := start(t, keptIn(dir))
	first.knows(t, i)
	g.Eventually(first.log.String, patience).Should(ContainSubstring("Saved snapshot of institutions"))
	first.awaitEnd(t)

	second := startWith(t, awayConfig(t), keptIn(dir))
	// It waits for the API first: what that says is newer.
	expectUnavailable(t, second, post(t, second.url(i), example), "institutions-unknown")
	url := second.knows(t, i)
	g.Expect(get(t, second.HealthAddress(), "/readyz")).To(Equal(200))
	got := post(t, url, example)
	g.Expect(got.status).To(Equal(200), got.text)
	g.Expect(post(t, url+"x", example).status).To(Equal(401))
	second.awaitEnd(t)

	third := start(t, keptIn(dir))
	third.emptied(t)
	stored := i.completion(t)
	g.Expect(stored.Spec.Delivery.ID).To(Equal(got.deliveryID()))
	g.Expect(stored.Spec.User.CPF).To(Equal("***.***.***-99"), "minimised before it was kept")
}

// What the snapshot and the records keep of a person and a token is what is stored of them.
func TestTheInboxKeepsNoMoreThanIsStored(t *testing.T) {
	g := NewWithT(t)
	dir := t.TempDir()
	i, server := newInstitution(t), start(t, keptIn(dir))
	url := server.knows(t, i)
	g.Eventually(server.log.String, patience).Should(ContainSubstring("Saved snapshot of institutions"))
	g.Expect(controlPlane.Pause(t.Context(), cluster.APIServer)).To(Succeed())
	got := post(t, url, example)
	text, err := os.ReadFile(filepath.Join(dir, "inbox.db"))
	info, statErr := os.Stat(filepath.Join(dir, "inbox.db"))
	g.Expect(controlPlane.Resume(t.Context(), cluster.APIServer)).To(Succeed())
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(statErr).NotTo(HaveOccurred())
	g.Expect(info.Mode().Perm()).To(BeEquivalentTo(0o600))
	g.Expect(got.status).To(Equal(200), got.text)
	g.Expect(string(text)).To(And(ContainSubstring("student@toolzz.com"), ContainSubstring(digest(i.token))))
	g.Expect(string(text)).NotTo(Or(ContainSubstring("123.456.789-99"), ContainSubstring(i.token)))
	server.emptied(t)
}

// What the API refuses for good is a dead letter at once, and stored once it is retried and the API has changed its
// mind.
func TestHeldWhereTheAPIRefusesForGood(t *testing.T) {
	g := NewWithT(t)
	dir := t.TempDir()
	i, server := newInstitution(t), start(t, keptIn(dir))
	url := server.knows(t, i)
	allow := refuse(t, i)
	var held reply
	g.Eventually(func() string {
		// Until the API server knows the policy, each is another completion.
		held = post(t, url, edited(t, `"id": 11,`, fmt.Sprintf(`"id": %d,`, time.Now().UnixNano())))
		return held.outcome()
	}, patience).Should(Equal("held"))
	g.Expect(held.status).To(Equal(200))
	g.Expect(server.log.audit(t, held.deliveryID())).To(And(
		HaveKeyWithValue("completion.outcome", "held"), HaveKeyWithValue("event.reason", "api-invalid")))
	g.Expect(server.gauge(t, "completion_inbox_dead_letters")).To(Equal(1.0))
	before := i.completions(t)

	socket := &http.Client{Transport: &http.Transport{DialContext: dialSocket(filepath.Join(dir, "s"))}}
	retry := func() int {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://inbox/records/1/retry", http.NoBody)
		g.Expect(err).NotTo(HaveOccurred())
		response, err := socket.Do(request)
		g.Expect(err).NotTo(HaveOccurred())
		return errorOr(response.StatusCode, response.Body.Close())
	}
	g.Expect(retry()).To(Equal(204))
	// The drainer is refused too.
	g.Eventually(server.log.String, patience).Should(ContainSubstring("Kept delivery as a dead letter"))
	allow()
	g.Eventually(func(g Gomega) {
		g.Expect(retry()).To(BeElementOf(204, 404))
		g.Expect(i.completions(t)).To(Equal(before + 1))
	}, patience, "1s").Should(Succeed())
	g.Eventually(func() float64 { return server.gauge(t, "completion_inbox_dead_letters") }, patience).Should(BeZero())
}

func errorOr(status int, err error) int {
	if err != nil {
		return 0
	}
	return status
}

// refuse has the API refuse every new completion of an institution for good, until the returned function is called.
func refuse(t *testing.T, i institution) (allow func()) {
	t.Helper()
	return refuseUnless(t, i, "false", metav1.StatusReasonInvalid)
}

// refuseUnless has it refuse for a reason what an expression is not true for.
func refuseUnless(t *testing.T, i institution, expression string, reason metav1.StatusReason) (allow func()) {
	t.Helper()
	g, ctx := NewWithT(t), t.Context()
	meta := metav1.ObjectMeta{Name: i.namespace}
	policy := &admissionv1.ValidatingAdmissionPolicy{ObjectMeta: meta, Spec: admissionv1.ValidatingAdmissionPolicySpec{
		MatchConstraints: &admissionv1.MatchResources{ResourceRules: []admissionv1.NamedRuleWithOperations{{
			RuleWithOperations: admissionv1.RuleWithOperations{
				Operations: []admissionv1.OperationType{admissionv1.Create},
				Rule: admissionv1.Rule{
					APIGroups: []string{v1alpha1.GroupName}, APIVersions: []string{"*"}, Resources: []string{"coursecompletions"},
				},
			},
		}}},
		Validations: []admissionv1.Validation{{Expression: expression, Reason: &reason}},
	}}
	binding := &admissionv1.ValidatingAdmissionPolicyBinding{
		ObjectMeta: meta,
		Spec: admissionv1.ValidatingAdmissionPolicyBindingSpec{
			PolicyName: i.namespace, ValidationActions: []admissionv1.ValidationAction{admissionv1.Deny},
			MatchResources: &admissionv1.MatchResources{NamespaceSelector: &metav1.LabelSelector{
				MatchLabels: map[string]string{"kubernetes.io/metadata.name": i.namespace},
			}},
		},
	}
	g.Expect(admin.Create(ctx, policy)).To(Succeed())
	g.Expect(admin.Create(ctx, binding)).To(Succeed())
	return func() {
		g.Expect(admin.Delete(ctx, binding)).To(Succeed())
		g.Expect(admin.Delete(ctx, policy)).To(Succeed())
	}
}

// A full inbox is told to the sender and to the probes, as long as the API does not take deliveries either.
func TestAFullInboxIsUnavailable(t *testing.T) {
	g := NewWithT(t)
	i, server := newInstitution(t), start(t, func(o *webhookserver.Options) {
		o.APITimeout, o.InboxMaxBytes = time.Second, 96<<10
	})
	url := server.knows(t, i)
	// Each gets as much as both leave free to all others.
	other := newInstitution(t)
	urls := []string{url, server.knows(t, other)}
	g.Expect(controlPlane.Pause(t.Context(), cluster.APIServer)).To(Succeed())
	var refused reply
	accepted := 0
	for n := range 500 {
		refused = post(t, urls[n%2], edited(t, `"id": 11,`, fmt.Sprintf(`"id": %d,`, 1000+n)))
		if refused.status != 200 {
			break
		}
		accepted++
	}
	ready := get(t, server.HealthAddress(), "/readyz")
	g.Expect(controlPlane.Resume(t.Context(), cluster.APIServer)).To(Succeed())
	expectUnavailable(t, server, refused, "inbox-share-full")
	g.Expect(ready).To(Equal(200), "there is room for others")
	server.emptied(t)
	g.Expect(accepted).To(BeNumerically(">", 20))
	g.Expect(i.completions(t) + other.completions(t)).To(Equal(accepted))
	g.Expect(get(t, server.HealthAddress(), "/readyz")).To(Equal(200))
	// An API server that goes on may be too slow at first: what is queued then is a duplicate the next time.
	g.Eventually(func() string { return post(t, url, example).outcome() }, patience).Should(
		BeElementOf("created", "duplicate"))
}

// What is more than the API may have at a time goes to the disk instead of waiting in memory.
func TestMoreThanTheAPIMayHaveGoesToTheInbox(t *testing.T) {
	const deliveries = 200
	g := NewWithT(t)
	i, server := newInstitution(t), start(t, func(o *webhookserver.Options) {
		o.APIConcurrency, o.MaxConnections = 1, 0
	})
	url := server.knows(t, i)
	var (
		group    sync.WaitGroup
		mu       sync.Mutex
		outcomes = map[string]int{}
	)
	for n := range deliveries {
		body := edited(t, `"id": 11,`, fmt.Sprintf(`"id": %d,`, 1000+n))
		group.Go(func() {
			got := post(t, url, body)
			mu.Lock()
			defer mu.Unlock()
			outcomes[got.outcome()]++
		})
	}
	group.Wait()
	g.Expect(outcomes["created"]+outcomes["queued"]).To(Equal(deliveries), fmt.Sprint(outcomes))
	g.Expect(outcomes["queued"]).To(BeNumerically(">", 0), "this many at once cannot all have had their turn")
	server.emptied(t)
	g.Expect(i.completions(t)).To(Equal(deliveries))
}

func TestShutdownEmptiesTheInbox(t *testing.T) {
	g := NewWithT(t)
	i, server := newInstitution(t), start(t, brief)
	url := server.knows(t, i)
	g.Expect(controlPlane.Pause(t.Context(), cluster.APIServer)).To(Succeed())
	for n := range 20 {
		got := post(t, url, edited(t, `"id": 11,`, fmt.Sprintf(`"id": %d,`, 1000+n)))
		g.Expect(got.outcome()).To(Equal("queued"))
	}
	g.Expect(controlPlane.Resume(t.Context(), cluster.APIServer)).To(Succeed())
	g.Eventually(func() float64 { return server.gauge(t, "completion_inbox_records") }, patience).Should(
		BeNumerically("<", 20))
	server.awaitEnd(t)
	g.Expect(i.completions(t)).To(Equal(20))
}
