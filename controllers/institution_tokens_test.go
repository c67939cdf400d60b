// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers_test

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

func digest(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

func TestInstitutionPublishesTheDigestsOfItsTokens(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	g := NewWithT(t)
	institution := MakeInstitution(w).Obj()
	w.get(institution)
	g.Expect(institution.Status.WebhookPath).To(Equal("/webhooks/" + w.id.String() + "/"))
	g.Expect(institution.Status.Tokens).To(Equal([]v1alpha1.TokenStatus{
		{SecretName: "token", State: v1alpha1.TokenAccepted, SHA256: digest(w.token)},
	}))
	g.Expect(institution.Status.Conditions).To(HaveLen(2), "Ready and Allowed, neither Reconciling nor Stalled")
}

func TestInstitutionSaysWhatIsWrongWithAToken(t *testing.T) {
	t.Parallel()
	long := "abcdefghijklmnopqrstuvwxyz-01234"
	for _, tc := range []struct {
		name   string
		secret func(w *world) *SecretWrapper
		state  v1alpha1.TokenState
		reason string
		says   string
	}{
		{"missing", nil, v1alpha1.TokenNotFound, v1alpha1.ReasonTokenNotFound, "secret other of type"},
		{"of another type",
			func(w *world) *SecretWrapper { return MakeSecret(w, "other").Token(long).Type(corev1.SecretTypeOpaque) },
			v1alpha1.TokenNotFound, v1alpha1.ReasonTokenNotFound, "of type completions.lxp.dev/webhook-token not found"},
		{"without a token", func(w *world) *SecretWrapper { return MakeSecret(w, "other") },
			v1alpha1.TokenInvalid, v1alpha1.ReasonTokenInvalid, "under the key token"},
		{"too short", func(w *world) *SecretWrapper { return MakeSecret(w, "other").Token(long[1:]) },
			v1alpha1.TokenInvalid, v1alpha1.ReasonTokenInvalid, "32 to 512"},
		{"too long", func(w *world) *SecretWrapper { return MakeSecret(w, "other").Token(strings.Repeat(long, 17)) },
			v1alpha1.TokenInvalid, v1alpha1.ReasonTokenInvalid, "32 to 512"},
		{"easy to guess", func(w *world) *SecretWrapper { return MakeSecret(w, "other").Token(strings.Repeat("x", 32)) },
			v1alpha1.TokenInvalid, v1alpha1.ReasonTokenInvalid, "a random token"},
		{"with a space", func(w *world) *SecretWrapper { return MakeSecret(w, "other").Token(long + " " + long) },
			v1alpha1.TokenInvalid, v1alpha1.ReasonTokenInvalid, "printable"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w := makeWorld(t)
			g := NewWithT(t)
			if tc.secret != nil {
				w.create(tc.secret(w).Obj())
			}
			institution := MakeInstitution(w).Tokens("token", "other").Obj()
			w.create(institution)
			w.start()
			w.awaitReason(institution, tc.reason)
			g.Expect(ready(institution).Message).To(ContainSubstring(tc.says))
			g.Expect(institution.Status.Tokens).To(Equal([]v1alpha1.TokenStatus{
				{SecretName: "token", State: v1alpha1.TokenAccepted, SHA256: digest(w.token)},
				{SecretName: "other", State: tc.state},
			}), "the good token is accepted all the same")

			w.change(institution, func() { institution.Spec = MakeInstitution(w).Spec; institution.Spec.TimeZone = "UTC" })
			w.awaitReason(institution, v1alpha1.ReasonReady)
		})
	}
}

func TestInstitutionTrimsTheLineEndOfAToken(t *testing.T) {
	t.Parallel()
	w := makeWorld(t)
	token := "another-token-which-is-long-enough-too"
	w.create(MakeSecret(w, "edited").Token(token + "\n").Obj())
	institution := MakeInstitution(w).Tokens("edited").Obj()
	w.create(institution)
	w.start()
	w.awaitReason(institution, v1alpha1.ReasonReady)
	NewWithT(t).Expect(institution.Status.Tokens[0].SHA256).To(Equal(digest(token)))
}

func TestInstitutionNamesTheMissingRoleBinding(t *testing.T) {
	t.Parallel()
	w := makeWorld(t)
	g := NewWithT(t)
	w.delete(w.binding())
	institution := MakeInstitution(w).Obj()
	w.create(institution)
	w.start()
	w.awaitReason(institution, v1alpha1.ReasonAccessMissing)
	g.Expect(ready(institution).Message).To(And(
		ContainSubstring("namespace "+w.namespace+" needs a RoleBinding"),
		ContainSubstring("ClusterRole completion-institution")))
	g.Expect(institution.Status.Tokens).To(Equal([]v1alpha1.TokenStatus{
		{SecretName: "token", State: v1alpha1.TokenForbidden}}))

	w.create(w.binding())
	w.awaitReason(institution, v1alpha1.ReasonReady)
}

// An API server that has just started refuses everybody for a moment, which must not turn away a sender.
func TestTokenStaysAcceptedForAWhileWhereItMayNotBeRead(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	institution := MakeInstitution(w).Obj()
	w.get(institution)
	accepted := institution.Status.Tokens
	looked := 0
	lose := func() {
		w.delete(w.binding())
		// Each change has the token read; those that come before the API server has noticed are not refused.
		w.eventually(func(g Gomega) {
			looked++
			w.change(institution, func() {
				metav1.SetMetaDataAnnotation(&institution.ObjectMeta, "looked", strconv.Itoa(looked))
			})
			w.get(institution)
			g.Expect(ready(institution).Reason).To(Equal(v1alpha1.ReasonAccessMissing))
		})
	}
	lose()
	g := NewWithT(t)
	g.Expect(ready(institution).Message).To(ContainSubstring("accepted for up to 5m0s"))
	g.Expect(institution.Status.Tokens).To(Equal(accepted))
	w.step(4 * time.Minute)
	w.create(w.binding())
	w.awaitReason(institution, v1alpha1.ReasonReady)
	g.Expect(institution.Status.Tokens).To(Equal(accepted))

	// The time before that does not count.
	lose()
	g.Expect(institution.Status.Tokens).To(Equal(accepted))
	w.step(5 * time.Minute)
	w.eventually(func(g Gomega) {
		w.get(institution)
		g.Expect(institution.Status.Tokens).To(Equal([]v1alpha1.TokenStatus{
			{SecretName: "token", State: v1alpha1.TokenForbidden}}))
	})
	g.Expect(ready(institution).Message).NotTo(ContainSubstring("accepted for up to"))
	w.create(w.binding())
	w.awaitReason(institution, v1alpha1.ReasonReady)
	g.Expect(institution.Status.Tokens).To(Equal(accepted))
}

// Who knows a token of others cannot have it refused to them by using it.
func TestTokenThatTwoInstitutionsShareStaysWithTheOlder(t *testing.T) {
	t.Parallel()
	w, other := makeWorld(t), makeWorld(t)
	g := NewWithT(t)
	w.beside = []string{other.namespace}
	w.create(MakeSecret(other, "copied").Token(w.token).Obj())
	first, second := MakeInstitution(w).Obj(), MakeInstitution(other).Tokens("copied").Obj()
	w.create(first)
	w.start()
	w.awaitReason(first, v1alpha1.ReasonReady)
	w.create(second)
	w.awaitReason(second, v1alpha1.ReasonTokenShared)
	g.Expect(second.Status.Tokens[0].State).To(Equal(v1alpha1.TokenShared))
	g.Expect(ready(second).Message).To(ContainSubstring("by another Institution"))
	w.eventually(func(g Gomega) {
		w.get(first)
		g.Expect(ready(first).Reason).To(Equal(v1alpha1.ReasonReady))
		g.Expect(ready(first).Message).To(ContainSubstring("the token in secret token is also that of a younger Institution"))
		g.Expect(first.Status.Tokens[0].State).To(Equal(v1alpha1.TokenAccepted))
	})
	w.awaitEvent(first, v1alpha1.ReasonTokenShared, "replace it")

	secret := MakeSecret(other, "copied").Obj()
	w.change(secret, func() { secret.Data[v1alpha1.SecretKeyToken] = []byte(other.token) })
	w.awaitReason(second, v1alpha1.ReasonReady)
	w.eventually(func(g Gomega) {
		w.get(first)
		g.Expect(ready(first).Message).To(Equal("accepting deliveries"))
	})
}

// Nor can who was there before: a token is whose it was, also while that Institution is being replaced.
func TestTokenStaysWithTheInstitutionThatHasIt(t *testing.T) {
	t.Parallel()
	w, other := makeWorld(t), makeWorld(t)
	w.beside = []string{other.namespace}
	w.patience.Replaced = time.Minute
	w.create(MakeSecret(other, "copied").Token(w.token).Obj(), MakeInstitution(other).Obj(),
		MakeCompletion(other, 1).Obj())
	w.start()
	older := MakeInstitution(other).Obj()
	w.awaitReason(older, v1alpha1.ReasonReady)
	w.create(MakeInstitution(w).Obj(), MakeCompletion(w, 1).Obj())
	holder := MakeInstitution(w).Obj()
	w.awaitReason(holder, v1alpha1.ReasonReady)
	w.change(older, func() {
		older.Spec.Authentication.TokenSecretRefs = []v1alpha1.TokenSecretReference{{Name: "token"}, {Name: "copied"}}
	})
	w.awaitReason(older, v1alpha1.ReasonTokenShared)
	stays := func(g Gomega) {
		w.get(older)
		g.Expect(ready(older).Reason).To(Equal(v1alpha1.ReasonTokenShared))
	}
	w.consistently(stays)
	w.delete(holder)
	w.touch(older)
	w.consistently(stays)
	holder = MakeInstitution(w).Obj()
	w.create(holder)
	w.awaitReason(holder, v1alpha1.ReasonReady)
	w.consistently(stays)

	// One that stays away has let go of it.
	w.delete(holder)
	w.step(2 * time.Minute)
	w.awaitReason(older, v1alpha1.ReasonReady)
}

func TestTokenIsRotatedWithoutAGap(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	g := NewWithT(t)
	next := "next-token-which-is-long-enough-as-well"
	w.create(MakeSecret(w, "next").Token(next).Obj())
	institution := MakeInstitution(w).Obj()
	w.change(institution, func() {
		institution.Spec.Authentication.TokenSecretRefs = []v1alpha1.TokenSecretReference{{Name: "token"}, {Name: "next"}}
	})
	w.awaitReason(institution, v1alpha1.ReasonReady)
	g.Expect(institution.Status.Tokens).To(Equal([]v1alpha1.TokenStatus{
		{SecretName: "token", State: v1alpha1.TokenAccepted, SHA256: digest(w.token)},
		{SecretName: "next", State: v1alpha1.TokenAccepted, SHA256: digest(next)},
	}))
	w.change(institution, func() {
		institution.Spec.Authentication.TokenSecretRefs = []v1alpha1.TokenSecretReference{{Name: "next"}}
	})
	w.awaitReason(institution, v1alpha1.ReasonReady)
	g.Expect(institution.Status.Tokens).To(Equal([]v1alpha1.TokenStatus{
		{SecretName: "next", State: v1alpha1.TokenAccepted, SHA256: digest(next)},
	}))
}

func TestInstitutionsThatCannotBeWorkedWith(t *testing.T) {
	t.Parallel()
	w := makeWorld(t)
	institution := MakeInstitution(w).Zone("Mars/Olympus_Mons").Obj()
	w.create(institution)
	w.start()
	w.awaitReason(institution, v1alpha1.ReasonInvalidTimeZone)
	g := NewWithT(t)
	g.Expect(stalled(institution)).To(BeTrue())
	g.Expect(ready(institution).Message).To(ContainSubstring("Mars/Olympus_Mons"))
	w.change(institution, func() { institution.Spec.TimeZone = "UTC" })
	w.awaitReason(institution, v1alpha1.ReasonReady)
	g.Expect(stalled(institution)).To(BeFalse())

	w.create(MakeSecret(w, "second").Token("second-token-which-is-long-enough-too").Obj())
	second := MakeInstitution(w).Name("second").Tokens("second").Obj()
	w.create(second)
	w.awaitReason(second, v1alpha1.ReasonDuplicateInstitution)
	w.awaitReason(institution, v1alpha1.ReasonDuplicateInstitution)
	w.delete(second)
	w.awaitReason(institution, v1alpha1.ReasonReady)
}
