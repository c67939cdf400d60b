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
