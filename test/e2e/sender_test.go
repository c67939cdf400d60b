// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/sender"
	"github.com/lxp-dev/course-completion-operator/test/cluster"
)

// TestSenderTriesAnInstallation runs the command that users try their installation with, against both programs.
func TestSenderTriesAnInstallation(t *testing.T) {
	g := NewWithT(t)
	root, err := cluster.RepositoryRoot()
	g.Expect(err).NotTo(HaveOccurred())
	program := filepath.Join(t.TempDir(), "kubectl-course")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", program, "./cmd/kubectl-course")
	build.Dir = root
	said, err := build.CombinedOutput()
	g.Expect(err).NotTo(HaveOccurred(), string(said))

	one, two := openSchool(t), openSchool(t)
	arguments := []string{
		"send", "--url", one.url(), "--url", two.url(), "--seed", "11", "--start", "2026-02-03 04:05:06",
		"--count", "400", "--rate", "0", "--connections", "8", "--check",
		"--check-timeout", eventually.String(), "--kubeconfig", plane.Kubeconfig(),
	}
	said, err = exec.CommandContext(t.Context(), program, arguments...).CombinedOutput()
	g.Expect(err).NotTo(HaveOccurred(), string(said))
	g.Expect(string(said)).To(And(ContainSubstring("sent          400 deliveries"),
		MatchRegexp("checked: institution %d has all [0-9]{2,} completions once", one.id),
		MatchRegexp("checked: institution %d has all [0-9]{2,} completions once", two.id)))
	g.Expect(string(said)).NotTo(Or(ContainSubstring(one.token), ContainSubstring(two.token)))

	// The same again is the same deliveries: all of them are known, and nothing is created.
	said, err = exec.CommandContext(t.Context(), program, arguments...).CombinedOutput()
	g.Expect(err).NotTo(HaveOccurred(), string(said))
	g.Expect(string(said)).To(And(ContainSubstring("200 duplicate"), Not(ContainSubstring("created"))))
}

// TestLedgerMissesWhatIsLost checks the checker: of all that was acknowledged, it names the one completion that is gone
// and the one that was set back.
func TestLedgerMissesWhatIsLost(t *testing.T) {
	g := NewWithT(t)
	s := openSchool(t)
	generator, err := sender.NewGenerator(sender.Plan{
		Institutions: []sender.Institution{{ID: s.id, URLs: []string{s.url()}}},
		Courses:      []v1alpha1.PlatformID{654321},
		Seed:         13,
		Mix:          sender.Mix{sender.KindNew: 1},
		Start:        time.Date(2026, 2, 3, 4, 5, 6, 0, time.UTC),
	})
	g.Expect(err).NotTo(HaveOccurred())
	ledger := &sender.Ledger{}
	report, err := sender.Run(t.Context(), generator.Next,
		sender.Options{Connections: 4, Count: 50, Timeout: eventually, Ledger: ledger})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(report.Err()).NotTo(HaveOccurred())
	g.Expect(ledger.Await(t.Context(), admin, s.id, "", false, eventually)).To(Succeed())

	stored, err := sender.Stored(t.Context(), admin, s.id, "")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(stored).To(HaveLen(50))
	g.Expect(admin.Delete(t.Context(), &stored[3])).To(Succeed())
	changed := stored[7].DeepCopy()
	changed.Spec.Course.Name = "something else"
	g.Expect(admin.Patch(t.Context(), changed, client.MergeFrom(&stored[7]))).To(Succeed())
	after, err := sender.Stored(t.Context(), admin, s.id, "")
	g.Expect(err).NotTo(HaveOccurred())
	var found []string
	for _, problem := range ledger.Check(s.id, after, false) {
		found = append(found, problem.Completion+" "+problem.Text)
	}
	g.Expect(found).To(ConsistOf(
		stored[3].Name+" was acknowledged, but is not stored",
		HavePrefix(stored[7].Name+" is stored with content that was never sent"),
	))
}
