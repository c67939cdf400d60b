// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// said is everything that an object has, as JSON.
func said(g Gomega, object any) string {
	text, err := json.Marshal(object)
	g.Expect(err).NotTo(HaveOccurred())
	return string(text)
}

// awaitNothingPersonal waits until a Grant and its events hold nothing of a user, and still its causes.
func (w *world) awaitNothingPersonal(grant *v1alpha1.Grant, user *v1alpha1.CompletionUser) {
	w.t.Helper()
	w.eventually(func(g Gomega) {
		w.get(grant)
		var events eventsv1.EventList
		g.Expect(admin.List(w.t.Context(), &events, client.InNamespace(w.namespace))).To(Succeed())
		text := said(g, grant) + said(g, &events)
		for _, value := range []string{user.Email, user.Name} {
			g.Expect(strings.Contains(text, value)).To(BeFalse(), "%s is still there", value)
		}
		g.Expect(grant.Spec.Causes).NotTo(BeEmpty())
	})
}

// Once everything has gone that a completion granted, nothing of the user is left but ids.
func TestGrantThatIsOverHoldsNothingPersonal(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	completion := MakeCompletion(w, 1).Obj()
	w.create(w.account())
	w.allow("", rule("", "configmaps"))
	w.create(MakeWelcome(w).Obj(), completion)
	grant := w.grantOf("lab", completion)
	w.awaitActive(grant)
	NewWithT(t).Expect(said(NewWithT(t), grant)).To(ContainSubstring(completion.Spec.User.Email))

	w.delete(completion)
	w.awaitGone(w.learner(1))
	w.awaitReason(grant, v1alpha1.ReasonEnded)
	w.awaitNothingPersonal(grant, &completion.Spec.User)

	// The same delivery, repeated late, brings nothing back; a newer one brings everything.
	w.create(MakeCompletion(w, 1).Obj())
	w.awaitSeenOf(1)
	w.awaitNothingPersonal(grant, &completion.Spec.User)
	newer := MakeCompletion(w, 1).Obj()
	w.change(newer, func() { sendAt(newer, "2026-03-05 10:00:00") })
	w.awaitActive(grant)
	w.get(w.accessOf(1))
}

// A person who prolongs what is over already gets everything again, as long as the completion is there.
func TestGrantThatIsOverCanBeProlonged(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	completion := MakeCompletion(w, 1).Expire("2026-03-20").Obj()
	w.create(MakeLab(w, "lab").Obj(), completion)
	grant := w.grantOf("lab", completion)
	w.awaitActive(grant)
	w.step(grant.Spec.AccessEndsAt.Sub(w.clock.Now()) + margin)
	w.awaitReason(grant, v1alpha1.ReasonEnded)
	w.awaitNothingPersonal(grant, &completion.Spec.User)
	w.change(grant, func() {
		until := w.clock.Now().Add(30 * 24 * time.Hour).UTC().Truncate(time.Second)
		grant.Spec.Override = v1alpha1.GrantOverride{Until: new(metav1.NewTime(until)), Reason: "a resit"}
	})
	w.awaitActive(grant)
	w.get(w.accessOf(1))
}
