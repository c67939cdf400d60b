// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package upgrade upgrades an installation of the release before to this version as docs/upgrade.md says, under a
// stream of deliveries, and goes back.
package upgrade

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/sender"
	"github.com/lxp-dev/course-completion-operator/test/cluster"
	"github.com/lxp-dev/course-completion-operator/test/states"
	"github.com/lxp-dev/course-completion-operator/test/system"
)

const (
	// patience bounds what is waited for. Only a failure takes so long.
	patience = 5 * time.Minute
	// often is how often a condition is looked at.
	often = 100 * time.Millisecond
	// servers is how many webhook servers there are, as shipped.
	servers = 2
)

// The courses that the policies are about.
const (
	labCourse      v1alpha1.PlatformID = 1001
	seatCourse     v1alpha1.PlatformID = 1002
	approvalCourse v1alpha1.PlatformID = 1003
	finalCourse    v1alpha1.PlatformID = 1004
	otherCourse    v1alpha1.PlatformID = 1005
)

// world is an installation with institutions.
type world struct {
	t       *testing.T
	plane   *cluster.Cluster
	admin   client.WithWatch
	system  *system.System
	metrics *system.MetricsReader
	// school has one of everything, and nobody delivers for it. The brake of paused has tripped. Deliveries for busy come
	// all the time.
	school, paused, busy *system.Institution
	ledger               sender.Ledger
	kept                 []kept
}

// startWorld installs a release, as docs/install.md says, and starts its programs.
func startWorld(t *testing.T, r release) *world {
	t.Helper()
	g, ctx := NewWithT(t), t.Context()
	w := &world{t: t}
	var err error
	w.plane, err = cluster.Start(ctx, cluster.Options{Stderr: t.Output()})
	g.Expect(err).NotTo(HaveOccurred())
	t.Cleanup(func() { g.Expect(w.plane.Stop()).To(Succeed()) })
	w.admin, err = system.NewClient(w.plane.AdminConfig())
	g.Expect(err).NotTo(HaveOccurred())
	w.applyCRDs(r)
	w.observe()
	w.apply(filepath.Join(r.root, "config", "default"))
	w.system, err = system.StartInstalled(ctx, w.plane, system.Options{
		Dir: filepath.Join(t.TempDir(), "programs"), Root: r.root, Bin: r.bin, Replicas: servers,
	})
	g.Expect(err).NotTo(HaveOccurred())
	t.Cleanup(func() {
		if t.Failed() {
			for _, program := range w.system.Programs() {
				t.Logf("the end of the log of %s:\n%s", program.Name, program.LogTail())
			}
		}
		g.Expect(w.system.Stop()).To(Succeed())
	})
	w.metrics, err = w.system.MetricsReader(ctx)
	g.Expect(err).NotTo(HaveOccurred())
	t.Cleanup(w.metrics.Close)
	return w
}

// observe makes sure that the samples for GitOps have each state that an object is seen in.
func (w *world) observe() {
	w.t.Helper()
	observer, err := states.Observe(w.t.Context(), w.admin)
	NewWithT(w.t).Expect(err).NotTo(HaveOccurred())
	w.t.Cleanup(func() {
		unknown, seen := observer.Unknown()
		for _, state := range unknown {
			w.t.Error(state)
		}
		// Labs, seats, an approval, a revocation and a brake are in more than these.
		if seen < 8 && !w.t.Failed() {
			w.t.Errorf("saw %d states", seen)
		}
	})
}

// apply applies a kustomization as the documented steps do.
func (w *world) apply(folder string) {
	w.t.Helper()
	_, err := w.plane.Kubectl(w.t.Context(), "apply", "--server-side", "-k", folder)
	NewWithT(w.t).Expect(err).NotTo(HaveOccurred())
}

func (w *world) applyCRDs(r release) {
	w.t.Helper()
	w.apply(filepath.Join(r.root, "config", "crd"))
	NewWithT(w.t).Expect(w.plane.AwaitKinds(w.t.Context())).To(Succeed())
}

func (w *world) create(objects ...client.Object) {
	w.t.Helper()
	for _, object := range objects {
		NewWithT(w.t).Expect(w.admin.Create(w.t.Context(), object)).To(Succeed(), "%T %s", object, object.GetName())
	}
}

func (w *world) open(id v1alpha1.PlatformID, change ...func(*v1alpha1.InstitutionSpec)) *system.Institution {
	w.t.Helper()
	institution, err := w.system.OpenInstitution(w.t.Context(), w.admin, id, change...)
	NewWithT(w.t).Expect(err).NotTo(HaveOccurred())
	return institution
}

// policy makes a policy about a course; its namespaces are to be named so.
func policy(
	i *system.Institution, name string, course v1alpha1.PlatformID, namespaces ...v1alpha1.Template,
) *v1alpha1.CompletionPolicy {
	p := &v1alpha1.CompletionPolicy{
		ObjectMeta: metav1.ObjectMeta{Namespace: i.Namespace, Name: name},
		Spec: v1alpha1.CompletionPolicySpec{
			GrantPer: v1alpha1.GrantPerCompletion,
			Match:    v1alpha1.PolicyMatch{CourseIDs: []v1alpha1.PlatformID{course}},
			Lifetime: v1alpha1.Lifetime{GraceDays: new(int32(90))},
		},
	}
	for _, namespace := range namespaces {
		p.Spec.Namespaces = append(p.Spec.Namespaces, v1alpha1.NamespaceTemplate{
			Name:   v1alpha1.Template(fmt.Sprintf("i%d-%s", i.ID, namespace)),
			Labels: map[string]v1alpha1.Template{v1alpha1.LabelRevocable: "${institution.id}"},
			ResourceQuota: v1alpha1.ResourceQuotaTemplate{
				Hard: map[string]v1alpha1.QuantityTemplate{"count/pods": "1"},
			},
			Access: []v1alpha1.AccessTemplate{{
				Subjects: []v1alpha1.SubjectTemplate{{Name: "user-${string(user.id)}"}},
			}},
		})
	}
	return p
}

// complete delivers that a user completed a course.
func (w *world) complete(i *system.Institution, replica int, course, user v1alpha1.PlatformID) system.Answer {
	w.t.Helper()
	return w.deliver(i, replica, course, user, "2026-03-04")
}

// completeAgain delivers the same with a newer date.
func (w *world) completeAgain(i *system.Institution, replica int, course, user v1alpha1.PlatformID) system.Answer {
	w.t.Helper()
	return w.deliver(i, replica, course, user, "2026-03-05")
}

func (w *world) deliver(
	i *system.Institution, replica int, course, user v1alpha1.PlatformID, day string,
) system.Answer {
	w.t.Helper()
	body, err := system.Variant(map[string]any{
		"institution.id": i.ID, "course.id": course, "enrollment.course_id": course, "enrollment.id": course*1000 + user,
		"user.id": user, "user.name": "Graciliano Ramos", "user.email": "graciliano@example.com",
		"event.send_at": fmt.Sprintf("%s 05:06:%02d", day, course%60),
	})
	NewWithT(w.t).Expect(err).NotTo(HaveOccurred())
	answer, err := system.Deliver(w.t.Context(), i.URLs[replica], body)
	NewWithT(w.t).Expect(err).NotTo(HaveOccurred())
	NewWithT(w.t).Expect(answer.Status).To(Equal(200), answer.String())
	return answer
}

func completionOf(i *system.Institution, course, user v1alpha1.PlatformID) *v1alpha1.CourseCompletion {
	return &v1alpha1.CourseCompletion{ObjectMeta: metav1.ObjectMeta{
		Namespace: i.Namespace, Name: fmt.Sprintf("%d-%d-%d-%d", i.ID, course, course*1000+user, user),
	}}
}

// fill makes one of everything that an upgrade could disturb.
func (w *world) fill() {
	w.t.Helper()
	w.school, w.busy = w.open(9201), w.open(9202)
	w.paused = w.open(9203, func(spec *v1alpha1.InstitutionSpec) { spec.RevocationBudget = new(int32(1)) })
	approval := policy(w.school, "exam", approvalCourse, "exam-${string(user.id)}")
	approval.Spec.Approval = v1alpha1.ApprovalManual
	final := policy(w.school, "final", finalCourse)
	final.Spec.Revoke.Namespaces = []v1alpha1.RevokedNamespace{
		{Name: v1alpha1.Template(fmt.Sprintf("i%d-lab-${string(user.id)}", w.school.ID))},
	}
	for _, i := range []*system.Institution{w.school, w.busy} {
		seats := policy(i, "tutor", seatCourse)
		seats.Spec.Seats = []v1alpha1.SeatTemplate{{Pool: "desks"}}
		w.create(seats, &v1alpha1.SeatPool{
			ObjectMeta: metav1.ObjectMeta{Namespace: i.Namespace, Name: "desks"},
			Spec:       v1alpha1.SeatPoolSpec{Capacity: new(int32(2))},
		}, policy(i, "lab", labCourse, "lab-${string(user.id)}"))
	}
	guest := &v1alpha1.Grant{ObjectMeta: metav1.ObjectMeta{Namespace: w.school.Namespace, Name: "guest"}}
	guest.Spec.Holder = v1alpha1.GrantHolder{InstitutionID: w.school.ID, UserID: 40}
	guest.Spec.Namespaces = []v1alpha1.GrantedNamespace{{Name: "i9201-guest", Access: []v1alpha1.GrantedAccess{
		{Subjects: []v1alpha1.GrantedSubject{{Name: "guest"}}}}}}
	w.create(approval, final, guest, policy(w.paused, "lab", labCourse, "lab-${string(user.id)}"))
	w.awaitPolicies()

	for user := range v1alpha1.PlatformID(4) {
		w.complete(w.school, 0, labCourse, 11+user)
		w.complete(w.paused, 0, labCourse, 31+user)
	}
	for user := range v1alpha1.PlatformID(3) {
		w.complete(w.school, 1, seatCourse, 21+user)
	}
	w.complete(w.school, 1, approvalCourse, 15)
	w.awaitPhases(w.paused, map[v1alpha1.GrantPhase]int{v1alpha1.GrantActive: 4})
	w.awaitPhases(w.school, map[v1alpha1.GrantPhase]int{
		v1alpha1.GrantActive: 7, v1alpha1.GrantWaiting: 1, v1alpha1.GrantAwaitingApproval: 1,
	})
	w.extend(12)
	// The lab of one goes, once the grace days are over; until then its revocation is under way.
	w.complete(w.school, 0, finalCourse, 13)
	w.awaitPhases(w.school, map[v1alpha1.GrantPhase]int{
		v1alpha1.GrantActive: 7, v1alpha1.GrantWaiting: 1, v1alpha1.GrantAwaitingApproval: 1, v1alpha1.GrantEnded: 1,
	})
	w.trip()
}

func (w *world) awaitPolicies() {
	w.t.Helper()
	NewWithT(w.t).Eventually(func(g Gomega) {
		var policies v1alpha1.CompletionPolicyList
		g.Expect(w.admin.List(w.t.Context(), &policies)).To(Succeed())
		for _, p := range policies.Items {
			g.Expect(meta.IsStatusConditionTrue(p.Status.Conditions, v1alpha1.ConditionReady)).To(BeTrue(), p.Name)
		}
	}, patience, often).Should(Succeed())
}

func (w *world) grants(g Gomega, i *system.Institution) []v1alpha1.Grant {
	var list v1alpha1.GrantList
	g.Expect(w.admin.List(w.t.Context(), &list, client.InNamespace(i.Namespace))).To(Succeed())
	return list.Items
}

// awaitPhases waits until an institution has so many Grants of each phase, and no others.
func (w *world) awaitPhases(i *system.Institution, want map[v1alpha1.GrantPhase]int) {
	w.t.Helper()
	NewWithT(w.t).Eventually(func(g Gomega) {
		got := map[v1alpha1.GrantPhase]int{}
		for _, grant := range w.grants(g, i) {
			g.Expect(grant.Status.ObservedGeneration).To(Equal(grant.Generation), grant.Name)
			got[grant.Status.Phase]++
		}
		g.Expect(got).To(Equal(want))
	}, patience, often).Should(Succeed())
}

// extend makes an exception for a user, by hand.
func (w *world) extend(user v1alpha1.PlatformID) {
	w.t.Helper()
	g := NewWithT(w.t)
	for _, grant := range w.grants(g, w.school) {
		if grant.Spec.Holder.UserID != user {
			continue
		}
		changed := grant.DeepCopy()
		changed.Spec.Override = v1alpha1.GrantOverride{
			Until: new(metav1.NewTime(time.Date(2099, 1, 2, 3, 4, 5, 0, time.UTC))), Reason: "prepares the exam",
		}
		g.Expect(w.admin.Patch(w.t.Context(), changed, client.MergeFrom(&grant))).To(Succeed())
	}
}

// trip has the brake of an institution hold what is beyond the budget.
func (w *world) trip() {
	w.t.Helper()
	for user := range v1alpha1.PlatformID(4) {
		NewWithT(w.t).Expect(w.admin.Delete(w.t.Context(), completionOf(w.paused, labCourse, 31+user))).To(Succeed())
	}
	NewWithT(w.t).Eventually(func(g Gomega) {
		brake := w.institution(g, w.paused).Status.Brake
		g.Expect(brake.Trip).NotTo(BeEmpty())
		g.Expect(brake.Held).To(HaveValue(Equal(int32(3))))
	}, patience, often).Should(Succeed())
	w.awaitPhases(w.paused, map[v1alpha1.GrantPhase]int{v1alpha1.GrantActive: 3, v1alpha1.GrantEnded: 1})
}

func (w *world) institution(g Gomega, i *system.Institution) *v1alpha1.Institution {
	found, key := &v1alpha1.Institution{}, client.ObjectKey{Namespace: i.Namespace, Name: "institution"}
	g.Expect(w.admin.Get(w.t.Context(), key, found)).To(Succeed())
	return found
}
