// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/lxp-dev/course-completion-operator/test/latewatch"
)

// Nothing brings back what was deleted: for how long a completion is kept is not taken from a cache that is behind.
func TestRetentionThatWasMadeLongerDeletesNothingWhereTheCacheIsBehind(t *testing.T) {
	t.Parallel()
	w := makeWorld(t)
	gate := latewatch.NewGate("institutions")
	w.wrap = gate.Wrap
	institution, completion := MakeInstitution(w).Obj(), MakeCompletion(w, 1).Obj()
	institution.Spec.RetentionDays = int32(keptFor / oneDay)
	w.create(institution, MakeLab(w, "lab").Obj(), completion)
	w.start()
	w.awaitActive(w.grantOf("lab", completion))

	gate.Shut()
	w.change(institution, func() { institution.Spec.RetentionDays *= 2 })
	w.step(completion.CreationTimestamp.Add(keptFor).Sub(w.clock.Now()) + margin)
	NewWithT(t).Consistently(func(g Gomega) {
		g.Expect(admin.Get(t.Context(), keyOf(completion), completion)).To(Succeed())
	}, 2*time.Second+late.Most, often).Should(Succeed())
	gate.Open()
	w.awaitSeen(institution)
	w.stays(completion, completion.UID)
	w.step(keptFor)
	w.awaitGone(completion)
}
