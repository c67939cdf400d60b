// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// hidden stands for what a mask hides, always of the same length, so that the mask does not tell how much that was.
const hidden = "***"

// maxDomainLength is the greatest length of a domain (RFC 1035). A longer one in an address is no domain and is hidden.
const maxDomainLength = 253

// minimise applies what the institution says about personal data. Nothing may be stored or logged before it.
func minimise(user v1alpha1.CompletionUser, privacy v1alpha1.PrivacySpec) v1alpha1.CompletionUser {
	user.Name = handle(user.Name, privacy.Name, v1alpha1.DataKeep, maskText)
	user.Email = handle(user.Email, privacy.Email, v1alpha1.DataKeep, maskEmail)
	user.CPF = handle(user.CPF, privacy.CPF, v1alpha1.DataMask, maskCPF)
	user.Nickname = handle(user.Nickname, privacy.Nickname, v1alpha1.DataKeep, maskText)
	user.UUID = handle(user.UUID, privacy.UUID, v1alpha1.DataKeep, maskUUID)
	return user
}

// handle returns what is kept of a value; handling that is not set is the schema's default. Handling that this program
// does not know, because the API is newer, is at least as protective as it can be here.
func handle(text string, handling, preset v1alpha1.DataHandling, mask func(string) string) string {
	if handling == "" {
		handling = preset
	}
	switch {
	case text == "":
		return ""
	case handling == v1alpha1.DataKeep:
		return text
	case handling == v1alpha1.DataMask:
		return mask(text)
	default:
		return ""
	}
}

// maskText keeps the first letter.
func maskText(text string) string {
	_, size := utf8.DecodeRuneInString(text)
	return text[:size] + hidden
}

// maskEmail keeps the first letter and the domain; of what is no address, the first letter alone.
func maskEmail(text string) string {
	at := strings.LastIndexByte(text, '@')
	if !isEmail(text) || len(text)-at-1 > maxDomainLength {
		return maskText(text)
	}
	return maskText(text) + text[at:]
}

// maskCPF keeps the last two characters, which are the check digits, and the separators of the normal form. What is no
// CPF may be another country's number: it keeps as little, and nothing where two characters would be much of it.
func maskCPF(text string) string {
	if digits, ok := cpfDigits(text); ok {
		if len(text) > len(digits) {
			return "***.***.***-" + digits[9:]
		}
		return "*********" + digits[9:]
	}
	return lastOf(text, 2)
}

// maskUUID keeps the last four characters, and the dashes of the normal form.
func maskUUID(text string) string {
	if len(text) == 36 && uuid.Validate(text) == nil {
		return "********-****-****-****-********" + text[32:]
	}
	return lastOf(text, 4)
}

// lastOf keeps the last n characters of a text that is at least three times as long.
func lastOf(text string, n int) string {
	characters := []rune(text)
	if len(characters) < 3*n {
		return hidden
	}
	return hidden + string(characters[len(characters)-n:])
}
