// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"testing"

	. "github.com/onsi/gomega"

	"github.com/lxp-dev/course-completion-operator/test/system"
)

// Whoever may read the audit log is told of every delivery, and whoever may not, that there may be more.
func TestWhyTellsEveryDelivery(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	startKubelet(t)
	school := openSchool(t)
	first := school.answer(5)
	again := school.answer(5)
	g.Expect(again.DeliveryID).NotTo(Equal(first.DeliveryID))
	other := school.answer(6)
	viewer := school.with("completion-viewer")
	g.Expect(viewer.does("why", "5")).To(And(
		ContainSubstring("Not shown: deliveries that are not stored, such as repeated and refused ones: the "+
			"ClusterRole completion-operations in namespace completion-system allows it"),
		Not(ContainSubstring(again.DeliveryID))))

	viewer.bind(system.Namespace, "completion-operations")
	g.Eventually(func() string { return viewer.does("why", "5") }, soon, often).Should(And(
		MatchRegexp(`(?m)^  \S+ \S+  delivery `+again.DeliveryID+` about completion \d+-123456-1005-5 arrives and is `+
			`answered 200: \S+ \(\S+\)$`),
		// The one that is stored is told of once.
		MatchRegexp(`is stored, by delivery `+first.DeliveryID), Not(MatchRegexp(`delivery `+first.DeliveryID+` about`)),
		Not(ContainSubstring(other.DeliveryID)), Not(ContainSubstring("Not shown: deliveries"))))
	g.Expect(viewer.does("why", "5", "-o", "json")).To(And(
		ContainSubstring(`"id": "`+again.DeliveryID), ContainSubstring(`"id": "`+first.DeliveryID)))
}
