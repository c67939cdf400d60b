// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"crypto/rand"
	"sync/atomic"
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/test/system"
)

// addToken makes a Secret with a new token and adds it to the Institution, and waits until it is accepted.
func (s *school) addToken(t *testing.T, name string) (token string) {
	t.Helper()
	g := NewWithT(t)
	token = rand.Text() + rand.Text()
	g.Expect(admin.Create(t.Context(), &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: name}, Type: v1alpha1.SecretTypeWebhookToken,
		StringData: map[string]string{v1alpha1.SecretKeyToken: token},
	})).To(Succeed())
	s.change(t, func(spec *v1alpha1.InstitutionSpec) {
		refs := &spec.Authentication.TokenSecretRefs
		*refs = append(*refs, v1alpha1.TokenSecretReference{Name: v1alpha1.LocalName(name)})
	})
	g.Eventually(func() ([]v1alpha1.TokenStatus, error) {
		var stored v1alpha1.Institution
		err := admin.Get(t.Context(), client.ObjectKey{Namespace: s.namespace, Name: "school"}, &stored)
		return stored.Status.Tokens, err
	}, eventually, often).Should(ContainElement(
		And(HaveField("SecretName", BeEquivalentTo(name)), HaveField("State", v1alpha1.TokenAccepted))))
	return token
}

// change edits the spec of the Institution.
func (s *school) change(t *testing.T, edit func(*v1alpha1.InstitutionSpec)) {
	t.Helper()
	NewWithT(t).Eventually(func() error {
		var stored v1alpha1.Institution
		if err := admin.Get(t.Context(), client.ObjectKey{Namespace: s.namespace, Name: "school"}, &stored); err != nil {
			return err
		}
		edit(&stored.Spec)
		return admin.Update(t.Context(), &stored)
	}, soon, often).Should(Succeed())
}

// Tokens are rotated three times, as docs/security.md says, while deliveries keep coming. None is refused, and the
// token that was taken out is no longer taken.
func TestRotationLosesNoDelivery(t *testing.T) {
	g := NewWithT(t)
	s := openSchool(t)
	var inUse atomic.Pointer[string]
	inUse.Store(new(s.url()))
	stop, stopped := make(chan struct{}), make(chan struct{})
	var delivered atomic.Int64
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			default:
			}
			u := s.student()
			body, err := system.Variant(u.values)
			if err != nil {
				t.Error(err)
				return
			}
			answer, err := system.Deliver(t.Context(), *inUse.Load(), body)
			if err != nil || answer.Status != 200 || answer.Outcome != "created" && answer.Outcome != "queued" {
				t.Errorf("after %d deliveries: %s, %v", delivered.Load(), answer, err)
				return
			}
			delivered.Add(1)
		}
	}()
	flows := func() {
		t.Helper()
		want := delivered.Load() + 20
		g.Eventually(delivered.Load, eventually, often).Should(BeNumerically(">=", want))
	}
	for _, name := range []string{"token-2", "token-3", "token-4"} {
		flows()
		retired := *inUse.Load()
		added := operator.WebhookURL(s.id, s.addToken(t, name))
		g.Eventually(func() (int, error) {
			// The server's view of the Institution follows its status within moments.
			answer, err := system.Deliver(t.Context(), added, nil)
			return answer.Status, err
		}, soon, often).Should(Equal(400))
		inUse.Store(&added)
		flows()
		s.change(t, func(spec *v1alpha1.InstitutionSpec) {
			refs := &spec.Authentication.TokenSecretRefs
			*refs = (*refs)[len(*refs)-1:]
		})
		g.Eventually(func() (int, error) {
			answer, err := system.Deliver(t.Context(), retired, nil)
			return answer.Status, err
		}, eventually, often).Should(Equal(401))
	}
	flows()
	close(stop)
	g.Eventually(stopped, eventually).Should(BeClosed())
	var stored v1alpha1.CourseCompletionList
	g.Expect(admin.List(t.Context(), &stored, client.InNamespace(s.namespace))).To(Succeed())
	g.Expect(stored.Items).To(HaveLen(int(delivered.Load())))
}
