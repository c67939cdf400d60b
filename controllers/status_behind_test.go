/*
Copyright 2026 The Course Completion Operator Authors.

Licensed under the Apache License, Version 2.0 (the "License");
you may not use this file except in compliance with the License.
You may obtain a copy of the License at

    http://www.apache.org/licenses/LICENSE-2.0

Unless required by applicable law or agreed to in writing, software
distributed under the License is distributed on an "AS IS" BASIS,
WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
See the License for the specific language governing permissions and
limitations under the License.
*/

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
