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

package controllers

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
