// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"regexp"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// maxSlugLength bounds the slug of an event.
const maxSlugLength = 128

// slugs are what events are called: words of letters and digits with dots, dashes, colons or underscores between them.
var slugs = regexp.MustCompile(`^[A-Za-z0-9]+([._:-][A-Za-z0-9]+)*$`)

// OtherEvent returns the slug of an event that is not about a completed course, and empty for everything else. A
// platform sends all the events that a URL is subscribed to, and may switch off one that refuses any, so that these are
// acknowledged whatever their data is. A slug that only almost says that a course was completed is no other event: its
// sender has to learn that it is refused.
func (doc *Document) OtherEvent() string {
	slug := doc.values[atEventSlug]
	if slug.kind != jsontext.KindString || len(slug.text) > maxSlugLength || !slugs.MatchString(slug.text) ||
		wordsOf(slug.text) == wordsOf(v1alpha1.EventSlug) {
		return ""
	}
	return slug.text
}

// wordsOf returns a slug without case and separators.
func wordsOf(slug string) string {
	return strings.ToLower(strings.Map(func(r rune) rune {
		if strings.ContainsRune("._:-", r) {
			return -1
		}
		return r
	}, slug))
}
