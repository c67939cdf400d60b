// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bufio"
	"fmt"
	"os"
	"path"
	"strings"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/lxp-dev/course-completion-operator/test/system"
)

func TestDeliveries(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	startKubelet(t)
	school := openSchool(t)
	operations := newPerson(t, school.Namespace, "operations")
	g.Expect(operations.fails("deliveries")).To(And(
		ContainSubstring(`cannot list resource "pods"`), ContainSubstring("ClusterRole completion-operations allows it")))
	operations.bind(system.Namespace, "completion-operations")

	arrived := school.answer(77)
	name := path.Base(arrived.Completion)
	school.deliver(77)
	wrong, err := system.Variant(map[string]any{"institution.id": 1, "user.id": 77})
	g.Expect(err).NotTo(HaveOccurred())
	refused, err := system.Deliver(t.Context(), school.URLs[0], wrong)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(refused.Status).To(Equal(422))

	institution := fmt.Sprintf("--institution=%d", school.ID)
	// A busy API server makes queued of created, and of duplicate too.
	const again = `(?:duplicate|queued)`
	row := func(outcome, reason string) string {
		return fmt.Sprintf(`(?m)^\S+ +%s +%s +\d+ +%d +123456 +1077 +77 +\S+$`, outcome, reason, school.ID)
	}
	g.Eventually(func() string { return operations.does("deliveries", "--user=77", institution) }, soon, often).Should(And(
		MatchRegexp(`^TIME +OUTCOME +REASON +STATUS +INSTITUTION +COURSE +ENROLLMENT +USER +DELIVERY\n`),
		MatchRegexp(row(arrived.Outcome, `\S+`)), MatchRegexp(row(again, `\S+`)), Not(ContainSubstring("checked"))))
	g.Expect(operations.does("deliveries", institution, "--outcome="+arrived.Outcome, "--no-headers")).To(And(
		MatchRegexp(row(arrived.Outcome, `\S+`)), Not(ContainSubstring("refused")), Not(ContainSubstring("TIME"))))
	g.Expect(operations.does("deliveries", "--delivery", refused.DeliveryID, "-o", "json")).To(And(
		HavePrefix("{"), ContainSubstring(`"kind": "DeliveryList"`), ContainSubstring(`"outcome": "refused"`),
		ContainSubstring(refused.DeliveryID)))
	g.Expect(operations.does("deliveries", "--delivery", refused.DeliveryID, "-o", "wide")).To(And(
		MatchRegexp(`^TIME .* DELIVERY +ADDRESS +TOKEN +COMPLETION +POD\n`), ContainSubstring("completion-webhook-server-0")))
	g.Expect(operations.does("deliveries", "--completion", name, "--limit=1")).To(MatchRegexp(row(again, `\S+`)))
	none := operations.course("deliveries", institution, "--user=78")
	g.Expect(none.code).To(BeZero())
	g.Expect(none.err).To(ContainSubstring("No such delivery in the logs"))
	g.Expect(operations.fails("deliveries", "--since=yesterday")).To(ContainSubstring("write a duration such as 2h"))

	// What comes is shown as it comes.
	follow := operations.command("deliveries", institution, "--follow", "--no-headers")
	out, err := follow.StdoutPipe()
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(follow.Start()).To(Succeed())
	seen := make(chan string, 1)
	go func() {
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			if strings.Contains(lines.Text(), " 79 ") {
				seen <- lines.Text()
				return
			}
		}
	}()
	// It may take a moment until it listens: the delivery is repeated until it was seen.
	g.Eventually(func() chan string {
		school.deliver(79)
		return seen
	}, soon, often).Should(Receive())
	g.Expect(follow.Process.Signal(os.Interrupt)).To(Succeed())
	g.Expect(follow.Wait()).To(Succeed())
}
