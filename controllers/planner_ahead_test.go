// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// A completion that says that it comes from the future would make every true delivery an older one.
func TestCompletionFromTheFutureGrantsNothingYet(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	g := NewWithT(t)
	completion := MakeCompletion(w, 1).SendAt("2026-04-10 10:00:00").Obj()
	w.create(MakeLab(w, "lab").Obj(), completion)
	w.awaitReason(completion, v1alpha1.ReasonSentInFuture)
	g.Expect(ready(completion).Message).To(ContainSubstring("more than 48 hours in the future"))
	g.Expect(w.grants(g)).To(BeEmpty())

	w.stop()
	w.step(31 * 24 * time.Hour)
	w.start()
	w.awaitActive(w.grantOf("lab", completion))
	w.awaitReason(completion, v1alpha1.ReasonGranted)
}

// Nothing but the time that passes brings it into range, and nobody has to touch it for that.
func TestCompletionThatComesIntoRangeGrantsByItself(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	inRange := w.clock.Now().Add(8 * time.Second)
	sent := inRange.Add(48 * time.Hour).In(time.FixedZone("-03", -3*3600))
	completion := MakeCompletion(w, 1).SendAt(sent.Format(time.DateTime)).Obj()
	w.create(MakeLab(w, "lab").Obj(), completion)
	w.awaitActive(w.grantOf("lab", completion))
	NewWithT(t).Expect(w.clock.Now()).NotTo(BeTemporally("<", inRange.Truncate(time.Second)))
}
