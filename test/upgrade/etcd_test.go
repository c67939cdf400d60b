// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package upgrade

import (
	"os"
	"path/filepath"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/test/cluster"
)

// TestClusterThatWentBackInTime follows docs/disaster-recovery.md: etcd is as it was at an earlier moment, and nobody
// has lost or got anything but what happened since then, which comes again with the deliveries.
func TestClusterThatWentBackInTime(t *testing.T) {
	g := NewWithT(t)
	w := startWorld(t, this)
	w.fill()
	w.awaitIdle()
	was := w.look(g)
	saved := filepath.Join(t.TempDir(), "etcd")
	w.whileDown(func(data string) { g.Expect(os.CopyFS(saved, os.DirFS(data))).To(Succeed()) })

	// What the snapshot does not have: a delivery that was acknowledged, and a withdrawal.
	w.complete(w.school, 0, labCourse, 50)
	g.Expect(w.admin.Delete(t.Context(), completionOf(w.school, labCourse, 11))).To(Succeed())
	before := map[v1alpha1.GrantPhase]int{
		v1alpha1.GrantActive: 7, v1alpha1.GrantWaiting: 1, v1alpha1.GrantAwaitingApproval: 1, v1alpha1.GrantEnded: 2,
	}
	w.awaitPhases(w.school, before)

	w.whileDown(func(data string) {
		g.Expect(os.RemoveAll(data)).To(Succeed())
		g.Expect(os.CopyFS(data, os.DirFS(saved))).To(Succeed())
	})
	w.awaitIdle()
	was.same(g, w.look(g))

	g.Expect(w.complete(w.school, 0, labCourse, 50).Outcome).To(Equal("created"), "the platform sends it again")
	g.Expect(w.complete(w.school, 0, labCourse, 11).Outcome).To(Equal("duplicate"))
	g.Expect(w.admin.Delete(t.Context(), completionOf(w.school, labCourse, 11))).To(Succeed())
	w.awaitPhases(w.school, before)
}

// whileDown does something to the folder of etcd's data while nothing runs, and starts everything again.
func (w *world) whileDown(do func(data string)) {
	w.t.Helper()
	g, ctx := NewWithT(w.t), w.t.Context()
	for _, program := range w.system.Programs() {
		g.Expect(program.Stop()).To(Succeed())
	}
	for _, part := range []cluster.Part{cluster.ControllerManager, cluster.APIServer, cluster.Etcd} {
		g.Expect(w.plane.Kill(ctx, part)).To(Succeed())
	}
	do(filepath.Join(w.plane.StateDir(), "etcd"))
	for _, part := range []cluster.Part{cluster.Etcd, cluster.APIServer, cluster.ControllerManager} {
		g.Expect(w.plane.StartPart(ctx, part)).To(Succeed())
	}
	for _, program := range w.system.Programs() {
		g.Expect(program.Start(ctx)).To(Succeed())
	}
}
