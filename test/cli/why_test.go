// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"encoding/json"
	"fmt"
	"testing"

	. "github.com/onsi/gomega"
	. "github.com/onsi/gomega/gstruct"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

const viewer = "completion-viewer"

// grantName is the name of the Grant of a user by a policy with grantPer User.
func (s *school) grantName(policy string, user int64) string {
	return fmt.Sprintf("%s.%d-%d", policy, s.ID, user)
}

// named gives a policy another name, and its namespace with it.
func (s *school) named(name string) func(*v1alpha1.CompletionPolicy) {
	return func(p *v1alpha1.CompletionPolicy) {
		p.Name = name
		p.Spec.Namespaces[0].Name = v1alpha1.Template(s.prefix() + name + "-${user.id}")
	}
}

// matching lets a policy match something else.
func matching(match v1alpha1.PolicyMatch) func(*v1alpha1.CompletionPolicy) {
	return func(p *v1alpha1.CompletionPolicy) { p.Spec.Match = match }
}

func TestWhyUser(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	s := openSchool(t)
	s.apply(s.labPolicy())
	completion := s.deliver(1)
	name := s.grantName("lab", 1)
	s.awaitGrant(name, v1alpha1.GrantActive)

	got := s.with(viewer).does("why", "1")
	t.Log(got)
	g.Expect(got).To(And(
		HavePrefix(fmt.Sprintf("User 1 has access by grant %s until 2047-01-01 00:00:00 -03 (the enrollment of completion "+
			"%s ends with 2046-12-31).\n", name, completion)),
		ContainSubstring("times are in America/Sao_Paulo"),
		MatchRegexp(`2026-10-01 12:00:00 +course 123456 completed: completion `+completion+" is sent\n"),
		MatchRegexp(`\n  [-0-9]+ [:0-9]+ +completion `+completion+` is stored, by delivery [0-9a-z-]+\n`),
		MatchRegexp(`\n  [-0-9]+ [:0-9]+ +NOW\n  2047-01-01 00:00:00 +access by grant `+name+` ends: the enrollment`),
		MatchRegexp(`2047-01-31 00:00:00 +the data of grant `+name+` is deleted, after 30 grace days`),
		MatchRegexp(`Outcome: +Granted: grants in place: 1`),
		MatchRegexp(`\n  lab +Granted +grant `+name+` is Active\n`),
		MatchRegexp(`Ends: +2047-01-01 00:00:00: the enrollment`),
		MatchRegexp(`Because: +`+completion+`, sent 2026-10-01 12:00:00, `+
			`ends 2047-01-01 00:00:00 \(EnrollmentExpired\), which decides`),
		MatchRegexp(`Gives: +namespace `+s.prefix()+`1, completion-learner for 1 subject\n`),
		MatchRegexp(`Namespace `+s.prefix()+`1 +you may not read it\n`),
		MatchRegexp(`RoleBinding `+s.prefix()+`1/\S+ +you may not read it\n`),
		Not(ContainSubstring("example.edu")), Not(ContainSubstring("Student")),
	))

	// Who may look at the objects sees them, and personal data where that is asked for.
	all := administrator(t).does("why", "user/1", "-n", s.Namespace, "--show-personal-data")
	g.Expect(all).To(And(MatchRegexp(`Namespace `+s.prefix()+`1 +there\n`),
		ContainSubstring("completion-learner for User oidc:user-1@example.edu"),
		MatchRegexp(`Email: +user-1@example.edu\n`), MatchRegexp(`Name: +Student\n`)))

	// The same as data.
	var document struct {
		Answer  string `json:"answer"`
		Stories []struct {
			HasAccess bool `json:"hasAccess"`
			Grants    []struct {
				Name    string `json:"name"`
				End     struct{ At, Reason, Completion string }
				Objects []struct{ Kind, State string }
			} `json:"grants"`
		} `json:"stories"`
	}
	data := s.with(viewer).does("why", "1", "-o", "json")
	g.Expect(data).NotTo(Or(ContainSubstring("example.edu"), ContainSubstring("Student")))
	g.Expect(json.Unmarshal([]byte(data), &document)).To(Succeed())
	g.Expect(document.Stories).To(HaveLen(1))
	story := document.Stories[0]
	g.Expect(story.HasAccess).To(BeTrue())
	g.Expect(story.Grants).To(HaveLen(1))
	g.Expect(story.Grants[0].End.At).To(Equal("2047-01-01T00:00:00-03:00"))
	g.Expect(story.Grants[0].End.Reason).To(Equal("EnrollmentExpired"))
	g.Expect(story.Grants[0].Objects).To(ContainElement(MatchFields(IgnoreExtras, Fields{
		"Kind": Equal("Namespace"), "State": Equal("you may not read it")})))
	g.Expect(s.with(viewer).does("why", "1", "-o", "yaml")).To(ContainSubstring("hasAccess: true\n"))
}

// Each policy says why it grants nothing.
func TestWhyNot(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	s := openSchool(t)
	type edit = func(*v1alpha1.CompletionPolicy)
	lab := func(name string, match v1alpha1.PolicyMatch, change ...edit) *v1alpha1.CompletionPolicy {
		changes := append([]edit{s.named(name), matching(match)}, change...)
		return s.labPolicy(changes...)
	}
	course := []v1alpha1.PlatformID{123456}
	s.apply(lab("other", v1alpha1.PolicyMatch{CourseIDs: []v1alpha1.PlatformID{777001, 777002, 777003}}))
	completion := s.deliver(2)

	// The one policy that there is answers in the first line.
	only := s.with(viewer).does("why", "2")
	g.Expect(only).To(HavePrefix(
		"User 2 has no access: policy other requires course 777001, 777002 or 777003; the user completed 123456.\n"))

	s.apply(lab("course-name", v1alpha1.PolicyMatch{CourseIDs: course,
		Expression: `enrollment.status == 1 && course.name == "Advanced" && enrollment.id > 5`}))
	s.apply(lab("domain", v1alpha1.PolicyMatch{
		Expression: `user.email.endsWith("@other.example") && course.id == 123456`}))
	s.apply(lab("both", v1alpha1.PolicyMatch{
		CourseIDs: []v1alpha1.PlatformID{123456, 777004}, Require: v1alpha1.MatchAll}))
	s.apply(lab("suspended", v1alpha1.PolicyMatch{CourseIDs: course}, func(p *v1alpha1.CompletionPolicy) {
		p.Spec.Suspend = new(true)
	}))
	s.apply(lab("over", v1alpha1.PolicyMatch{CourseIDs: course}, func(p *v1alpha1.CompletionPolicy) {
		p.Spec.Lifetime.Until = "2026-10-31"
	}))
	s.apply(lab("fails", v1alpha1.PolicyMatch{CourseIDs: course, Expression: `user.name.split(" ")[9] == "x"`}))
	broken := lab("broken", v1alpha1.PolicyMatch{CourseIDs: course, Expression: "enrollment.statut == 1"})
	g.Expect(admin.Create(t.Context(), broken)).To(Succeed())

	person := s.with(viewer)
	g.Eventually(func(g Gomega) {
		got := person.does("why", "2")
		g.Expect(got).To(And(
			MatchRegexp(`\n  other +NotMatched +requires course 777001, 777002 or 777003; the user completed 123456\n`),
			MatchRegexp(`\n  course-name +NotMatched +requires course\.name == "Advanced", but course\.name is "Course Name", `+
				`in completion `+completion+`\n`),
			MatchRegexp(`\n  domain +NotMatched +requires user\.email\.endsWith\(…\), but user\.email is personal data, see `+
				`--show-personal-data, in completion `+completion+`\n`),
			MatchRegexp(`\n  both +CoursesMissing +requires all of its courses, and 777004 is not completed\n`),
			MatchRegexp(`\n  suspended +Suspended +the policy is suspended\n`),
			MatchRegexp(`\n  over +NotGranted +what it would grant has already ended \(UntilReached\)\n`),
			MatchRegexp(`\n  fails +Failed +requires user\.name\.split\(…\)\[…\] == …, which cannot be evaluated: `+
				`index out of range, in`),
			MatchRegexp(`\n  broken +NotReady +the policy is not Ready: InvalidPolicy: spec\.match\.expression: .*statut`),
			Not(ContainSubstring("example")),
		))
	}, soon, often).Should(Succeed())
	t.Log(person.does("why", "2"))

	shown := person.does("why", "completion/"+completion, "--show-personal-data")
	g.Expect(shown).To(And(
		HavePrefix("By completion "+completion+" user 2 has no access: policy "),
		ContainSubstring(`requires user.email.endsWith("@other.example"), but user.email is "user-2@example.edu"`)))

	// A grant that there is not.
	g.Expect(person.does("why", "grant/"+s.grantName("both", 2))).To(HavePrefix("There is no grant " +
		s.grantName("both", 2) + ": user 2 has no access: policy both requires all of its courses, and 777004 is not " +
		"completed.\n"))
}

// A Grant that waits for a seat has a place in the queue; the seat says who has it.
func TestWhySeat(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	s := openSchool(t)
	pool := &v1alpha1.SeatPool{ObjectMeta: metav1.ObjectMeta{Namespace: s.Namespace, Name: "lab-desks"},
		Spec: v1alpha1.SeatPoolSpec{Capacity: new(int32(1))}}
	g.Expect(admin.Create(t.Context(), pool)).To(Succeed())
	s.apply(s.labPolicy(func(p *v1alpha1.CompletionPolicy) {
		p.Name, p.Spec.Namespaces = "desk", nil
		p.Spec.Seats = []v1alpha1.SeatTemplate{{Pool: "lab-desks"}}
	}))
	s.deliver(1)
	s.awaitGrant(s.grantName("desk", 1), v1alpha1.GrantActive)
	const users = 13
	for user := int64(2); user <= users; user++ {
		s.deliver(user, map[string]any{"event.send_at": fmt.Sprintf("2026-10-02 12:00:%02d", user)})
	}
	for user := int64(2); user <= users; user++ {
		s.awaitGrant(s.grantName("desk", user), v1alpha1.GrantWaiting)
	}
	person := s.with(viewer)
	got := person.does("why", "3")
	t.Log(got)
	g.Expect(got).To(And(
		HavePrefix("User 3 has no access yet: grant "+s.grantName("desk", 3)+
			" waits for a seat of pool lab-desks: place 2 of 12 in the queue; 1 of 1 seats are taken.\n"),
		MatchRegexp(`2047-01-01 00:00:00 +the first known end of access frees a seat of pool lab-desks; grant `+
			s.grantName("desk", 3)+` has place 2 in the queue`)))
	// The status of the pool names ten.
	g.Expect(person.does("why", "13")).To(ContainSubstring("place 12 of 12 in the queue"))

	taken := person.does("why", "seat/lab-desks-0")
	g.Expect(taken).To(And(
		HavePrefix("Seat lab-desks-0 is taken by grant "+s.grantName("desk", 1)+" since "),
		ContainSubstring(". User 1 has access by grant "),
		ContainSubstring("Pool lab-desks: capacity 1, 1 taken, 12 waiting"),
		ContainSubstring("1. "+s.grantName("desk", 2)+"\n"), Not(ContainSubstring("user 2"))))
	g.Expect(person.does("why", "seat/lab-desks-7")).To(HavePrefix("There is no seat lab-desks-7: pool " +
		"lab-desks has the capacity 1, and its seats are numbered from 0.\n"))
	g.Expect(person.does("why", "seat/nowhere-7")).To(HavePrefix("There is no pool nowhere in namespace " + s.Namespace))
	g.Expect(person.fails("why", "seat/nowhere")).To(ContainSubstring("tutors-0"))

	// Who may not look at seats learns what the pool says.
	less := s.with("completion-institution-viewer", "completion-coursecompletion-viewer", "completion-grant-viewer",
		"completion-completionpolicy-viewer", "completion-seatpool-viewer")
	g.Eventually(func(g Gomega) {
		g.Expect(less.does("why", "3")).To(And(ContainSubstring("place 2 of 12 in the queue; 1 of 1 seats are taken"),
			ContainSubstring("Not shown: pool lab-desks: seats.completions.lxp.dev is forbidden")))
		g.Expect(less.does("why", "13")).To(ContainSubstring("not among the first 10 of 12 in the queue"))
	}, soon, often).Should(Succeed())

	g.Expect(admin.Delete(t.Context(), pool)).To(Succeed())
	g.Eventually(func(g Gomega) {
		g.Expect(person.does("why", "3")).To(HavePrefix("User 3 has no access yet: grant " + s.grantName("desk", 3) +
			" waits for a seat of pool lab-desks: there is no pool lab-desks in this namespace"))
	}, soon, often).Should(Succeed())
}

// What the brake holds back is said, and how to release it.
func TestWhyBrake(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	s := openSchool(t, func(spec *v1alpha1.InstitutionSpec) { spec.RevocationBudget = new(int32(0)) })
	s.apply(s.labPolicy())
	completion := s.deliver(1)
	name := s.grantName("lab", 1)
	s.awaitGrant(name, v1alpha1.GrantActive)
	g.Expect(admin.Delete(t.Context(), &v1alpha1.CourseCompletion{ObjectMeta: metav1.ObjectMeta{
		Namespace: s.Namespace, Name: completion}})).To(Succeed())
	person := s.with(viewer)
	g.Eventually(func(g Gomega) {
		g.Expect(person.does("why", "grant/"+name)).To(And(
			HavePrefix("User 1 has access by grant "+name+" still: the brake of the institution pauses its end, due at "),
			MatchRegexp(`2026-10-01 12:00:00 +completion `+completion+`, which is no longer stored, is sent\n`),
			MatchRegexp(`Ready: +RevocationPaused: `), MatchRegexp(`Brake: +pauses the end of access, `),
			MatchRegexp(`Ends: +[-0-9]+ [:0-9]+: completion `+completion+` was deleted\n`),
			MatchRegexp(`open +grant `+name+` waits until a person releases the brake: kubectl course release `+
				`institution -n `+s.Namespace+`\n`),
		))
	}, soon, often).Should(Succeed())
	t.Log(person.does("why", "grant/"+name))
	g.Expect(person.does("why", "completion/"+completion)).To(HavePrefix(
		"Completion " + completion + " is not stored: it was deleted at "))
}

// What has ended says when and why, and when the data goes.
func TestWhyEnded(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	s := openSchool(t)
	s.apply(s.labPolicy())
	s.apply(s.labPolicy(s.named("manual"), func(p *v1alpha1.CompletionPolicy) {
		p.Spec.Approval = v1alpha1.ApprovalManual
	}))
	completion := s.deliver(1)
	name, manual := s.grantName("lab", 1), s.grantName("manual", 1)
	s.awaitGrant(name, v1alpha1.GrantActive)
	s.awaitGrant(manual, v1alpha1.GrantAwaitingApproval)
	person := s.with(viewer)
	g.Expect(person.does("why", "1")).To(And(
		ContainSubstring("; grant "+manual+" awaits approval by a person.\n"),
		MatchRegexp(`open +grant `+manual+` waits until a person approves it: `+
			`kubectl course approve `+manual+` -n \S+ --reason REASON\n`)))
	g.Expect(person.does("why", "grant/"+manual)).To(HavePrefix(
		"User 1 has no access: grant " + manual + " awaits approval by a person.\n"))

	s.deliver(1, map[string]any{"event.send_at": "2026-10-05 12:00:00", "enrollment.status": 0})
	s.awaitGrant(name, v1alpha1.GrantEnded)
	got := person.does("why", "grant/"+name)
	t.Log(got)
	g.Expect(got).To(And(
		HavePrefix("User 1 has no access: grant "+name+" ended at 2026-10-05 12:00:00 -03: a delivery says that the "+
			"enrollment of completion "+completion+" is inactive.\n"),
		MatchRegexp(`2026-10-01 12:00:00 +course 123456 completed`),
		MatchRegexp(`2026-10-05 12:00:00 +completion `+completion+` is sent again: delivery [0-9a-z-]+ is stored`),
		MatchRegexp(`access by grant `+name+` is removed\n`),
		MatchRegexp(`the data of grant `+name+` is deleted, after 30 grace days\n`),
		Not(ContainSubstring("manual"))))

	// A person's word goes first.
	grant := &v1alpha1.Grant{}
	g.Expect(admin.Get(t.Context(), client.ObjectKey{Namespace: s.Namespace, Name: name}, grant)).To(Succeed())
	before := grant.DeepCopy()
	until := metav1.Date(2040, 6, 30, 3, 0, 0, 0, metav1.Now().UTC().Location())
	grant.Spec.Override = v1alpha1.GrantOverride{Until: &until, Reason: "thesis"}
	g.Expect(admin.Patch(t.Context(), grant, client.MergeFrom(before))).To(Succeed())
	s.awaitGrant(name, v1alpha1.GrantActive)
	g.Expect(person.does("why", "grant/"+name)).To(HavePrefix("User 1 has access by grant " + name +
		" until 2040-06-30 00:00:00 -03 (a person set it: thesis).\n"))
	before = grant.DeepCopy()
	grant.Spec.Override = v1alpha1.GrantOverride{Revoked: new(true), Reason: "left"}
	g.Expect(admin.Patch(t.Context(), grant, client.MergeFrom(before))).To(Succeed())
	s.awaitGrant(name, v1alpha1.GrantRevoked)
	g.Expect(person.does("why", "grant", name)).To(HavePrefix("User 1 has no access: a person revoked grant " + name +
		": left.\n"))
}

// A Grant that a person made, and the namespace that it gives.
func TestWhyByHand(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	s := openSchool(t)
	namespace := s.prefix() + "guest"
	byHand := &v1alpha1.Grant{ObjectMeta: metav1.ObjectMeta{Namespace: s.Namespace, Name: "guest"},
		Spec: v1alpha1.GrantSpec{Holder: v1alpha1.GrantHolder{InstitutionID: s.ID, UserID: 7},
			Namespaces: []v1alpha1.GrantedNamespace{{Name: namespace, Access: []v1alpha1.GrantedAccess{
				{Subjects: []v1alpha1.GrantedSubject{{Name: "oidc:ana@example.edu"}}}}}}}}
	g.Expect(admin.Create(t.Context(), byHand)).To(Succeed())
	s.awaitGrant("guest", v1alpha1.GrantActive)
	person := s.with(viewer)
	const access = "User 7 has access by grant guest, which does not end by itself.\n"
	got := person.does("why", "grant/guest")
	t.Log(got)
	g.Expect(got).To(And(HavePrefix(access), ContainSubstring("Grant guest, made by hand:"),
		ContainSubstring("grant guest is created by hand\n"),
		ContainSubstring("nothing more happens by itself"), Not(ContainSubstring("ana@"))))
	g.Expect(person.does("why", "namespace/"+namespace)).To(HavePrefix(
		"Namespace " + namespace + " (you may not read it) is named by grant guest. " + access))
	g.Expect(administrator(t).does("why", "ns/"+namespace, "-n", s.Namespace)).To(HavePrefix(
		"Namespace " + namespace + " (there) is named by grant guest. " + access))

	// Nothing is planned for an institution whose namespace no longer allows it.
	s.deliver(8)
	home := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: s.Namespace}}
	g.Expect(admin.Patch(t.Context(), home, client.RawPatch("application/merge-patch+json",
		[]byte(`{"metadata":{"annotations":{"`+v1alpha1.AnnotationInstitutionID+`":null}}}`)))).To(Succeed())
	g.Eventually(func() string { return person.does("why", "8") }, soon, often).Should(
		HavePrefix("User 8 has no access: the institution is not allowed: NotAllowed: "))

	// What is somebody else's is told by its annotation, to who may see that.
	other := openSchool(t)
	g.Expect(administrator(t).does("why", "ns/"+namespace, "-n", other.Namespace)).To(HavePrefix(
		"Namespace " + namespace + " (there) is named by no grant of namespace " + other.Namespace +
			": it says that it was granted by " + s.Namespace + "/guest (namespace/grant).\n"))
	g.Expect(person.does("why", "namespace/nothing-like-this")).To(HavePrefix(
		"Namespace nothing-like-this (you may not read it) is named by no grant of namespace " + s.Namespace))
}

// What is not there is told as such, and who lacks a right which role has it.
func TestWhyNothing(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	s := openSchool(t)
	person := s.with(viewer)
	g.Expect(person.does("why", "404")).To(And(
		HavePrefix("User 404 has no access: no completion is stored: none was delivered, it waits in an inbox (kubectl "+
			"course inbox list), or it was deleted since.\n"),
		ContainSubstring("Completions: none is stored\n"), ContainSubstring("Policies: none\n")))
	g.Expect(person.does("why", fmt.Sprintf("completion/%d-1-2-3", s.ID))).To(HavePrefix(fmt.Sprintf(
		"Completion %d-1-2-3 is not stored: it was never delivered, waits in an inbox (kubectl course inbox list), or was "+
			"deleted before it granted anything. User 3 has no access: ", s.ID)))
	g.Expect(person.does("why", "grant/"+s.grantName("lab", 4))).To(HavePrefix(
		"There is no grant " + s.grantName("lab", 4) + ", and no policy lab.\n"))
	g.Expect(person.fails("why", "grant/handmade")).To(And(
		ContainSubstring(`grants.completions.lxp.dev "handmade" not found`),
		ContainSubstring("kubectl get grants -n "+s.Namespace)))
	g.Expect(person.fails("why", "completion/x")).To(ContainSubstring("not found"))
	g.Expect(person.fails("why", "ana@example.edu")).To(ContainSubstring("neither the number of a user nor one of"))
	g.Expect(person.fails("why", "pod/x")).To(ContainSubstring("ask for user, completion, grant, namespace or seat"))
	g.Expect(person.fails("why")).To(ContainSubstring("an argument is missing: use `kubectl course why"))
	g.Expect(person.fails("why", "1", "--institution", "nobody")).To(ContainSubstring("has no Institution nobody"))
	g.Expect(administrator(t).fails("why", "1", "-n", "default")).To(
		ContainSubstring("namespace default has no Institution"))

	for _, roles := range [][]string{nil, {"completion-policy-author"}} {
		g.Expect(s.with(roles...).fails("why", "1")).To(And(ContainSubstring("is forbidden"),
			ContainSubstring("The ClusterRole completion-viewer allows it")))
	}
}
