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
