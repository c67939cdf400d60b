// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/test/latewatch"
)

// A cache that shows a completion as it was before may show what its status has to be again: it is written all the
// same.
func TestStatusThatIsToBeAsItWasIsWrittenWhereTheCacheIsBehind(t *testing.T) {
	t.Parallel()
	w := makeWorld(t)
	gate := latewatch.NewGate("coursecompletions")
	w.wrap = gate.Wrap
	institution, completion := MakeInstitution(w).Obj(), MakeCompletion(w, 1).Obj()
	w.create(institution, MakeLab(w, "lab").Obj(), completion)
	w.start()
	w.awaitReason(completion, v1alpha1.ReasonGranted)
	w.awaitSeen(completion)

	gate.Shut()
	w.change(institution, func() { institution.Spec.Suspend = new(true) })
	w.awaitReason(completion, v1alpha1.ReasonSuspended)
	w.change(institution, func() { institution.Spec.Suspend = nil })
	w.awaitActive(w.grantOf("lab", completion))
	// What is planned meanwhile is planned with the completion as it was.
	NewWithT(t).Consistently(func() string {
		w.get(completion)
		return ready(completion).Reason
	}, time.Second+late.Most, often).ShouldNot(Equal(v1alpha1.ReasonGranted))
	gate.Open()
	w.awaitReason(completion, v1alpha1.ReasonGranted)
}
