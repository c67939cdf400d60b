// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"bytes"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// contractExample is the example of the sender's contract, byte for byte.
var contractExample = func() string {
	text, err := os.ReadFile("../../webhookserver/testdata/contract-example.json")
	if err != nil {
		panic(err)
	}
	return string(text)
}()

// planted is what a delivery may hold and no answer may quote.
const planted = "planted-8731"

// with returns the contract's example after replacements, each of something that occurs exactly once.
func with(t testing.TB, oldNew ...string) string {
	t.Helper()
	body := contractExample
	for i := 0; i < len(oldNew); i += 2 {
		if n := strings.Count(body, oldNew[i]); n != 1 {
			t.Fatalf("%q occurs %d times in the delivery", oldNew[i], n)
		}
		body = strings.Replace(body, oldNew[i], oldNew[i+1], 1)
	}
	return body
}

func TestDecodeRefusesWhatIsNotOneJSONValue(t *testing.T) {
	for _, tc := range []struct {
		name string
		body string
		want Fault
	}{
		{"empty", "", Fault{"", "ends before the JSON value is complete (at byte 0)"}},
		{"blank", " \n", Fault{"", "ends before the JSON value is complete (at byte 0)"}},
		{"cut off", `{"event":{"slug":"` + planted,
			Fault{"/event/slug", "ends before the JSON value is complete (at byte 30)"}},
		{"cut off after a member", `{"event":{}`, Fault{"", "ends before the JSON value is complete (at byte 11)"}},
		{"not JSON", planted, Fault{"", "is not valid JSON (at byte 0)"}},
		{"a form", "id=1&token=" + planted, Fault{"", "is not valid JSON (at byte 0)"}},
		{"a trailing comma", `{"event":{},}`, Fault{"", "is not valid JSON (at byte 11)"}},
		{"a comment", `{/* ` + planted + ` */}`, Fault{"", "is not valid JSON (at byte 1)"}},
		{"a number that is none", `{"data":{"user":{"id":01}}}`, Fault{"/data/user", "is not valid JSON (at byte 23)"}},
		{"two byte order marks", "\ufeff\ufeff{}", Fault{"", "is not valid JSON (at byte 3)"}},
		{"a byte order mark in the middle", "{\ufeff}", Fault{"", "is not valid JSON (at byte 1)"}},
		{"a fault after a byte order mark", "\ufeff{,}", Fault{"", "is not valid JSON (at byte 4)"}},
		{"a name twice", `{"event":{},"event":{}}`, Fault{"", "has a duplicate member name (at byte 12)"}},
		{"a name twice, once escaped", `{"data":{"user":{"id":1,"\u0069d":2}}}`,
			Fault{"/data/user", "has a duplicate member name (at byte 24)"}},
		{"an unknown name twice", `{"data":{"` + planted + `":{"a":1,"a":2}}}`,
			Fault{"/data", "has a duplicate member name (at byte 31)"}},
		{"trailing value", `{} {"a":"` + planted + `"}`,
			Fault{"", "is followed by more data; send a single JSON object (at byte 4)"}},
		{"trailing text", `{} ` + planted, Fault{"", "is not valid JSON (at byte 3)"}},
		{"not UTF-8", "{\"event\":{\"name\":\"\xe7\"}}", Fault{"", "must be valid UTF-8"}},
		{"UTF-16", "\xff\xfe{\x00}\x00", Fault{"", "must be valid UTF-8"}},
		{"names that are one once their halves of surrogate pairs are replaced", `{"event":{"a\ud800":1,"a\udbff":2}}`,
			Fault{"/event", "has a duplicate member name (at byte 22)"}},
		{"too deep", `{"x":` + strings.Repeat("[", 33) + strings.Repeat("]", 33) + `}`,
			Fault{"", "is nested more than 32 levels deep (at byte 37)"}},
		{"far too deep", strings.Repeat(`{"x":`, 100_000), Fault{"", "is nested more than 32 levels deep (at byte 161)"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			doc, fault := Decode([]byte(tc.body))
			if fault == nil {
				t.Fatalf("accepted as %v", doc)
			}
			if diff := cmp.Diff(tc.want, *fault); diff != "" {
				t.Errorf("fault (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDecodeCountsWhatTheContractDoesNotKnow(t *testing.T) {
	for _, tc := range []struct {
		name string
		body string
		want int
	}{
		{"nothing", contractExample, 0},
		{"one beside the rest", with(t, `{ "event": {`, `{ "version": 2, "event": {`), 1},
		{"with all it contains as one", with(t, `"user": {`, `"user": { "tags": [{"a":1},{"b":{"c":2}}],`), 1},
		{"in several objects", with(t, `"user": {`, `"user": { "x":1, "y":2,`, `"course": {`, `"course": { "x":1,`), 3},
		{"another case is another name", with(t, `"nickname"`, `"Nickname"`), 1},
		{"a name that looks like a path", with(t, `"data": {`, `"data": { "user/id": 1,`), 1},
		{"as deep as it may", with(t, `"data": {`, `"data": { "x":`+strings.Repeat("[", 30)+strings.Repeat("]", 30)+`,`), 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			doc, fault := Decode([]byte(tc.body))
			if fault != nil {
				t.Fatalf("refused: %v", *fault)
			}
			if doc.unknown != tc.want {
				t.Errorf("unknown fields: %d, want %d", doc.unknown, tc.want)
			}
			if _, faults := validate(doc, 12345); len(faults) > 0 {
				t.Errorf("refused: %v", faults)
			}
		})
	}
}

// FuzzDecode looks for a delivery that the server cannot handle, or accepts although it should not.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(contractExample))
	f.Add([]byte(with(f, `"date_expire": null`, `"date_expire": "2024-02-29"`, `"actived": 1`, `"actived": "false"`)))
	f.Add([]byte(with(f, `"send_at": "2023-07-03 12:53:41"`, `"send_at": "1000-01-01 00:00:00"`)))
	f.Add([]byte(with(f, `"id": 987654321`, `"id": 9223372036854775808`)))
	f.Add([]byte(with(f, `"Student"`, `"\u0000\ud83d\ude00"`, `"uuid": null`, `"uuid": 7, "extra": [{"a":{}}]`)))
	f.Add([]byte(`{"event":{},"event":{}}`))
	f.Add([]byte("\ufeff" + with(f, `"Student"`, `"\ud83d"`, `"date_expire": null`, `"date_expire": "0000-00-00"`)))
	f.Add([]byte(with(f, `"id": 11,`, `"id": "11",`, `"status": 1`, `"status": "1"`, `"123.456.789-99"`, `191`)))
	f.Add([]byte(with(f, `activities.course.completed`, `member.updated`)))
	f.Add([]byte(`{} {}`))
	f.Add([]byte(`[[[[`))
	f.Add([]byte("\xff"))
	mask := v1alpha1.DataMask
	masked := v1alpha1.PrivacySpec{Name: mask, Email: mask, CPF: mask, Nickname: mask, UUID: mask}
	f.Fuzz(func(t *testing.T, body []byte) {
		doc, fault := Decode(body)
		if fault != nil {
			if !slices.Contains(pointers[:], jsontext.Pointer(fault.Pointer)) {
				t.Errorf("the fault's pointer %q is not the contract's", fault.Pointer)
			}
			return
		}
		if !json.Valid(bytes.TrimPrefix(body, []byte("\ufeff"))) || !utf8.Valid(body) {
			t.Fatalf("accepted what is not JSON in UTF-8")
		}
		if slug := doc.OtherEvent(); slug != "" && (len(slug) > maxSlugLength || slug == v1alpha1.EventSlug) {
			t.Errorf("%q is another event", slug)
		}
		spec, faults := validate(doc, 12345)
		if len(faults) > 0 {
			return
		}
		if spec.Institution.ID != 12345 || spec.Course.ID < 1 || spec.Enrollment.ID < 1 || spec.User.ID < 1 {
			t.Errorf("accepted with the name %s", spec.Name())
		}
		warnings := warningsOf(&spec, doc)
		if len(warnings) > 16 {
			t.Errorf("%d warnings", len(warnings))
		}
		checkExact(t, doc, &spec)
		checkLengths(t, spec.User)
		checkLengths(t, minimise(spec.User, masked))
	})
}

// checkExact holds who, what and when against what was sent, digit by digit, and the texts against what may be shown.
func checkExact(t *testing.T, doc *Document, spec *v1alpha1.CourseCompletionSpec) {
	for at, id := range map[place]v1alpha1.PlatformID{
		atInstitutionID: spec.Institution.ID, atCourseID: spec.Course.ID, atEnrollmentID: spec.Enrollment.ID,
		atEnrollmentCourseID: spec.Enrollment.CourseID, atUserID: spec.User.ID,
	} {
		if sent := doc.values[at].text; sent != id.String() {
			t.Errorf("%s: %q became %s", pointers[at], sent, id)
		}
	}
	if date := spec.Enrollment.DateExpire; date != "" && !inCalendar(time.DateOnly, date) {
		t.Errorf("the date became %q", date)
	}
	for _, text := range []string{spec.Event.Name, spec.Course.Name, spec.User.Name, spec.User.Email, spec.User.CPF} {
		if strings.ContainsFunc(text, unicode.IsControl) {
			t.Errorf("%q has control characters", text)
		}
	}
}

// checkLengths holds a user against the bounds of the schema.
func checkLengths(t *testing.T, user v1alpha1.CompletionUser) {
	for field, within := range map[string]bool{
		"name":     utf8.RuneCountInString(user.Name) <= v1alpha1.MaxUserNameLength,
		"email":    utf8.RuneCountInString(user.Email) <= v1alpha1.MaxEmailLength,
		"cpf":      utf8.RuneCountInString(user.CPF) <= v1alpha1.MaxCPFLength,
		"nickname": utf8.RuneCountInString(user.Nickname) <= v1alpha1.MaxNicknameLength,
		"uuid":     utf8.RuneCountInString(user.UUID) <= v1alpha1.MaxUUIDLength,
	} {
		if !within {
			t.Errorf("%s is longer than the schema allows", field)
		}
	}
}
