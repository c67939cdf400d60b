// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package upgrade

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/test/cluster"
)

// TestClusterThatWentBackInTime follows docs/disaster-recovery.md with etcd's own tools: etcd is as it was earlier, and
// nobody has lost or got anything but what happened since then, which comes again with the deliveries.
func TestClusterThatWentBackInTime(t *testing.T) {
	g := NewWithT(t)
	tools := etcdTools(t)
	w := startWorld(t, this)
	w.fill()
	w.awaitIdle()
	was := w.look(g)
	saved := filepath.Join(t.TempDir(), "snapshot.db")
	tools.run(t, "etcdctl", append(w.plane.EtcdArgs(), "snapshot", "save", saved)...)

	// What the snapshot does not have: a delivery that was acknowledged, and a withdrawal.
	w.complete(w.school, 0, labCourse, 50)
	g.Expect(w.admin.Delete(t.Context(), completionOf(w.school, labCourse, 11))).To(Succeed())
	before := map[v1alpha1.GrantPhase]int{
		v1alpha1.GrantActive: 7, v1alpha1.GrantWaiting: 1, v1alpha1.GrantAwaitingApproval: 1, v1alpha1.GrantEnded: 2,
	}
	w.awaitPhases(w.school, before)
	busy := w.grants(g, w.busy)

	g.Expect(w.system.ControllerManager.Stop()).To(Succeed())
	for _, part := range []cluster.Part{cluster.ControllerManager, cluster.APIServer, cluster.Etcd} {
		g.Expect(w.plane.Kill(t.Context(), part)).To(Succeed())
	}
	g.Expect(w.complete(w.busy, 1, labCourse, 51).Outcome).To(Equal("queued"), "the webhook servers stay up")
	data := filepath.Join(w.plane.StateDir(), "etcd")
	g.Expect(os.RemoveAll(data)).To(Succeed())
	tools.run(t, "etcdutl", append(documentedRestore(g), saved, "--data-dir="+data)...)
	for _, part := range []cluster.Part{cluster.Etcd, cluster.APIServer, cluster.ControllerManager} {
		g.Expect(w.plane.StartPart(t.Context(), part)).To(Succeed())
	}
	w.restart()
	w.awaitIdle()
	was.same(g, w.look(g))
	g.Eventually(func(g Gomega) {
		g.Expect(w.grants(g, w.busy)).To(HaveLen(len(busy)+1), "what was in an inbox is stored")
	}, patience, often).Should(Succeed())

	g.Expect(w.complete(w.school, 0, labCourse, 50).Outcome).To(Equal("created"), "the platform sends it again")
	g.Expect(w.complete(w.school, 0, labCourse, 11).Outcome).To(Equal("duplicate"))
	g.Expect(w.admin.Delete(t.Context(), completionOf(w.school, labCourse, 11))).To(Succeed())
	w.awaitPhases(w.school, before)
}

// restart replaces the processes of both programs, as `kubectl rollout restart` does.
func (w *world) restart() {
	w.t.Helper()
	for _, program := range w.system.Programs() {
		NewWithT(w.t).Expect(program.Stop()).To(Succeed())
		NewWithT(w.t).Expect(program.Start(w.t.Context())).To(Succeed())
	}
}

// documentedRestore returns the arguments of etcdutl that the page has, without those of a place.
func documentedRestore(g Gomega) []string {
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "disaster-recovery.md"))
	g.Expect(err).NotTo(HaveOccurred())
	command := regexp.MustCompile("etcdutl (snapshot restore .*) FILE").FindSubmatch(page)
	g.Expect(command).To(HaveLen(2), "the page has no command for the restore")
	return strings.Fields(string(command[1]))
}

// programs is a folder with etcdctl and etcdutl.
type programs string

// etcdTools builds them, of the version of etcd that the control plane has.
func etcdTools(t *testing.T) programs {
	t.Helper()
	g := NewWithT(t)
	version := regexp.MustCompile(`go\.etcd\.io/etcd/server/v3 (v\S+)`)
	want, err := os.ReadFile(filepath.Join("..", "..", "hack", "controlplane", "go.mod"))
	g.Expect(err).NotTo(HaveOccurred())
	got, err := os.ReadFile(filepath.Join("etcdtools", "go.mod"))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(version.FindSubmatch(got)[1]).To(Equal(version.FindSubmatch(want)[1]),
		"etcdtools has another version of etcd")
	folder := t.TempDir()
	build := exec.CommandContext(t.Context(), "go", "build", "-C", "etcdtools", "-o", folder+"/", "tool")
	build.Env = append(os.Environ(), "GOWORK=off")
	output, err := build.CombinedOutput()
	g.Expect(err).NotTo(HaveOccurred(), string(output))
	return programs(folder)
}

func (p programs) run(t *testing.T, name string, args ...string) {
	t.Helper()
	output, err := exec.CommandContext(t.Context(), filepath.Join(string(p), name), args...).CombinedOutput()
	NewWithT(t).Expect(err).NotTo(HaveOccurred(), string(output))
}
