// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package upgrade

import (
	"os"
	"path/filepath"
	"time"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/erasure"
)

// erasedUser is of whom nothing is to be stored.
const erasedUser v1alpha1.PlatformID = 7

// remembersErasures reports whether a release has the kind ErasureRegister.
func (r release) remembersErasures() bool {
	_, err := os.Stat(filepath.Join(r.root, "config", "crd", "bases", v1alpha1.GroupName+"_erasureregisters.yaml"))
	return err == nil
}

// erase makes a register of erasures with a user in it.
func (w *world) erase() *v1alpha1.ErasureRegister {
	w.t.Helper()
	register := &v1alpha1.ErasureRegister{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.school.Namespace, Name: "erasures"}, Spec: erasure.NewSpec(),
	}
	person := erasure.Person{Institution: w.school.ID, User: erasedUser}
	at := time.Date(2026, 3, 6, 5, 6, 7, 0, time.UTC)
	NewWithT(w.t).Expect(erasure.Add(&register.Spec, person, at, nil)).To(Succeed())
	w.create(register)
	return register
}

// remembers waits until each webhook server knows the register, and keeps nothing of the user.
func (w *world) remembers(register *v1alpha1.ErasureRegister) {
	w.t.Helper()
	w.hasRegister(register)
	for replica := range servers {
		NewWithT(w.t).Eventually(func() string {
			return w.complete(w.school, replica, otherCourse, erasedUser).Outcome
		}, patience, often).Should(Equal("erased"))
	}
}

// hasRegister makes sure that the register is as it was, also where the version in place does not know the kind.
func (w *world) hasRegister(register *v1alpha1.ErasureRegister) {
	w.t.Helper()
	g, now := NewWithT(w.t), &v1alpha1.ErasureRegister{}
	g.Expect(w.admin.Get(w.t.Context(), client.ObjectKeyFromObject(register), now)).To(Succeed())
	g.Expect(now.UID).To(Equal(register.UID))
	g.Expect(now.Spec).To(Equal(register.Spec))
}
