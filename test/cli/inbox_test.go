// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/test/system"
)

// Users from which on the API server refuses completions once refuseSome was called: for good, for now, and no more.
const (
	refusedForGood = 9_000
	refusedForNow  = 9_500
	notRefused     = 10_000
)

// refuseSome has the API server refuse completions of some users in a namespace. What it returns ends that.
func refuseSome(t *testing.T, namespace string) (allow func()) {
	t.Helper()
	g := NewWithT(t)
	named := metav1.ObjectMeta{Name: "refuse-some-" + namespace}
	policy := &admissionv1.ValidatingAdmissionPolicy{ObjectMeta: named, Spec: admissionv1.ValidatingAdmissionPolicySpec{
		MatchConstraints: &admissionv1.MatchResources{ResourceRules: []admissionv1.NamedRuleWithOperations{{
			RuleWithOperations: admissionv1.RuleWithOperations{
				Operations: []admissionv1.OperationType{admissionv1.Create},
				Rule: admissionv1.Rule{
					APIGroups: []string{v1alpha1.GroupName}, APIVersions: []string{"*"}, Resources: []string{"coursecompletions"},
				},
			},
		}}},
		Validations: []admissionv1.Validation{
			{
				Expression: fmt.Sprintf("object.spec.user.id < %d || object.spec.user.id >= %d", refusedForGood, refusedForNow),
				Reason:     new(metav1.StatusReasonInvalid),
			},
			{
				Expression: fmt.Sprintf("object.spec.user.id < %d || object.spec.user.id >= %d", refusedForNow, notRefused),
				Reason:     new(metav1.StatusReasonForbidden),
			},
		},
	}}
	binding := &admissionv1.ValidatingAdmissionPolicyBinding{
		ObjectMeta: named,
		Spec: admissionv1.ValidatingAdmissionPolicyBindingSpec{
			PolicyName: named.Name, ValidationActions: []admissionv1.ValidationAction{admissionv1.Deny},
			MatchResources: &admissionv1.MatchResources{NamespaceSelector: &metav1.LabelSelector{
				MatchLabels: map[string]string{corev1.LabelMetadataName: namespace},
			}},
		},
	}
	for _, object := range []client.Object{policy, binding} {
		g.Expect(admin.Create(t.Context(), object)).To(Succeed())
	}
	allow = func() {
		for _, object := range []client.Object{binding, policy} {
			g.Expect(client.IgnoreNotFound(admin.Delete(context.WithoutCancel(t.Context()), object))).To(Succeed())
		}
	}
	t.Cleanup(allow)
	return allow
}

// kept is a delivery that is in an inbox.
type kept struct {
	user       int64
	deliveryID string
	// record is its name, such as 0/17.
	record string
}

// keep delivers to a replica, for a user from a number on, until the inbox keeps it with an outcome: it takes a moment
// until the API server refuses.
func (s *school) keep(operations *person, replica int, user int64, outcome string) *kept {
	s.t.Helper()
	g := NewWithT(s.t)
	k := &kept{user: user}
	g.Eventually(func(g Gomega) {
		k.user++
		body, err := system.Variant(map[string]any{
			"institution.id": int64(s.ID), "user.id": k.user, "enrollment.id": k.user + 1000,
			"user.email": fmt.Sprintf("user-%d@example.edu", k.user),
		})
		g.Expect(err).NotTo(HaveOccurred())
		answer, err := system.Deliver(s.t.Context(), s.URLs[replica], body)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(answer.Outcome).To(Equal(outcome), answer.String())
		k.deliveryID = answer.DeliveryID
	}, soon, often).Should(Succeed())
	var all struct {
		Items []struct {
			Replica, DeliveryID string
			Record              uint64
		}
	}
	out := operations.does("inbox", "list", "-n", s.Namespace, "--user", fmt.Sprint(k.user), "-o", "json")
	g.Expect(json.Unmarshal([]byte(out), &all)).To(Succeed(), out)
	g.Expect(all.Items).To(HaveLen(1), out)
	listed := all.Items[0]
	g.Expect(listed.Replica).To(Equal(system.ReplicaPod(replica)))
	g.Expect(listed.DeliveryID).To(Equal(k.deliveryID))
	k.record = fmt.Sprintf("%d/%d", replica, listed.Record)
	return k
}

// row matches what is listed of a record.
func (k *kept) row(s *school, state, reason string) string {
	return fmt.Sprintf(`(?m)^%s +%s +\d\S* +\d+ +%s +%s +%d-123456-%d-%d +%s$`, k.record, state, reason, s.Namespace, s.ID,
		k.user+1000, k.user, k.deliveryID)
}

// inboxAdmin is somebody with the role for inboxes.
func (s *school) inboxAdmin() *person {
	s.t.Helper()
	p := newPerson(s.t, s.Namespace, fmt.Sprintf("inbox-admin-%d", nextID.Add(1)))
	p.bind(system.Namespace, "completion-inbox-admin")
	return p
}

func TestInboxesAreShown(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	startKubelet(t)
	school := openSchool(t)
	p := school.inboxAdmin()
	refuseSome(t, school.Namespace)
	first := school.keep(p, 0, refusedForGood, "held")
	second := school.keep(p, 1, refusedForGood+100, "held")
	waiting := school.keep(p, 1, refusedForNow, "queued")
	only := []string{"inbox", "list", "-n", school.Namespace}

	all := p.does(only...)
	g.Expect(all).To(And(
		MatchRegexp(`^RECORD +STATE +AGE +ATTEMPTS +REASON +NAMESPACE +COMPLETION +DELIVERY\n`),
		MatchRegexp(first.row(school, "dead", "api-invalid")), MatchRegexp(second.row(school, "dead", "api-invalid")),
		MatchRegexp(waiting.row(school, "waiting", "api-forbidden")),
		MatchRegexp(`(?s)\n\nREPLICA +WAITING +OLDEST +DEAD LETTERS +IN USE +TROUBLE\n`+
			`completion-webhook-server-0 +0 +- +1 +\d+% of 1024 MiB +-\n`+
			`completion-webhook-server-1 +1 +\d\S* +1 +\d+% of 1024 MiB +-\nall +1 +\d\S* +2 +- +-\n$`)))
	g.Expect(all).NotTo(ContainSubstring("@example.edu"))
	g.Expect(strings.Index(all, second.record)).To(And(
		BeNumerically(">", strings.Index(all, first.record)), BeNumerically("<", strings.Index(all, waiting.record))))

	g.Expect(p.does(append(only, "--state=waiting", "--no-headers")...)).To(And(
		MatchRegexp(waiting.row(school, "waiting", "api-forbidden")), Not(ContainSubstring("\n\n")),
		Not(ContainSubstring("dead"))))
	g.Expect(p.does(append(only, "--reason=api-other,api-invalid", "-o", "wide", "--no-headers")...)).To(And(
		ContainSubstring(first.record), ContainSubstring("completion-webhook-server-1"),
		Not(ContainSubstring(waiting.record+" "))))
	cut := p.course(append(only, "--limit=1", "--no-headers")...)
	g.Expect(cut.err).To(Equal("There are more than the 1 of --limit.\n"))
	g.Expect(strings.Count(cut.out, "\n")).To(Equal(1), cut.String())
	g.Expect(p.does("inbox", "list", "--totals", "-o", "json")).To(And(
		ContainSubstring(`"replica": "completion-webhook-server-1"`), ContainSubstring(`"`+school.Namespace+`": {`)))
	none := p.course(append(only, "--user=1")...)
	g.Expect(none.code).To(BeZero())
	g.Expect(none.err).To(Equal("No such record is in the inboxes.\n"))

	g.Expect(p.does("inbox", "show", first.record)).To(And(
		MatchRegexp(`Record: +%s\nReplica: +completion-webhook-server-0\nState: +dead\n`, first.record),
		ContainSubstring(first.deliveryID), Not(ContainSubstring("example.edu"))))
	g.Expect(p.does("inbox", "show", waiting.deliveryID, first.record, "--show-personal-data", "-o", "json")).To(And(
		ContainSubstring(fmt.Sprintf("user-%d@example.edu", first.user)),
		ContainSubstring(fmt.Sprintf("user-%d@example.edu", waiting.user))))
	gone := p.course("inbox", "show", "0/999999", first.record)
	g.Expect(gone.code).To(Equal(1))
	g.Expect(gone.out).To(ContainSubstring(first.deliveryID))
	g.Expect(gone.err).To(MatchRegexp(`not in the inboxes.*: 0/999999\n$`))

	// The institution's people learn that something waits where they may ask, and otherwise who may.
	viewer := school.with("completion-viewer")
	g.Expect(viewer.does("status")).To(And(ContainSubstring("Nothing needs attention."), ContainSubstring(
		"The inboxes are not included: `kubectl course inbox list` shows them, and requires the ClusterRole "+
			"completion-inbox-admin in namespace completion-system.\n")))
	viewer.bind(system.Namespace, "completion-inbox-admin")
	g.Eventually(func() string { return viewer.does("status") }, soon, often).Should(And(
		MatchRegexp(`  Inboxes: +1 wait since \d{4}\S+Z, 2 dead letters\n`),
		MatchRegexp(`Failure: inbox: DeadLetters\n.*: 2 are dead letters\n`+
			` +\$ kubectl course inbox list -n %s --state dead\n`, school.Namespace), Not(ContainSubstring("The inboxes are"))))
}

func TestInboxesAreForWhoMay(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	startKubelet(t)
	school := openSchool(t)
	allows := And(ContainSubstring("forbidden"),
		ContainSubstring("ClusterRole completion-inbox-admin allows it, bound in namespace completion-system"))
	nobody := newPerson(t, school.Namespace, "nobody")
	for _, args := range [][]string{
		{"list"}, {"show", "0/1"}, {"retry", "--all", "--yes"}, {"drop", "--user", "1", "--yes"}, {"drain"},
	} {
		g.Expect(nobody.fails(append([]string{"inbox"}, args...)...)).To(allows, "%v", args)
	}
	// Who reads logs sees the pods, and runs nothing in them.
	operations := newPerson(t, school.Namespace, "operations-no-exec")
	operations.bind(system.Namespace, "completion-operations")
	g.Expect(operations.fails("inbox", "list")).To(And(allows, ContainSubstring("pods/exec"),
		ContainSubstring("Replicas without a pod, and volumes of replicas that were scaled away, were not checked")))
	// One right less than the role has.
	for of, verb := range map[string]string{"pods": "list", "pods/exec": "create"} {
		less := newPerson(t, school.Namespace, "less-"+verb)
		less.bind(system.Namespace, lessOf(t, "completion-inbox-admin", verb, of))
		g.Expect(less.fails("inbox", "list")).To(And(allows, ContainSubstring(of)))
	}
	// Who may make no WebSocket is answered through SPDY.
	spdy := newPerson(t, school.Namespace, "less-get")
	spdy.bind(system.Namespace, lessOf(t, "completion-inbox-admin", "get", "pods/exec"))
	g.Expect(spdy.does("inbox", "list", "--totals")).To(MatchRegexp(`(?m)^completion-webhook-server-1 +\d+ `))
	less := newPerson(t, school.Namespace, "less-claims")
	less.bind(system.Namespace, lessOf(t, "completion-inbox-admin", "list", "persistentvolumeclaims"))
	listed := less.course("inbox", "list", "-n", school.Namespace)
	g.Expect(listed.code).To(BeZero(), listed.String())
	g.Expect(listed.err).To(ContainSubstring("you may not read the StatefulSet and its claims"))

	p := school.inboxAdmin()
	for want, args := range map[string][]string{
		"select records by name":              {"drop"},
		"use names or a selection":            {"retry", "0/1", "--all"},
		"--state is \"lost\"":                 {"list", "--state=lost"},
		"--limit is -1":                       {"list", "--limit=-1"},
		"record 17 needs its replica":         {"show", "17"},
		"there is no replica 7":               {"drop", "7/17"},
		"\"x\" is not a valid user id":        {"list", "--user=x"},
		"--timeout is 0s":                     {"drain", "--timeout=0s"},
		"use list, show, retry, drop or drai": {"empty"},
	} {
		g.Expect(p.fails(append([]string{"inbox"}, args...)...)).To(ContainSubstring(want), "%v", args)
	}
}

func TestDeadLettersAreRetriedAndDropped(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	startKubelet(t)
	school := openSchool(t)
	p := school.inboxAdmin()
	allow := refuseSome(t, school.Namespace)
	first, second := school.keep(p, 0, refusedForGood, "held"), school.keep(p, 1, refusedForGood+100, "held")
	third, fourth := school.keep(p, 0, refusedForGood+200, "held"), school.keep(p, 1, refusedForGood+300, "held")
	waiting := school.keep(p, 0, refusedForNow, "queued")
	list := func(more ...string) string {
		return p.does(append([]string{"inbox", "list", "-n", school.Namespace, "--no-headers"}, more...)...)
	}

	// Nothing goes before somebody has said so.
	g.Expect(p.fails("inbox", "drop", "-n", school.Namespace)).To(And(
		ContainSubstring("Drop 4 dead letters for good"), ContainSubstring("give --yes")))
	declined := p.talk("inbox", "drop", first.record, waiting.record).answer("n")
	g.Expect(declined.code).To(Equal(1))
	g.Expect(declined.err).To(And(
		MatchRegexp(`(?m)^%s: dead, \S+ old, %s/\S+ \(api-invalid\), delivery %s$`, first.record, school.Namespace,
			first.deliveryID),
		ContainSubstring("Drop 1 dead letter and 1 delivery that waits for good, without storing them?"),
		ContainSubstring("nothing was changed")))
	dry := p.course("inbox", "drop", "-n", school.Namespace, "--state=all", "--dry-run")
	g.Expect(dry.code).To(BeZero())
	g.Expect(dry.err).To(And(ContainSubstring(second.record+": dead"), ContainSubstring(waiting.record+": waiting")))
	g.Expect(strings.Count(list(), "\n")).To(Equal(5))

	g.Expect(p.does("inbox", "drop", first.record, second.deliveryID, "--yes")).To(And(
		ContainSubstring(first.record+" dropped\n"), ContainSubstring(second.record+" dropped\n")))
	again := p.course("inbox", "drop", first.record, second.deliveryID, "--yes")
	g.Expect(again.code).To(BeZero(), again.String())
	g.Expect(again.err).To(And(ContainSubstring(first.record), ContainSubstring(second.deliveryID),
		ContainSubstring("There is nothing to drop.")))

	// What is refused still is a dead letter again, with one attempt more.
	g.Expect(p.does("inbox", "retry", third.record)).To(Equal(third.record + " retried\n"))
	g.Eventually(func() string { return list("--state=dead") }, soon, often).Should(
		MatchRegexp(`(?m)^%s +dead +\S+ +[12] +api-invalid`, third.record))
	waits := p.course("inbox", "retry", waiting.record)
	g.Expect(waits.code).To(BeZero(), waits.String())
	g.Expect(waits.err).To(ContainSubstring(waiting.record + " waits already"))

	allow()
	// It takes a moment until the API server takes them.
	g.Eventually(func(g Gomega) {
		retried := p.course("inbox", "retry", "-n", school.Namespace, "--all", "--yes")
		g.Expect(retried.code).To(BeZero(), retried.String())
		// Whatever waits is tried at once, however long it would have waited. Other tests have something that stays.
		g.Expect(p.course("inbox", "drain", "--timeout=5s").out).To(
			MatchRegexp(`(?m)^completion-webhook-server-1 +\d+ +\d+$`))
		g.Expect(list()).To(BeEmpty())
	}, soon, often).Should(Succeed())
	for user, stored := range map[int64]bool{
		first.user: false, second.user: false, third.user: true, fourth.user: true, waiting.user: true,
	} {
		err := admin.Get(t.Context(), client.ObjectKey{
			Namespace: school.Namespace, Name: fmt.Sprintf("%d-123456-%d-%d", school.ID, user+1000, user),
		}, &v1alpha1.CourseCompletion{})
		g.Expect(err == nil).To(Equal(stored), "user %d: %v", user, err)
	}
}

// It runs by itself, since what a replica is out of reach for it is for everybody.
func TestAReplicaOutOfReachKeepsNoOtherFromIt(t *testing.T) {
	g := NewWithT(t)
	startKubelet(t)
	school := openSchool(t)
	p := school.inboxAdmin()
	allow := refuseSome(t, school.Namespace)
	first, second := school.keep(p, 0, refusedForGood, "held"), school.keep(p, 1, refusedForGood+100, "held")
	school.keep(p, 0, refusedForNow, "queued")
	claim := &corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: system.Namespace, Name: "inbox-completion-webhook-server-7", Labels: map[string]string{
				"app.kubernetes.io/name": "course-completion-operator", "app.kubernetes.io/component": "webhook-server",
			},
		},
		Spec: corev1.PersistentVolumeClaimSpec{
			AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
			Resources: corev1.VolumeResourceRequirements{
				Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")},
			},
		},
	}
	g.Expect(admin.Create(t.Context(), claim)).To(Succeed())
	t.Cleanup(func() { g.Expect(admin.Delete(context.WithoutCancel(t.Context()), claim)).To(Succeed()) })

	node.HangUp.Store(system.ReplicaPod(1), true)
	t.Cleanup(func() {
		node.HangUp.Delete(system.ReplicaPod(1))
		node.Silent.Delete(system.ReplicaPod(1))
	})
	names := And(ContainSubstring("1 of 2 replicas failed:\n  completion-webhook-server-1: "),
		ContainSubstring("kubectl get pod -n completion-system completion-webhook-server-1 -o wide"))
	listed := p.course("inbox", "list", "-n", school.Namespace)
	g.Expect(listed.code).To(Equal(1))
	g.Expect(listed.err).To(And(names, ContainSubstring("claim inbox-completion-webhook-server-7, of a replica that was "+
		"scaled away")))
	g.Expect(listed.out).To(And(MatchRegexp(first.row(school, "dead", "api-invalid")),
		MatchRegexp(`(?m)^completion-webhook-server-1 +\? +\? +\? +\? +not known$`),
		MatchRegexp(`(?m)^all +1 +\S+ +1 +- +without those that are not known$`), Not(ContainSubstring(second.record))))
	status := school.with("completion-viewer")
	status.bind(system.Namespace, "completion-inbox-admin")
	g.Eventually(func() string { return status.does("status") }, soon, often).Should(And(
		MatchRegexp(`  Inboxes: +1 wait since \S+, 1 dead letter\n`),
		ContainSubstring("The inboxes are incomplete: only 1 of 2")))
	dropped := p.course("inbox", "drop", "-n", school.Namespace, "--yes")
	g.Expect(dropped.code).To(Equal(1))
	g.Expect(dropped.out).To(Equal(first.record + " dropped\n"))
	g.Expect(dropped.err).To(names)
	drained := p.course("inbox", "drain", "--timeout=1s")
	g.Expect(drained.code).To(Equal(1))
	g.Expect(drained.out).To(MatchRegexp(`^REPLICA +WAITING +DEAD LETTERS\ncompletion-webhook-server-0 +1 +0\n$`))
	g.Expect(drained.err).To(And(ContainSubstring("2 of 2 replicas failed"),
		ContainSubstring("completion-webhook-server-0: 1 are still waiting after 1s: "),
		ContainSubstring("claim inbox-completion-webhook-server-7")))

	node.Silent.Store(system.ReplicaPod(1), true)
	node.HangUp.Delete(system.ReplicaPod(1))
	g.Expect(p.fails("inbox", "show", second.record, "--timeout=2s")).To(ContainSubstring("it did not answer for 2s"))
	node.Silent.Delete(system.ReplicaPod(1))
	g.Expect(p.does("inbox", "drop", "-n", school.Namespace, "--yes")).To(Equal(second.record + " dropped\n"))
	allow()
	g.Eventually(func(g Gomega) {
		drained := p.course("inbox", "drain", "--timeout=5s")
		g.Expect(drained.code).To(BeZero(), drained.String())
		g.Expect(drained.out).To(MatchRegexp(`\ncompletion-webhook-server-0 +0 +0\ncompletion-webhook-server-1 +0 +0\n$`))
	}, soon, often).Should(Succeed())
}
