// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// marked is a user whose personal values are unlike any other text.
type marked struct {
	*school
	id      int64
	markers []string
	// grant and namespace are what the lab policy gives.
	grant, namespace string
}

func (s *school) marked(id int64) *marked {
	m := &marked{
		school: s, id: id, grant: fmt.Sprintf("lab.%d-%d", s.ID, id), namespace: fmt.Sprintf("%s%d", s.prefix(), id),
	}
	for range 4 {
		m.markers = append(m.markers, "m"+strings.ToLower(rand.Text()))
	}
	return m
}

// complete delivers a completion of the user, with other values where there are any, and returns what came of it.
func (m *marked) complete(values ...map[string]any) (outcome string) {
	m.t.Helper()
	personal := map[string]any{
		"user.name": m.markers[0], "user.email": m.markers[1] + "@example.edu", "user.nickname": m.markers[2],
		"user.uuid": m.markers[3],
	}
	return m.answer(m.id, append([]map[string]any{personal}, values...)...).Outcome
}

// awaitErased waits until the webhook server knows that the user was erased, and has what it stored before that erased.
func (m *marked) awaitErased(values ...map[string]any) {
	m.t.Helper()
	stored := false
	NewWithT(m.t).Eventually(func() string {
		outcome := m.complete(values...)
		stored = stored || outcome != "erased"
		return outcome
	}, soon, often).Should(Equal("erased"))
	if stored {
		administrator(m.t).does("erase", "-n", m.Namespace, "--user", fmt.Sprint(m.id), "--yes")
	}
}

// anew are the values of another completion, which is sent later than all that was before now.
func anew(enrollment int64) map[string]any {
	return map[string]any{
		"enrollment.id": enrollment, "event.send_at": time.Now().UTC().Add(time.Hour).Format(time.DateTime),
	}
}

// awaitLab waits until the user has everything.
func (m *marked) awaitLab() {
	m.t.Helper()
	m.complete()
	m.awaitGrant(m.grant, v1alpha1.GrantActive)
}

// expectNothing fails where anything is stored about the user.
func (m *marked) expectNothing() {
	m.t.Helper()
	g := NewWithT(m.t)
	g.Expect(m.stored(g)).NotTo(ContainElement(HaveField("Spec.User.ID", v1alpha1.PlatformID(m.id))))
	for _, object := range []client.Object{
		&v1alpha1.Grant{}, &corev1.Namespace{},
	} {
		key := client.ObjectKey{Name: m.namespace}
		if _, ok := object.(*v1alpha1.Grant); ok {
			key = client.ObjectKey{Namespace: m.Namespace, Name: m.grant}
		}
		err := admin.Get(m.t.Context(), key, object)
		g.Expect(apierrors.IsNotFound(err)).To(BeTrue(), "%T is there: %v", object, err)
	}
}

func TestExport(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	school := openSchool(t)
	school.apply(school.labPolicy())
	user := school.marked(7)
	user.awaitLab()
	school.deliver(8)

	viewer := school.with("completion-viewer")
	said := viewer.does("export", "--user", "7")
	var document struct {
		User   int64
		Stored struct {
			Completions       []v1alpha1.CourseCompletion
			Grants            []v1alpha1.Grant
			GrantedNamespaces []string
		}
		LookedAt    []string
		NotLookedAt []map[string]string
	}
	g.Expect(json.Unmarshal([]byte(said), &document)).To(Succeed())
	g.Expect(document.User).To(Equal(int64(7)))
	g.Expect(document.Stored.Completions).To(HaveLen(1))
	g.Expect(document.Stored.Completions[0].Spec.User.Name).To(Equal(user.markers[0]))
	g.Expect(document.Stored.Grants).To(ConsistOf(HaveField("Name", user.grant)))
	g.Expect(document.Stored.GrantedNamespaces).To(Equal([]string{user.namespace}))
	g.Expect(document.LookedAt).To(ConsistOf(ContainSubstring("namespace " + school.Namespace)))
	g.Expect(fmt.Sprint(document.NotLookedAt)).To(And(
		ContainSubstring("inboxes"), ContainSubstring("backups"), ContainSubstring("logs")))
	for _, marker := range user.markers {
		g.Expect(said).To(ContainSubstring(marker))
	}
	g.Expect(said).NotTo(Or(ContainSubstring("user-8@example.edu"), ContainSubstring("managedFields")))

	nothing := viewer.course("export", "--user", "9")
	g.Expect(nothing.code).To(Equal(0))
	g.Expect(nothing.err).To(ContainSubstring("Nothing is stored about user 9"))
	g.Expect(viewer.fails("export")).To(ContainSubstring("--user is required"))
	g.Expect(viewer.fails("export", "--user", "7", "-A")).To(ContainSubstring("completion-viewer"))
	// One right less.
	g.Expect(school.with("completion-coursecompletion-viewer").fails("export", "--user", "7")).To(And(
		ContainSubstring("grants"), ContainSubstring("The ClusterRole completion-viewer allows it")))
}

func TestErase(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	school := openSchool(t)
	school.apply(school.labPolicy())
	user, other := school.marked(7), school.marked(8)
	user.awaitLab()
	other.awaitLab()
	inEtcd(t, user.markers, true)

	// Whoever runs the institution may end and delete, and not delete namespaces: nothing is begun.
	runs := school.with("completion-institution-admin")
	g.Expect(runs.fails("erase", "--user", "7", "--yes")).To(And(
		ContainSubstring("you are not allowed to get Namespace "+user.namespace), ContainSubstring("--keep-grace")))
	g.Expect(school.with("completion-viewer").fails("erase", "--user", "7", "--yes")).To(
		ContainSubstring("you are not allowed to patch grants in namespace %s: the ClusterRole completion-institution-admin",
			school.Namespace))

	all := administrator(t)
	args := []string{"erase", "-n", school.Namespace, "--user", "7"}
	shown := all.does(append(args, "--dry-run")...)
	g.Expect(shown).To(And(ContainSubstring("Grant "+user.grant+" of policy lab, Active"),
		ContainSubstring("namespace "+user.namespace+" with all that is in it"),
		ContainSubstring("completion %d-", school.ID)))
	g.Expect(all.fails(args...)).To(Or(ContainSubstring("give --yes"), ContainSubstring("nothing was changed")))
	school.awaitGrant(user.grant, v1alpha1.GrantActive)

	said := all.course(append(args, "--yes", "--reason", "request 4711")...)
	g.Expect(said.code).To(Equal(0), said.String())
	g.Expect(said.out).To(And(ContainSubstring("Erased: completions: 1, Grants: 1, namespaces: 1, other objects: 0"),
		ContainSubstring("Not reached from here:"), ContainSubstring("A delivery that repeats")))
	user.awaitErased()
	for _, marker := range user.markers {
		g.Expect(said.out + said.err + shown).NotTo(ContainSubstring(marker))
	}
	user.expectNothing()
	school.awaitGrant(other.grant, v1alpha1.GrantActive)
	g.Expect(admin.Get(t.Context(), client.ObjectKey{Name: other.namespace}, &corev1.Namespace{})).To(Succeed())

	var events eventsv1.EventList
	g.Expect(admin.List(t.Context(), &events, client.InNamespace(school.Namespace))).To(Succeed())
	g.Expect(events.Items).To(ContainElement(And(HaveField("Reason", "PersonErased"),
		HaveField("Regarding.Kind", "Institution"),
		HaveField("Note", "erased one person (request 4711): 1 completions, 1 grants, 1 namespaces, 0 other objects"))))

	g.Expect(all.does(append(args, "--yes")...)).To(And(HavePrefix("Nothing is stored about user 7 in institution"),
		MatchRegexp(`nothing that the platform sent until 20\d\d-\S+Z is stored`)))

	// What the platform repeats does not come back, with a new date neither; what it sent before that was on its way too.
	before := map[string]any{"enrollment.id": int64(2), "event.send_at": "2026-09-01 12:00:00"}
	for _, values := range []map[string]any{{}, {"event.send_at": anew(0)["event.send_at"]}, before} {
		g.Expect(user.complete(values)).To(Equal("erased"), "%v", values)
	}
	user.expectNothing()
	inEtcd(t, user.markers, false)
	inEtcd(t, other.markers, true)
	inFiles(t, user.markers)
}

// The register keeps out what was erased, and nobody and nothing else.
func TestErasedAndBack(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	school, elsewhere := openSchool(t), openSchool(t)
	school.apply(school.labPolicy())
	user := school.marked(7)
	user.awaitLab()
	all := administrator(t)
	args := []string{"erase", "-n", school.Namespace, "--user", "7"}
	all.does(append(args, "--yes")...)
	user.awaitErased()
	g.Expect(elsewhere.answer(7).Outcome).To(taken, "another institution")
	g.Expect(school.answer(8).Outcome).To(taken, "another user")

	// Who may, is told; and no id stands in the register.
	runs := school.with("completion-institution-admin")
	g.Expect(runs.does("why", "7")).To(ContainSubstring("the data of the user is erased"))
	exported := runs.does("export", "--user", "7")
	g.Expect(exported).To(And(ContainSubstring(`"erasedAt": "20`), ContainSubstring("ErasureRegisters in namespace")))
	viewer := school.with("completion-viewer")
	g.Expect(viewer.does("export", "--user", "7")).To(And(
		ContainSubstring("the registers of erasures"), Not(ContainSubstring("erasedAt"))))
	g.Expect(viewer.does("why", "7")).NotTo(ContainSubstring("erased"))
	var register v1alpha1.ErasureRegister
	key := client.ObjectKey{Namespace: school.Namespace, Name: v1alpha1.ErasureRegisterName}
	g.Expect(admin.Get(t.Context(), key, &register)).To(Succeed())
	g.Expect(register.Spec.People).To(ConsistOf(HaveField("Enrollments", HaveLen(1))))

	// An export of the platform has them all.
	file, url := school.write(importHeader + strings.Replace(importRow(7), "7,Ana Souza", "7,"+user.markers[0], 1) +
		importRow(9))
	g.Expect(all.does("import", "-f", file, "--url-file", url, "--yes")).To(And(
		MatchRegexp("^2 rows: 1 taken, 0 refused\n         1  (created|queued)\n         1  erased\n"),
		ContainSubstring("1 rows are about people who were erased")))

	// Who completes something new is back, and is erased as anybody.
	g.Expect(user.complete(anew(3))).To(taken)
	school.awaitGrant(user.grant, v1alpha1.GrantActive)
	g.Expect(all.does(append(args, "--yes")...)).To(ContainSubstring("Erased: completions: 1, Grants: 1,"))
	user.awaitErased(anew(3))

	// By mistake, or since the person asks for it.
	g.Expect(school.withLess("completion-institution-admin", "update", "erasureregisters").
		fails(append(args, "--allow-again", "--yes")...)).To(ContainSubstring("cannot update resource \"erasureregisters\""))
	g.Expect(all.does(append(args, "--allow-again", "--dry-run")...)).To(ContainSubstring("contains user 7 of"))
	g.Expect(user.complete()).To(Equal("erased"))
	g.Expect(runs.does(append(args, "--allow-again", "--yes")...)).To(ContainSubstring("Removed."))
	g.Eventually(func() string { return user.complete() }, soon, often).Should(taken)
	school.awaitGrant(user.grant, v1alpha1.GrantActive)
	g.Expect(runs.does(append(args, "--allow-again", "--yes")...)).To(ContainSubstring("does not contain user 7"))

	g.Expect(all.fails("erase", "-n", school.Namespace, "--restored", "--user", "7")).To(ContainSubstring("omit --user"))
	g.Expect(all.fails("erase", "-n", school.Namespace, "--allow-again", "--before", "soon")).To(
		ContainSubstring("--before must be a day"))
}

// Of whom nothing is stored, something may be on its way all the same.
func TestEraseBeforeAnythingComes(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	school := openSchool(t)
	user := school.marked(7)
	g.Expect(school.withLess("completion-institution-admin", "create", "erasureregisters").
		fails("erase", "--user", "7", "--yes")).To(And(ContainSubstring("you are not allowed to create erasureregisters"),
		ContainSubstring("completion-institution-admin")))
	runs := school.with("completion-institution-admin")
	g.Expect(runs.does("erase", "--user", "7", "--dry-run")).To(HavePrefix("Nothing is stored about user 7"))
	g.Expect(user.complete()).To(taken)
	g.Eventually(func(g Gomega) { g.Expect(school.count(g)).To(Equal(1)) }, soon, often).Should(Succeed())
	g.Expect(admin.DeleteAllOf(t.Context(), &v1alpha1.CourseCompletion{},
		client.InNamespace(school.Namespace))).To(Succeed())
	g.Expect(runs.course("erase", "--user", "7", "--yes").out).To(And(HavePrefix("Nothing is stored about user 7"),
		ContainSubstring("Recorded: nothing that was sent about user 7 until now will be stored.")))
	user.awaitErased()
	g.Expect(runs.does("erase", "--allow-again", "--before", "2026-01-01", "--yes")).To(
		ContainSubstring("does not contain"))
	tomorrow := time.Now().UTC().AddDate(0, 0, 1).Format(time.DateOnly)
	g.Expect(runs.does("erase", "--allow-again", "--before", tomorrow, "--yes")).To(ContainSubstring("Removed."))
}

// What a backup brings back is found by the register, also where only the Grant came.
func TestEraseWhatABackupBroughtBack(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	school := openSchool(t)
	school.apply(school.labPolicy())
	user, returned, granted, other := school.marked(7), school.marked(8), school.marked(9), school.marked(10)
	var backup []client.Object
	for _, m := range []*marked{user, returned, granted, other} {
		m.awaitLab()
	}
	all := administrator(t)
	erase := []string{"erase", "-n", school.Namespace}
	g.Expect(all.fails(append(erase, "--restored", "--yes")...)).To(ContainSubstring("has no erasure register"))
	for _, completion := range school.stored(g) {
		switch completion.Spec.User.ID {
		case 7, 8:
			backup = append(backup, &v1alpha1.CourseCompletion{
				ObjectMeta: metav1.ObjectMeta{Namespace: completion.Namespace, Name: completion.Name, Labels: completion.Labels},
				Spec:       completion.Spec,
			})
		}
	}
	var grant v1alpha1.Grant
	key := client.ObjectKey{Namespace: school.Namespace, Name: granted.grant}
	g.Expect(admin.Get(t.Context(), key, &grant)).To(Succeed())
	backup = append(backup, &v1alpha1.Grant{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: grant.Namespace, Name: grant.Name, Labels: grant.Labels, Finalizers: grant.Finalizers,
		},
		Spec: grant.Spec,
	})
	for _, m := range []*marked{user, returned, granted} {
		all.does(append(erase, "--user", fmt.Sprint(m.id), "--yes")...)
	}
	g.Expect(all.does(append(erase, "--restored", "--yes")...)).To(MatchRegexp(`^Institution \d+ stores nobody`))
	for _, object := range backup {
		g.Expect(admin.Create(t.Context(), object)).To(Succeed())
	}
	g.Expect(returned.complete(anew(5))).To(taken)
	school.awaitGrant(user.grant, v1alpha1.GrantActive)

	shown := all.does(append(erase, "--restored", "--dry-run")...)
	g.Expect(shown).To(And(
		ContainSubstring("User 8 was erased, and is stored again with both erased and newer data"),
		ContainSubstring("User 7 has in institution"), ContainSubstring("User 9 has in institution"),
		Not(ContainSubstring("User 10"))))
	said := all.course(append(erase, "--restored", "--yes")...)
	g.Expect(said.code).To(Equal(0), said.String())
	user.expectNothing()
	granted.expectNothing()
	g.Expect(school.stored(g)).To(ContainElement(HaveField("Spec.User.ID", v1alpha1.PlatformID(8))))
	school.awaitGrant(other.grant, v1alpha1.GrantActive)
}

// With grace days the operator deletes the data, and whoever runs the institution needs no right to do it.
func TestEraseKeepsTheGraceDays(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	school := openSchool(t)
	school.apply(school.labPolicy())
	school.apply(school.labPolicy(func(policy *v1alpha1.CompletionPolicy) {
		policy.Name = "brief"
		policy.Spec.Namespaces[0].Name = v1alpha1.Template(school.prefix() + "brief-${user.id}")
		policy.Spec.Lifetime.GraceDays = new(int32(0))
	}))
	user := school.marked(7)
	user.awaitLab()
	brief := fmt.Sprintf("brief.%d-7", school.ID)
	school.awaitGrant(brief, v1alpha1.GrantActive)

	runs := school.with("completion-institution-admin")
	said := runs.course("erase", "--user", "7", "--keep-grace", "--yes")
	g.Expect(said.code).To(Equal(0), said.String())
	g.Expect(said.out).To(MatchRegexp(`Grant %s keeps its data until \d{4}-\d\d-\d\dT`, user.grant))
	g.Expect(said.err).NotTo(ContainSubstring("keep this output"), "the role writes the event")
	g.Expect(school.stored(g)).To(BeEmpty())
	lab := school.awaitGrant(user.grant, v1alpha1.GrantRevoked)
	g.Expect(lab.Status.AccessEndedAt).NotTo(BeNil())
	g.Expect(admin.Get(t.Context(), client.ObjectKey{Name: user.namespace}, &corev1.Namespace{})).To(Succeed())

	var events eventsv1.EventList
	g.Expect(admin.List(t.Context(), &events, client.InNamespace(school.Namespace))).To(Succeed())
	g.Expect(events.Items).To(ContainElement(HaveField("Reason", "PersonErased")))
	silent := school.withLess("completion-institution-admin", "create", "events")
	g.Expect(silent.course("erase", "--user", "7", "--keep-grace", "--yes").err).To(ContainSubstring("keep this output"))

	// Where there are none, all of it goes in time.
	g.Eventually(func(g Gomega) {
		g.Expect(runs.course("erase", "--user", "7", "--keep-grace", "--yes").code).To(Equal(0))
		err := admin.Get(t.Context(), client.ObjectKey{Namespace: school.Namespace, Name: brief}, &v1alpha1.Grant{})
		g.Expect(apierrors.IsNotFound(err)).To(BeTrue())
	}, soon, often).Should(Succeed())
	// And what is left goes when somebody may and says so.
	administrator(t).does("erase", "-n", school.Namespace, "--user", "7", "--yes")
	user.expectNothing()
}

// Wherever it is interrupted, it can be run again.
func TestEraseInterrupted(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	school := openSchool(t)
	school.apply(school.labPolicy())
	all := administrator(t)
	for id, when := range map[int64]func(g Gomega, m *marked){
		11: func(g Gomega, m *marked) {
			var grant v1alpha1.Grant
			g.Expect(admin.Get(t.Context(), client.ObjectKey{Namespace: m.Namespace, Name: m.grant}, &grant)).To(Succeed())
			g.Expect(grant.Spec.Override.Revoked).NotTo(BeNil())
		},
		12: func(g Gomega, m *marked) {
			g.Expect(m.stored(g)).NotTo(ContainElement(HaveField("Spec.User.ID", v1alpha1.PlatformID(m.id))))
		},
		13: func(g Gomega, m *marked) {
			var namespace corev1.Namespace
			err := admin.Get(t.Context(), client.ObjectKey{Name: m.namespace}, &namespace)
			g.Expect(err != nil || !namespace.DeletionTimestamp.IsZero()).To(BeTrue())
		},
	} {
		user := school.marked(id)
		user.awaitLab()
		args := []string{"erase", "-n", school.Namespace, "--user", fmt.Sprint(id), "--yes"}
		cmd := all.command(args...)
		g.Expect(cmd.Start()).To(Succeed())
		g.Eventually(func(g Gomega) { when(g, user) }, soon, "10ms").Should(Succeed())
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		// The erasure is noted before anything is changed.
		user.awaitErased()
		all.does(args...)
		user.expectNothing()
	}
}
