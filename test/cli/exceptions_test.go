// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

const institutionAdmin = "completion-institution-admin"

// manual lets a policy ask for approval.
func manual(policy *v1alpha1.CompletionPolicy) { policy.Spec.Approval = v1alpha1.ApprovalManual }

// grantOf is the name of the Grant of a user by labPolicy.
func (s *school) grantOf(user int64) string { return fmt.Sprintf("lab.%d-%d", s.ID, user) }

// override returns the override of a Grant.
func (s *school) override(name string) v1alpha1.GrantOverride {
	s.t.Helper()
	var grant v1alpha1.Grant
	NewWithT(
		s.t,
	).Expect(
		admin.Get(s.t.Context(), client.ObjectKey{Namespace: s.Namespace, Name: name}, &grant),
	).To(
		Succeed(),
	)
	return grant.Spec.Override
}

// openGranted opens a school in which user 1 has a Grant, and returns its name.
func openGranted(t *testing.T) (*school, string) {
	t.Helper()
	s := openSchool(t)
	s.apply(s.labPolicy())
	s.deliver(1)
	name := s.grantOf(1)
	s.awaitGrant(name, v1alpha1.GrantActive)
	return s, name
}

func TestApproveRevokeExtendRestore(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	s := openSchool(t)
	s.apply(s.labPolicy(manual))
	s.deliver(1)
	name := s.grantOf(1)
	s.awaitGrant(name, v1alpha1.GrantAwaitingApproval)
	staff := s.with(institutionAdmin)

	// Nothing is written by a dry run.
	got := staff.course("approve", name, "--reason", "checked", "--dry-run")
	g.Expect(got.code).To(BeZero(), got.String())
	g.Expect(got.out).To(Equal("grant.completions.lxp.dev/" + name + " approved (dry run)\n"))
	g.Expect(
		staff.does("approve", name, "--reason", "checked", "--dry-run=server"),
	).To(
		ContainSubstring("(server dry run)"),
	)
	g.Expect(s.override(name)).To(BeZero())

	got = staff.course("approve", "grant/"+name, "--reason", "checked")
	g.Expect(got.out).To(Equal("grant.completions.lxp.dev/" + name + " approved\n"))
	g.Expect(got.err).To(Equal(name + ": takes effect: user 1 gets what policy lab grants, until 2046-12-31 24:00 -03\n"))
	g.Expect(s.override(name)).To(Equal(v1alpha1.GrantOverride{Approved: new(true), Reason: "checked"}))
	s.awaitGrant(name, v1alpha1.GrantActive)
	// Once more, as after an interruption: nothing to do.
	got = staff.course("approve", name, "--reason", "again")
	g.Expect(got.code).To(BeZero(), got.String())
	g.Expect(got.err).To(Equal(name + ": is already approved\n"))
	g.Expect(s.override(name).Reason).To(Equal("checked"))

	// A day is over when it is over there, three hours after it is in UTC.
	got = staff.course("extend", name, "--until", "2048-06-30", "--reason", "thesis", "-o", "json")
	g.Expect(got.err).To(And(ContainSubstring("ends 2048-06-30 24:00 -03 instead of 2046-12-31 24:00 -03"),
		ContainSubstring("replaces the approval (checked)")))
	g.Expect(got.out).To(And(ContainSubstring(`"until": "2048-07-01T03:00:00Z"`), ContainSubstring("hidden")))
	g.Expect(got.out + got.err).NotTo(ContainSubstring("user-1@example.edu"))
	g.Expect(staff.does("extend", name, "--until", "2048-07-01", "--reason", "thesis", "-o", "yaml",
		"--show-personal-data")).To(ContainSubstring("user-1@example.edu"))
	g.Expect(staff.fails("extend", name, "--until", "30d", "--reason", "pilot")).To(ContainSubstring("--shorten"))
	g.Expect(staff.does("extend", name, "--until", "30d", "--shorten", "--reason", "pilot", "-o", "name")).
		To(Equal("grant.completions.lxp.dev/" + name + "\n"))
	g.Expect(s.override(name).Until.Time).To(BeTemporally("~", time.Now().AddDate(0, 0, 30), time.Hour))

	got = staff.course("revoke", name, "--reason", "left")
	g.Expect(got.err).To(MatchRegexp(`loses access to ` + s.prefix() +
		`1 at once; the data is deleted \d{4}-\d\d-\d\d \d\d:\d\d -03; replaces the end .* \(pilot\)`))
	g.Expect(s.override(name)).To(Equal(v1alpha1.GrantOverride{Revoked: new(true), Reason: "left"}))
	s.awaitGrant(name, v1alpha1.GrantRevoked)
	g.Expect(
		staff.fails("extend", name, "--until", "30d", "--shorten", "--reason", "x"),
	).To(
		ContainSubstring("was revoked (left)"),
	)

	// Without the override it awaits approval, as its policy says.
	got = staff.course("restore", name)
	g.Expect(got.err).To(Equal(name + ": undoes the revocation (left): it awaits approval\n"))
	g.Expect(got.out).To(Equal("grant.completions.lxp.dev/" + name + " restored\n"))
	s.awaitGrant(name, v1alpha1.GrantAwaitingApproval)
	g.Expect(staff.fails("restore", name)).To(ContainSubstring("has no override"))
}

func TestRestoreGivesBackWithTheData(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	s, name := openGranted(t)
	staff := s.with(institutionAdmin)
	staff.does("revoke", name, "--reason", "left")
	s.awaitGrant(name, v1alpha1.GrantRevoked)
	got := staff.course("restore", name, "--reason", "came back")
	g.Expect(
		got.err,
	).To(
		ContainSubstring("gives access to " + s.prefix() + "1 back, until 2046-12-31 24:00 -03: its data is still there"),
	)
	s.awaitGrant(name, v1alpha1.GrantActive)
	g.Expect(
		staff.fails("approve", name, "--reason", "x"),
	).To(
		ContainSubstring("does not await approval: its policy needs none"),
	)

	// What its completions have ended meanwhile ends when the override goes.
	staff.does("extend", name, "--until", "2048-01-01", "--reason", "thesis")
	s.leaves(1)
	g.Eventually(func(g Gomega) {
		var grant v1alpha1.Grant
		g.Expect(admin.Get(t.Context(), client.ObjectKey{Namespace: s.Namespace, Name: name}, &grant)).To(Succeed())
		g.Expect(grant.Spec.Causes).To(ContainElement(HaveField("End", v1alpha1.CauseEnrollmentInactive)))
	}, soon, often).Should(Succeed())
	got = staff.course("restore", name)
	g.Expect(
		got.err,
	).To(
		And(ContainSubstring("undoes the end 2048-01-01 24:00 -03 (thesis)"), ContainSubstring("ended")),
	)
	s.awaitGrant(name, v1alpha1.GrantEnded)
	g.Expect(staff.fails("revoke", name, "--reason", "x")).To(ContainSubstring("there is nothing to revoke"))
	g.Expect(staff.fails("extend", name, "--until", "2020-01-01", "--reason", "x")).
		To(ContainSubstring("which is in the past"))
}

func TestManyGrantsAreShownAndAskedFor(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	s := openSchool(t)
	s.apply(s.labPolicy(manual))
	for user := int64(1); user <= 3; user++ {
		s.deliver(user)
	}
	for user := int64(1); user <= 3; user++ {
		s.awaitGrant(s.grantOf(user), v1alpha1.GrantAwaitingApproval)
	}
	staff := s.with(institutionAdmin)
	staff.does("approve", "--user", "1", "--reason", "one is not asked for")
	s.awaitGrant(s.grantOf(1), v1alpha1.GrantActive)

	// What awaits nothing is left out, and nobody is asked about it.
	select2 := []string{"approve", "--policy", "lab", "--awaiting-approval", "--reason", "all"}
	got := staff.talk(select2...).answer("n")
	g.Expect(got.code).To(Equal(1), got.String())
	g.Expect(
		got.err,
	).To(
		And(
			ContainSubstring(s.grantOf(2)+": takes effect"),
			ContainSubstring(s.grantOf(3)+": takes effect"),
			Not(
				ContainSubstring(s.grantOf(1)),
			),
			ContainSubstring("Approve these 2 Grants? [y/N]"),
			ContainSubstring("nothing was changed"),
		),
	)
	g.Expect(s.override(s.grantOf(2))).To(BeZero())
	g.Expect(staff.fails(select2...)).To(ContainSubstring("give --yes"))
	got = staff.talk(select2...).answer("y")
	g.Expect(strings.Count(got.out, "approved\n")).To(Equal(2), got.String())
	g.Expect(staff.fails(select2...)).To(ContainSubstring("no Grant"))

	got = staff.course("revoke", "-l", "completions.lxp.dev/policy=lab", "--reason", "closed", "--yes")
	g.Expect(strings.Count(got.out, "revoked\n")).To(Equal(3), got.String())
	// One name that makes no sense keeps from all.
	g.Expect(staff.fails("restore", s.grantOf(1), "nobody", "--yes")).To(And(
		ContainSubstring("has no Grant nobody"), ContainSubstring("nothing was changed")))
	g.Expect(s.override(s.grantOf(1)).Revoked).NotTo(BeNil())
}

func TestExceptionsAreForInstitutionAdmins(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	s, name := openGranted(t)
	for _, who := range []*person{s.with("completion-viewer"), s.withLess(institutionAdmin, "patch", "grants")} {
		got := who.fails("revoke", name, "--reason", "x")
		g.Expect(
			got,
		).To(
			And(ContainSubstring("forbidden"), ContainSubstring("The ClusterRole completion-institution-admin allows it")),
		)
	}
	g.Expect(s.withLess(institutionAdmin, "get", "grants").fails("revoke", name, "--reason", "x")).
		To(ContainSubstring("The ClusterRole completion-institution-admin allows it"))
	g.Expect(s.override(name)).To(BeZero())
	staff := s.with(institutionAdmin)
	for want, args := range map[string][]string{
		"select Grants by name":      {"revoke", "--reason", "x"},
		"not both":                   {"revoke", name, "--policy", "lab", "--reason", "x"},
		"--reason is required":       {"revoke", name},
		"at most 512":                {"revoke", name, "--reason", strings.Repeat("x", 513)},
		"--until is required":        {"extend", name, "--reason", "x"},
		"is not a time":              {"extend", name, "--reason", "x", "--until", "tomorrow"},
		"is not a valid user id":     {"revoke", "--user", "ana", "--reason", "x"},
		"no Grants in namespace":     {"revoke", "--user", "77", "--reason", "x"},
		"--dry-run=maybe is unknown": {"revoke", name, "--reason", "x", "--dry-run=maybe"},
	} {
		g.Expect(staff.fails(args...)).To(ContainSubstring(want))
	}
}

// openBraked opens a school whose brake pauses every revocation, and in which users 1 and 2 have a Grant.
func openBraked(t *testing.T) *school {
	t.Helper()
	s := openSchool(t, func(spec *v1alpha1.InstitutionSpec) { spec.RevocationBudget = new(int32(0)) })
	s.apply(s.labPolicy())
	for user := int64(1); user <= 2; user++ {
		s.deliver(user)
	}
	for user := int64(1); user <= 2; user++ {
		s.awaitGrant(s.grantOf(user), v1alpha1.GrantActive)
	}
	return s
}

// tripped waits until the brake holds back so many Grants, and returns the trip.
func (s *school) tripped(held int) string {
	s.t.Helper()
	g := NewWithT(s.t)
	var institution v1alpha1.Institution
	g.Eventually(func(g Gomega) {
		key := client.ObjectKey{Namespace: s.Namespace, Name: "institution"}
		g.Expect(admin.Get(s.t.Context(), key, &institution)).To(Succeed())
		g.Expect(institution.Status.Brake.Trip).NotTo(BeEmpty())
		g.Expect(institution.Status.Brake.Held).To(HaveValue(BeEquivalentTo(held)))
	}, soon, often).Should(Succeed())
	return institution.Status.Brake.Trip
}

// leaves delivers that the enrollment of a user is over.
func (s *school) leaves(user int64) {
	s.t.Helper()
	s.deliver(user, map[string]any{"enrollment.actived": 0, "event.send_at": "2026-10-02 12:00:00"})
}

// Somebody waits with the answer while somebody else releases what was shown, and the brake trips anew: who is held now
// was not shown, and does not go, though they are no more than were.
func TestReleaseOfAnotherTrip(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	s := openBraked(t)
	s.leaves(1)
	shown := s.tripped(1)
	staff := s.with(institutionAdmin)
	waiting := staff.talk("release")
	waiting.asks()
	staff.does("release", "--yes", "--timeout", "3m")
	s.awaitGrant(s.grantOf(1), v1alpha1.GrantEnded)
	s.leaves(2)
	now := s.tripped(1)
	g.Expect(now).NotTo(Equal(shown))

	got := waiting.answer("y")
	g.Expect(got.code).To(Equal(1), got.String())
	g.Expect(got.err).To(ContainSubstring("the brake has tripped again (trip %s, shown was %s): nothing "+
		"was released; run the command again to see the present revocations", now, shown))
	g.Expect(got.out).To(BeEmpty())
	s.awaitGrant(s.grantOf(2), v1alpha1.GrantActive)
	g.Expect(s.tripped(1)).To(Equal(now))
}

func TestReleaseShowsWhoGoes(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	s := openBraked(t)
	staff := s.with(institutionAdmin)
	g.Expect(staff.fails("release", "institution")).To(ContainSubstring("pauses nothing"))
	for user := int64(1); user <= 2; user++ {
		s.leaves(user)
	}
	trip := s.tripped(2)

	got := staff.course("release", "--dry-run")
	g.Expect(got.code).To(BeZero(), got.String())
	g.Expect(got.err).To(And(
		ContainSubstring("Trip "+trip+" of institution institution pauses 2 Grants"),
		MatchRegexp(
			`  lab\.\d+-1 \(user 1\): ended .*\(EnrollmentInactive\): loses access to %s1; the data is deleted`,
			s.prefix(),
		),
	))
	g.Expect(staff.talk("release").answer("n").err).To(ContainSubstring("nothing was changed"))
	s.awaitGrant(s.grantOf(1), v1alpha1.GrantActive)
	less := s.withLess(institutionAdmin, "patch", "institutions")
	g.Expect(less.fails("release", "--yes")).To(ContainSubstring("The ClusterRole completion-institution-admin allows it"))
	g.Expect(
		s.with("completion-policy-author").fails("release", "--yes"),
	).To(
		ContainSubstring("completion-institution-admin"),
	)

	// Somebody waits with the answer while more come: they were not shown, and nobody goes.
	s.deliver(3)
	s.awaitGrant(s.grantOf(3), v1alpha1.GrantActive)
	waiting := staff.talk("release")
	waiting.asks()
	s.leaves(3)
	s.tripped(3)
	got = waiting.answer("y")
	g.Expect(got.code).To(Equal(1), got.String())
	g.Expect(got.err).To(ContainSubstring("3 Grants are paused now, but 2 were shown: nothing was released"))
	s.awaitGrant(s.grantOf(1), v1alpha1.GrantActive)

	g.Expect(staff.does("release", "institution", "--yes", "--timeout", "3m")).
		To(Equal("institution.completions.lxp.dev/institution released\n"))
	s.awaitGrant(s.grantOf(1), v1alpha1.GrantEnded)
	g.Expect(staff.fails("release")).To(ContainSubstring("trip " + trip + " was released"))
}
