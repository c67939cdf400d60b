// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package institution

import (
	"crypto/rand"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/google/uuid"
	corev1 "k8s.io/api/core/v1"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

func TestTokensThatCanBeGuessedAreRefused(t *testing.T) {
	random := make([]byte, 16)
	_, _ = rand.Read(random)
	for name, tc := range map[string]struct {
		token string
		want  v1alpha1.TokenState
	}{
		"one character":                  {strings.Repeat("x", 32), v1alpha1.TokenInvalid},
		"a few":                          {strings.Repeat("abcdefg", 10), v1alpha1.TokenInvalid},
		"once published in the samples":  {"sample-token-replace-me-before-real-use-0123456789", v1alpha1.TokenInvalid},
		"published, with a line end":     {"sample-token-replace-me-before-real-use-0123456789\n", v1alpha1.TokenInvalid},
		"random in base32":               {rand.Text() + rand.Text(), v1alpha1.TokenAccepted},
		"random in hexadecimal":          {hex.EncodeToString(random), v1alpha1.TokenAccepted},
		"a random UUID":                  {uuid.NewString(), v1alpha1.TokenAccepted},
		"eight characters are different": {strings.Repeat("abcdefgh", 4), v1alpha1.TokenAccepted},
	} {
		secret := &corev1.Secret{
			Type: v1alpha1.SecretTypeWebhookToken, Data: map[string][]byte{v1alpha1.SecretKeyToken: []byte(tc.token)},
		}
		state, digest := accept(secret)
		if state != tc.want || (digest != "") != (tc.want == v1alpha1.TokenAccepted) {
			t.Errorf("%s: %s, want %s", name, state, tc.want)
		}
	}
}
