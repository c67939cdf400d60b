// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package upgrade

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/sender"
)

// TestUpgradeAndDowngrade follows docs/upgrade.md, step by step, there and back.
func TestUpgradeAndDowngrade(t *testing.T) {
	old := before(t)
	w := startWorld(t, old)
	w.fill()
	w.fillInboxes()
	var register *v1alpha1.ErasureRegister
	if old.remembersErasures() {
		register = w.erase()
	}
	w.awaitIdle()
	was := w.look(NewWithT(t))

	w.underWay("upgrade", 1, func() {
		w.applyCRDs(this)
		w.apply(filepath.Join(this.root, "config", "default"))
		w.roll(this)
	})
	w.check(was)
	if register == nil {
		register = w.erase()
	}
	w.remembers(register)
	w.addField(14)

	w.awaitIdle()
	was = w.look(NewWithT(t))
	w.underWay("downgrade", 2, func() {
		w.apply(w.withoutCRDs(old))
		w.roll(old)
	})
	w.check(was)
	w.hasRegister(register)
	if old.remembersErasures() {
		w.remembers(register)
	}
	w.rewrite(14)
	w.emptyInboxes()
}

// roll replaces the programs in the order of a rollout: a StatefulSet begins with its last pod.
func (w *world) roll(to release) {
	w.t.Helper()
	g := NewWithT(w.t)
	w.system.Replace(to.root, to.bin)
	g.Expect(w.system.ControllerManager.Stop()).To(Succeed())
	g.Expect(w.system.ControllerManager.Start(w.t.Context())).To(Succeed())
	for replica := servers - 1; replica >= 0; replica-- {
		g.Expect(w.system.Replicas[replica].Stop()).To(Succeed())
		g.Expect(w.system.Replicas[replica].Start(w.t.Context())).To(Succeed())
	}
}

// withoutCRDs makes the overlay of docs/upgrade.md that has all of a release but its CRDs.
func (w *world) withoutCRDs(r release) string {
	w.t.Helper()
	g := NewWithT(w.t)
	folder := w.t.TempDir()
	base, err := filepath.Rel(folder, filepath.Join(r.root, "config", "default"))
	g.Expect(err).NotTo(HaveOccurred())
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "upgrade.md"))
	g.Expect(err).NotTo(HaveOccurred())
	overlay := regexp.MustCompile("(?s)```yaml\n(# kustomization.yaml\n.*?)```").FindSubmatch(page)
	g.Expect(overlay).To(HaveLen(2), "the page has no kustomization.yaml")
	const own = "YOUR-OVERLAY-OF-THE-OLDER-VERSION"
	g.Expect(string(overlay[1])).To(ContainSubstring(own))
	text := strings.ReplaceAll(string(overlay[1]), own, base)
	g.Expect(os.WriteFile(filepath.Join(folder, "kustomization.yaml"), []byte(text), 0o600)).To(Succeed())
	return folder
}

// underWay does something while deliveries come, and makes sure that each one that was acknowledged is stored once, and
// is planned. Deliveries of one seed are about other completions than those of another one.
func (w *world) underWay(name string, seed uint64, do func()) {
	w.t.Helper()
	g := NewWithT(w.t)
	generator, err := sender.NewGenerator(sender.Plan{
		Institutions: []sender.Institution{{ID: w.busy.ID, URLs: w.busy.URLs}},
		Courses:      []v1alpha1.PlatformID{labCourse, seatCourse, otherCourse, otherCourse, otherCourse},
		Seed:         seed,
		Mix:          sender.Mix{sender.KindNew: 6, sender.KindRepeat: 1, sender.KindNewer: 2, sender.KindOlder: 1},
		Start:        time.Date(2026, 2, 3, 4, 5, 6, 0, time.UTC),
	})
	g.Expect(err).NotTo(HaveOccurred())
	ctx, stop := context.WithCancel(w.t.Context())
	defer stop()
	type result struct {
		report *sender.Report
		err    error
	}
	done := make(chan result, 1)
	go func() {
		report, err := sender.Run(ctx, generator.Next, sender.Options{
			Connections: 4, Rate: 10, Timeout: patience, Ledger: &w.ledger,
		})
		done <- result{report, err}
	}()
	g.Eventually(func() int { n, _ := w.ledger.Acknowledged(w.busy.ID); return n }, patience, often).
		Should(BeNumerically(">", 10*int(seed)), "deliveries come")
	do()
	stop()
	sent := <-done
	g.Expect(sent.err).NotTo(HaveOccurred())
	sent.report.Print(w.t.Output())
	// Whom nobody answers, because a replica is being replaced, was promised nothing.
	g.Expect(sent.report.Verdicts).NotTo(HaveKey(sender.VerdictUnexpected), "%v", sent.report.Examples)
	g.Expect(w.ledger.Await(w.t.Context(), w.admin, w.busy.ID, w.busy.Namespace, false, patience)).To(Succeed(), name)
	g.Eventually(w.planned, patience, often).Should(Succeed())
}

// planned makes sure that all that was delivered is planned, and that nothing is planned twice.
func (w *world) planned(g Gomega) {
	var completions v1alpha1.CourseCompletionList
	g.Expect(w.admin.List(w.t.Context(), &completions, client.InNamespace(w.busy.Namespace))).To(Succeed())
	grants := map[v1alpha1.LocalName]int{}
	for _, grant := range w.grants(g, w.busy) {
		for _, cause := range grant.Spec.Causes {
			grants[cause.Completion]++
		}
	}
	for _, completion := range completions.Items {
		g.Expect(completion.Status.ObservedGeneration).To(Equal(completion.Generation), completion.Name)
		want := 1
		if completion.Spec.Course.ID == otherCourse {
			want = 0
		}
		g.Expect(grants[v1alpha1.LocalName(completion.Name)]).To(Equal(want), completion.Name)
		// Seats run out, and labs of one user are shared; but nobody waits for anything else.
		ready := meta.FindStatusCondition(completion.Status.Conditions, v1alpha1.ConditionReady)
		g.Expect(ready).NotTo(BeNil())
		if completion.Spec.Course.ID != seatCourse {
			g.Expect(ready.Status).To(Equal(metav1.ConditionTrue), "%s: %s", completion.Name, ready.Message)
		}
	}
}

var (
	depths = regexp.MustCompile(`(?m)^workqueue_depth\{.*\} (\S+)$`)
	active = regexp.MustCompile(`(?m)^controller_runtime_active_workers\{.*\} (\S+)$`)
)

// awaitIdle waits until the controller-manager has looked at everything, and for some time has nothing to do.
func (w *world) awaitIdle() {
	w.t.Helper()
	g := NewWithT(w.t)
	idle := func() error {
		text, err := w.metrics.Read(w.t.Context(), w.system.ControllerManagerMetrics)
		if err != nil {
			return err
		}
		for _, values := range [][][]string{
			depths.FindAllStringSubmatch(text, -1), active.FindAllStringSubmatch(text, -1),
		} {
			if len(values) == 0 {
				return fmt.Errorf("the metrics do not say what the controller-manager does")
			}
			for _, value := range values {
				if number, err := strconv.ParseFloat(value[1], 64); err != nil || number > 0 {
					return fmt.Errorf("it is at work: %s", value[0])
				}
			}
		}
		return nil
	}
	// Twenty times in a row: a queue may be empty for a moment.
	inARow := 0
	g.Eventually(func() (int, error) {
		inARow++
		err := idle()
		if err != nil {
			inARow = 0
		}
		return inARow, err
	}, patience, often).Should(BeNumerically(">=", 20))
}

// check makes sure that everything is as it was.
func (w *world) check(was *snapshot) {
	w.t.Helper()
	w.awaitIdle()
	g := NewWithT(w.t)
	was.same(g, w.look(g))
	w.inboxesAreFull()
}
