// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"net/mail"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// warningsOf says what is odd about a delivery that is accepted all the same, always in the same order. It has to look
// before the institution's privacy is applied. A user without nickname and uuid is normal.
func warningsOf(spec *v1alpha1.CourseCompletionSpec, doc *Document) []v1alpha1.DeliveryWarning {
	user := &spec.User
	texts := []string{spec.Event.Name, spec.Course.Name, user.Name, user.Email, user.CPF, user.Nickname, user.UUID}
	checks := []struct {
		odd     bool
		warning v1alpha1.DeliveryWarning
	}{
		{spec.Enrollment.CourseID != spec.Course.ID, v1alpha1.WarningCourseIDsDiffer},
		{spec.Event.Name == "", v1alpha1.WarningEventNameMissing},
		{spec.Course.Name == "", v1alpha1.WarningCourseNameMissing},
		{user.Name == "", v1alpha1.WarningUserNameMissing},
		{user.Email == "", v1alpha1.WarningEmailMissing},
		{user.Email != "" && !isEmail(user.Email), v1alpha1.WarningEmailInvalid},
		{user.CPF == "", v1alpha1.WarningCPFMissing},
		{user.CPF != "" && !isCPF(user.CPF), v1alpha1.WarningCPFInvalid},
		{user.UUID != "" && uuid.Validate(user.UUID) != nil, v1alpha1.WarningUUIDInvalid},
		{isNoDate(doc.values[atEnrollmentDateExpire]), v1alpha1.WarningExpiryEmpty},
		{slices.ContainsFunc(texts, isReplaced), v1alpha1.WarningTextReplaced},
		{doc.unknown > 0, v1alpha1.WarningUnknownFields},
	}
	var warnings []v1alpha1.DeliveryWarning
	for _, check := range checks {
		if check.odd {
			warnings = append(warnings, check.warning)
		}
	}
	return warnings
}

// isReplaced tells whether some of a text could not be read.
func isReplaced(text string) bool { return strings.ContainsRune(text, utf8.RuneError) }

// isUnseen tells whether a letter shows nothing. Some that count as graphic do not, such as the Hangul fillers.
func isUnseen(r rune) bool {
	return !unicode.IsGraphic(r) || unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}

// isEmail tells whether text is a bare address, without a display name or brackets, and without anything that cannot be
// seen.
func isEmail(text string) bool {
	if isReplaced(text) || strings.ContainsFunc(text, isUnseen) {
		return false
	}
	address, err := mail.ParseAddress(text)
	return err == nil && address.Name == "" && address.Address == text
}

// cpfDigits returns the eleven digits of a CPF, written alone or as 000.000.000-00.
func cpfDigits(text string) (string, bool) {
	digits := text
	if len(text) == 14 && text[3] == '.' && text[7] == '.' && text[11] == '-' {
		digits = text[0:3] + text[4:7] + text[8:11] + text[12:14]
	}
	if len(digits) != 11 || strings.Trim(digits, "0123456789") != "" {
		return "", false
	}
	return digits, true
}

// isCPF tells whether text is a CPF with right check digits. Eleven equal digits have right ones too and are given to
// nobody.
func isCPF(text string) bool {
	digits, ok := cpfDigits(text)
	if !ok || strings.Count(digits, digits[:1]) == len(digits) {
		return false
	}
	for checked := 9; checked <= 10; checked++ {
		sum := 0
		for i := range checked {
			sum += int(digits[i]-'0') * (checked + 1 - i)
		}
		if want := sum * 10 % 11 % 10; int(digits[checked]-'0') != want {
			return false
		}
	}
	return true
}
