// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/erasure"
	"github.com/lxp-dev/course-completion-operator/internal/inboxapi"
	"github.com/lxp-dev/course-completion-operator/test/cluster"
	"github.com/lxp-dev/course-completion-operator/webhookserver"
	"github.com/lxp-dev/course-completion-operator/webhookserver/store"
)

// erasedAt is between the contract's example and what is sent after it.
var erasedAt = time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)

const (
	anotherEnrollment = `"id": 12,`
	anotherUser       = `"id": 987654322`
	sentAfterwards    = `"send_at": "2024-03-01 12:00:00"`
)

// erase notes that the user of the contract's example was erased, with the enrollment.
func (i institution) erase(t *testing.T) *v1alpha1.ErasureRegister {
	t.Helper()
	g := NewWithT(t)
	register := &v1alpha1.ErasureRegister{
		ObjectMeta: metav1.ObjectMeta{Namespace: i.namespace, Name: v1alpha1.ErasureRegisterName},
		Spec:       erasure.NewSpec(),
	}
	g.Expect(erasure.Add(&register.Spec, erasure.Person{Institution: 12345, User: 987654321}, erasedAt,
		[]v1alpha1.PlatformID{11})).To(Succeed())
	g.Expect(admin.Create(t.Context(), register)).To(Succeed())
	return register
}

// What was erased is acknowledged and not stored, in that namespace alone, and nothing is told of whom it was about.
// Who comes back is stored.
func TestWhatWasErasedIsNotStoredAgain(t *testing.T) {
	g := NewWithT(t)
	i, other := newInstitution(t), newInstitution(t)
	register := i.erase(t)
	server := start(t)
	url := server.knows(t, i)
	for name, body := range map[string]string{
		"repeated":                       example,
		"repeated with a new date":       edited(t, sendAt, sentAfterwards),
		"another enrollment from before": edited(t, `"id": 11,`, anotherEnrollment),
		"repeated about another course":  edited(t, `"id": 123456,`, `"id": 123457,`, sendAt, sentAfterwards),
		"sent in the second of the erasing": edited(t, `"id": 11,`, anotherEnrollment,
			sendAt, `"send_at": "2023-12-31 21:00:00"`),
	} {
		got := post(t, url, body)
		g.Expect(got.status).To(Equal(200), got.text)
		g.Expect(got.body).To(Equal(map[string]any{"deliveryID": got.deliveryID(), "outcome": "erased"}), name)
		g.Expect(server.log.audit(t, got.deliveryID())).To(And(
			HaveKeyWithValue("completion.outcome", "erased"), HaveKeyWithValue("event.reason", "erased"),
			HaveKeyWithValue("organization.id", "12345"),
			Not(HaveKey("user.target.id")), Not(HaveKey("completion.enrollment_id")),
			Not(HaveKey("orchestrator.resource.name"))), name)
	}
	g.Expect(i.completions(t)).To(BeZero())
	g.Expect(server.gauge(t, "completion_inbox_records")).To(BeZero())
	g.Expect(server.log.String()).NotTo(Or(ContainSubstring("987654321"), ContainSubstring("student@toolzz")))

	g.Expect(post(t, url, edited(t, `"id": 987654321`, anotherUser)).outcome()).To(Equal("created"))
	g.Expect(post(t, server.knows(t, other), example).outcome()).To(Equal("created"))
	back := post(t, url, edited(t, `"id": 11,`, anotherEnrollment, sendAt, sentAfterwards))
	g.Expect(back.outcome()).To(Equal("created"))
	g.Expect(i.completions(t)).To(Equal(2))

	// Once the erasure is forgotten.
	g.Expect(admin.Delete(t.Context(), register)).To(Succeed())
	g.Eventually(func() string { return post(t, url, example).outcome() }, patience).Should(Equal("created"))
}

// What the inbox has of somebody goes when the erasure is noted, from the file too: what waits and what is a dead
// letter. What it has of others stays.
func TestWhatWasErasedLeavesTheInbox(t *testing.T) {
	for reason, want := range map[metav1.StatusReason]struct{ outcome, gauge string }{
		metav1.StatusReasonInvalid:   {"held", "completion_inbox_dead_letters"},
		metav1.StatusReasonForbidden: {"queued", "completion_inbox_records"},
	} {
		t.Run(want.outcome, func(t *testing.T) {
			g := NewWithT(t)
			dir := t.TempDir()
			i, server := newInstitution(t), start(t, keptIn(dir))
			url := server.knows(t, i)
			allow := refuseUnless(t, i, "false", reason)
			const other = "bo@example.edu"
			g.Eventually(func() string {
				return post(t, url, edited(t, `"id": 987654321`, anotherUser, "student@toolzz.com", other)).outcome()
			}, patience).Should(Equal(want.outcome))
			var erased []string
			for n := range 3 {
				// Any number of them, whatever their turn is.
				got := post(t, url, edited(t, sendAt, later, "Student", "Student "+string(rune('A'+n))))
				g.Expect(got.outcome()).To(Equal(want.outcome))
				erased = append(erased, got.deliveryID())
			}
			file := func() string {
				text, err := os.ReadFile(filepath.Join(dir, "inbox.db"))
				g.Expect(err).NotTo(HaveOccurred())
				return string(text)
			}
			g.Expect(file()).To(ContainSubstring("student@toolzz.com"))
			i.erase(t)
			g.Eventually(func() float64 { return server.gauge(t, want.gauge) }, patience).Should(Equal(1.0))
			dropped := func() []string {
				return slices.DeleteFunc(strings.Split(server.log.String(), "\n"), func(line string) bool {
					return !strings.Contains(line, "the person was erased")
				})
			}
			g.Eventually(func() int { return len(dropped()) }, patience).Should(BeNumerically(">=", len(erased)))
			for _, id := range erased {
				// The audit record of that delivery has the ids of the person.
				g.Expect(dropped()).NotTo(ContainElement(ContainSubstring(id)))
			}
			// It is written anew within a minute.
			g.Eventually(file, patience, "1s").ShouldNot(ContainSubstring("student@toolzz.com"))
			g.Expect(file()).To(ContainSubstring(other))
			allow()
		})
	}
}

// Whoever empties an inbox that was left behind stores nothing that was erased since.
func TestWhatWasErasedIsNotStoredFromAnInboxThatWasLeftBehind(t *testing.T) {
	g := NewWithT(t)
	dir := t.TempDir()
	i, server := newInstitution(t), start(t, keptIn(dir))
	url := server.knows(t, i)
	allow := refuseUnless(t, i, "false", metav1.StatusReasonForbidden)
	g.Eventually(func() string {
		return post(t, url, edited(t, `"id": 987654321`, anotherUser)).outcome()
	}, patience).Should(Equal("queued"))
	g.Expect(post(t, url, example).outcome()).To(Equal("queued"))
	server.awaitEnd(t)
	allow()
	i.erase(t)
	config, err := controlPlane.ServiceAccountConfig(t.Context(), systemNamespace, serviceAccount)
	g.Expect(err).NotTo(HaveOccurred())
	left, err := store.OpenOffline(filepath.Join(dir, "inbox.db"), logr.Discard(), &store.Draining{
		Config: config, APITimeout: patience, APIConcurrency: 4,
	})
	g.Expect(err).NotTo(HaveOccurred())
	ctx, stop := context.WithCancel(t.Context())
	var draining sync.WaitGroup
	draining.Go(func() { left.Drain(ctx) })
	g.Eventually(func() int {
		answer := httptest.NewRecorder()
		left.Handler().ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/status", http.NoBody))
		var status inboxapi.Status
		g.Expect(json.Unmarshal(answer.Body.Bytes(), &status)).To(Succeed())
		return status.Records
	}, patience).Should(BeZero())
	stop()
	draining.Wait()
	g.Expect(left.Close()).To(Succeed())
	var stored v1alpha1.CourseCompletionList
	g.Expect(admin.List(t.Context(), &stored, client.InNamespace(i.namespace))).To(Succeed())
	g.Expect(stored.Items).To(HaveEach(HaveField("Spec.User.ID", v1alpha1.PlatformID(987654322))))
	g.Expect(stored.Items).NotTo(BeEmpty())
}

// A server that cannot find out who was erased keeps deliveries in the inbox until it can, and then stores all but
// those.
func TestDeliveriesWaitWhereItIsNotKnownWhoWasErased(t *testing.T) {
	g, ctx := NewWithT(t), t.Context()
	i := newInstitution(t)
	i.erase(t)
	var whole rbacv1.ClusterRole
	g.Expect(admin.Get(ctx, client.ObjectKey{Name: serviceAccount}, &whole)).To(Succeed())
	name := i.namespace
	less := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: name}}
	for _, rule := range whole.Rules {
		if !strings.Contains(strings.Join(rule.Resources, " "), "erasureregisters") {
			less.Rules = append(less.Rules, rule)
		}
	}
	g.Expect(less.Rules).To(HaveLen(len(whole.Rules) - 1))
	g.Expect(admin.Create(ctx, less)).To(Succeed())
	g.Expect(admin.Create(ctx, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: name, Name: "narrow"}})).
		To(Succeed())
	bind := func(role string) {
		g.Expect(admin.Create(ctx, &rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: name + "-" + role},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
			Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: name, Name: "narrow"}},
		})).To(Succeed())
	}
	bind(less.Name)
	config, err := controlPlane.ServiceAccountConfig(ctx, name, "narrow")
	g.Expect(err).NotTo(HaveOccurred())
	server := startWith(t, config)
	url := server.knows(t, i)
	for _, body := range []string{example, edited(t, `"id": 987654321`, anotherUser)} {
		got := post(t, url, body)
		g.Expect(got.outcome()).To(Equal("queued"), got.text)
		g.Expect(server.log.audit(t, got.deliveryID())).To(HaveKeyWithValue("event.reason", "api-forbidden"))
	}
	bind(serviceAccount)
	server.emptied(t)
	var stored v1alpha1.CourseCompletionList
	g.Expect(admin.List(ctx, &stored, client.InNamespace(i.namespace))).To(Succeed())
	g.Expect(stored.Items).To(ConsistOf(HaveField("Spec.User.ID", v1alpha1.PlatformID(987654322))))
}

// A register that cannot be read has the deliveries of its namespace wait, and of no other.
func TestDeliveriesWaitWhereTheRegisterCannotBeRead(t *testing.T) {
	g, ctx := NewWithT(t), t.Context()
	i, other := newInstitution(t), newInstitution(t)
	takeAnyKey(t)
	odd := &v1alpha1.ErasureRegister{
		ObjectMeta: metav1.ObjectMeta{Namespace: i.namespace, Name: v1alpha1.ErasureRegisterName},
		Spec:       v1alpha1.ErasureRegisterSpec{Key: strings.Repeat("A", 42) + "B"},
	}
	g.Eventually(func() error { return admin.Create(ctx, odd) }).WithTimeout(patience).Should(Succeed())
	server := start(t, func(o *webhookserver.Options) { o.APITimeout = 5 * time.Second })
	url := server.knows(t, i)
	got := post(t, url, example)
	g.Expect(got.outcome()).To(Equal("queued"), got.text)
	g.Expect(server.log.audit(t, got.deliveryID())).To(HaveKeyWithValue("event.reason", "erasures-unreadable"))
	g.Expect(post(t, server.knows(t, other), example).outcome()).To(Equal("created"))
	g.Expect(i.completions(t)).To(BeZero())
	g.Expect(admin.Delete(ctx, odd)).To(Succeed())
	server.emptied(t)
	g.Expect(i.completions(t)).To(Equal(1))
}

// takeAnyKey has the API server take keys of registers that this version cannot read, as a later version might, until
// the test ends.
func takeAnyKey(t *testing.T) {
	t.Helper()
	const pattern = "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/key/pattern"
	root, err := cluster.RepositoryRoot()
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		_, err := controlPlane.Kubectl(ctx, "apply", "--server-side", "--force-conflicts", "-f",
			filepath.Join(root, "config", "crd", "bases", "completions.lxp.dev_erasureregisters.yaml"))
		NewWithT(t).Expect(err).NotTo(HaveOccurred())
	})
	_, err = controlPlane.Kubectl(t.Context(), "patch", "crd", "erasureregisters.completions.lxp.dev", "--type=json",
		"-p", `[{"op": "remove", "path": "`+pattern+`"}]`)
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
}
