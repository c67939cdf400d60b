// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// shown returns the arguments of the command that is shown for a reason, as somebody would copy it.
func shown(t *testing.T, text, reason string) []string {
	t.Helper()
	command := regexpFind(t, text, `(?s)`+regexp.QuoteMeta(reason)+`.*?kubectl course ([^\n]+)`)
	return strings.Fields(strings.ReplaceAll(command, "REASON", "checked"))
}

// Who knows nothing of approvals gets from a delivery to the namespace by what the commands show.
func TestApprovalIsFollowed(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	s := openSchool(t)
	s.apply(s.labPolicy(manual))
	completion := s.deliver(1)
	s.awaitGrant(s.grantOf(1), v1alpha1.GrantAwaitingApproval)
	reader, staff := s.with(viewer), s.with(institutionAdmin)

	var told string
	g.Eventually(func() string {
		told = reader.does("why", "completion/"+completion)
		return told
	}, soon, often).Should(ContainSubstring("awaits approval"))
	one := shown(t, told, "a person approves it")
	g.Expect(one).To(Equal([]string{"approve", s.grantOf(1), "-n", s.Namespace, "--reason", "checked"}))
	var status string
	g.Eventually(func() string {
		status = reader.does("status")
		return status
	}, soon, often).Should(ContainSubstring("AwaitingApproval"))
	all := shown(t, status, ": AwaitingApproval\n")
	g.Expect(all[:3]).To(Equal([]string{"approve", "--policy", "lab"}))

	// Who may not, learns who may; and nothing is granted by it.
	for _, args := range [][]string{one, all} {
		g.Expect(reader.fails(args...)).To(ContainSubstring("The ClusterRole completion-institution-admin allows it"))
	}
	s.awaitGrant(s.grantOf(1), v1alpha1.GrantAwaitingApproval)
	g.Expect(staff.does(all...)).To(Equal("grant.completions.lxp.dev/" + s.grantOf(1) + " approved\n"))
	s.awaitGrant(s.grantOf(1), v1alpha1.GrantActive)
	g.Expect(admin.Get(t.Context(), client.ObjectKey{Name: s.prefix() + "1"}, &corev1.Namespace{})).To(Succeed())
	g.Expect(reader.does("why", "1")).To(HavePrefix("User 1 has access by grant " + s.grantOf(1)))
	g.Eventually(func() string { return reader.does("status") }, soon, often).Should(
		ContainSubstring("Nothing needs attention."))
}

// Who knows nothing of the brake lets go what it holds by what the commands show, after a policy was removed.
func TestReleaseIsFollowed(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	s := openSchool(t, func(spec *v1alpha1.InstitutionSpec) { spec.RevocationBudget = new(int32(1)) })
	policy := s.labPolicy(func(p *v1alpha1.CompletionPolicy) { p.Spec.OnPolicyRemoval = v1alpha1.RemovalDelete })
	s.apply(policy)
	for user := int64(1); user <= 3; user++ {
		s.deliver(user)
	}
	for user := int64(1); user <= 3; user++ {
		s.awaitGrant(s.grantOf(user), v1alpha1.GrantActive)
	}
	g.Expect(admin.Delete(t.Context(), policy)).To(Succeed())
	s.tripped(2)
	reader, staff := s.with(viewer), s.with(institutionAdmin)
	status := reader.does("status")
	g.Expect(status).To(MatchRegexp(`Brake: +tripped at \S+, pauses 2`))
	release := shown(t, status, "RevocationsPaused")
	g.Expect(release).To(Equal([]string{"release", "institution", "-n", s.Namespace}))
	g.Expect(reader.fails(append(release, "--yes")...)).To(
		ContainSubstring("The ClusterRole completion-institution-admin allows it"))

	got := staff.talk(append(release, "--timeout", "3m")...).answer("y")
	g.Expect(got.code).To(BeZero(), got.String())
	g.Expect(strings.Count(got.err, "loses access to "+s.prefix())).To(Equal(2), got.err)
	g.Expect(got.out).To(Equal("institution.completions.lxp.dev/institution released\n"))
	for user := int64(1); user <= 3; user++ {
		s.awaitGrant(s.grantOf(user), v1alpha1.GrantEnded)
		g.Expect(reader.does("why", fmt.Sprint(user))).To(HavePrefix(fmt.Sprintf("User %d has no access", user)))
	}
	g.Eventually(func() string { return reader.does("status") }, soon, often).Should(
		And(ContainSubstring("Brake:"), Not(ContainSubstring("RevocationsPaused"))))
}
