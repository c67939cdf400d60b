// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/client-go/transport"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/kube"
	"github.com/lxp-dev/course-completion-operator/internal/memory"
)

// patientLab is a world with the patience of an installation, and a person with a lab that nothing but patience keeps
// from going at once.
func patientLab(t *testing.T, wrap ...transport.WrapperFunc) (*world, *v1alpha1.CourseCompletion, *v1alpha1.Grant) {
	t.Helper()
	w := makeWorld(t)
	w.patience = memory.Patience{}
	for _, one := range wrap {
		w.wrap = one
	}
	institution, completion := MakeInstitution(w).Obj(), MakeCompletion(w, 1).Obj()
	w.create(institution, MakeLab(w, "lab").OnPolicyRemoval(v1alpha1.RemovalDelete).Obj())
	w.start()
	w.awaitReason(institution, v1alpha1.ReasonReady)
	w.create(completion)
	grant := w.grantOf("lab", completion)
	w.awaitActive(grant)
	return w, completion, grant
}

// awaitEnd steps time until a Grant has ended for a reason.
func (w *world) awaitEnd(grant *v1alpha1.Grant, by time.Duration, why v1alpha1.CauseEnd) {
	w.t.Helper()
	NewWithT(w.t).Eventually(func(g Gomega) {
		w.step(by)
		w.get(grant)
		g.Expect(grant.Spec.Causes[0].End).To(Equal(why))
	}, 2*soon, time.Second).Should(Succeed())
}

// Tools replace a policy by deleting it and making it again.
func TestReplacedPolicyEndsNothing(t *testing.T) {
	t.Parallel()
	w, completion, grant := patientLab(t)
	lab := w.learner(1)
	w.get(lab)
	policy := func() *v1alpha1.CompletionPolicy {
		return MakeLab(w, "lab").OnPolicyRemoval(v1alpha1.RemovalDelete).Obj()
	}
	w.delete(policy())
	w.stays(lab, lab.UID)
	// The time that the test itself takes counts too.
	w.step(20 * time.Second)
	w.stays(lab, lab.UID)
	w.create(policy())
	w.awaitReason(completion, v1alpha1.ReasonGranted)
	w.step(time.Hour)
	w.stays(lab, lab.UID)
	w.get(grant)
	NewWithT(t).Expect(grant.Spec.Causes[0].End).To(BeEmpty())

	// One that stays away was removed.
	w.delete(policy())
	w.awaitEnd(grant, 2*time.Minute, v1alpha1.CausePolicyRemoved)
}

// Nobody saw the deletion, but the Grant was looked at together with its completion before.
func TestCompletionDeletedWhileTheManagerWasDownIsWaitedFor(t *testing.T) {
	t.Parallel()
	w, completion, grant := patientLab(t)
	lab := w.learner(1)
	w.get(lab)
	w.stop()
	w.delete(completion)
	w.start()
	w.stays(lab, lab.UID)
	w.step(4 * time.Minute)
	w.stays(lab, lab.UID)
	w.awaitEnd(grant, 3*time.Minute, v1alpha1.CauseWithdrawn)
}

// While a kind is not served, nothing is known of its objects: that is no order to end anything.
func TestPolicyOfAKindThatIsNotServedIsNotMissing(t *testing.T) {
	t.Parallel()
	w, g := makeWorld(t), NewWithT(t)
	look := func(resource string) error {
		kind := v1alpha1.SchemeGroupVersion.WithKind("CompletionPolicy")
		mapper := meta.NewDefaultRESTMapper(nil)
		mapper.AddSpecific(kind, kind.GroupVersion().WithResource(resource), kind.GroupVersion().WithResource(resource),
			meta.RESTScopeNamespace)
		live, err := client.New(plane.AdminConfig(), client.Options{Scheme: admin.Scheme(), Mapper: mapper})
		g.Expect(err).NotTo(HaveOccurred())
		policy, err := kube.LivePolicy(t.Context(), live, w.namespace, "lab")
		g.Expect(policy).To(BeNil())
		return err
	}
	g.Expect(look("completionpolicies")).To(Succeed(), "there is no such policy")
	g.Expect(look("absentpolicies")).To(MatchError(ContainSubstring("could not find the requested resource")))
}
