// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// Fault is one thing that is wrong with a delivery: where, as a JSON pointer, and what is expected there. It never
// quotes what was received.
type Fault struct {
	Pointer string `json:"pointer"`
	Detail  string `json:"detail"`
}

// validate reads a decoded delivery of an institution into a spec and returns everything that is wrong with it at once.
// The moment of the event, its zone and the delivery id are left to the caller.
//
// Who, what and when are strict, since access follows from them. What only describes may be absent, null, empty or odd:
// a refused delivery may be gone for good, and warnings say what was odd.
func validate(doc *Document, institution v1alpha1.PlatformID) (v1alpha1.CourseCompletionSpec, []Fault) {
	v := validator{doc: doc}
	for _, at := range []place{
		atDocument, atEvent, atData, atInstitution, atCourse, atEnrollment, atUser,
	} {
		v.object(at)
	}
	spec := v1alpha1.CourseCompletionSpec{
		Event: v1alpha1.CompletionEvent{
			Name:   v.text(atEventName, v1alpha1.MaxEventNameLength),
			Slug:   v.slug(atEventSlug),
			SendAt: v.when(atEventSendAt),
		},
		Institution: v1alpha1.CompletionInstitution{ID: v.institution(atInstitutionID, institution)},
		Course: v1alpha1.CompletionCourse{
			ID:   v.id(atCourseID),
			Name: v.text(atCourseName, v1alpha1.MaxCourseNameLength),
		},
		Enrollment: v1alpha1.CompletionEnrollment{
			ID:         v.id(atEnrollmentID),
			DateExpire: v.expiry(atEnrollmentDateExpire),
			CourseID:   v.id(atEnrollmentCourseID),
			Activated:  v.flag(atEnrollmentActived),
			Status:     v.status(atEnrollmentStatus),
		},
		User: v1alpha1.CompletionUser{
			ID:       v.id(atUserID),
			Name:     v.text(atUserName, v1alpha1.MaxUserNameLength),
			Email:    v.text(atUserEmail, v1alpha1.MaxEmailLength),
			CPF:      v.cpf(atUserCPF),
			Nickname: v.text(atUserNickname, v1alpha1.MaxNicknameLength),
			UUID:     v.text(atUserUUID, v1alpha1.MaxUUIDLength),
		},
	}
	return spec, v.faults
}

// validator reads the values of a delivery and gathers what is wrong with them.
type validator struct {
	doc    *Document
	faults []Fault
}

func (v *validator) refuse(at place, detail string) {
	v.faults = append(v.faults, Fault{Pointer: string(pointers[at]), Detail: detail})
}

// expected tells whether there could be a value at a place at all. Where the object around it is missing, that one
// fault says enough.
func (v *validator) expected(at place) bool {
	return at == atDocument || v.doc.values[parents[at]].kind == jsontext.KindBeginObject
}

// require returns the value at a place and refuses its absence.
func (v *validator) require(at place) (value, bool) {
	got := v.doc.values[at]
	ok := got.kind != jsontext.KindInvalid
	if !ok && v.expected(at) {
		v.refuse(at, "is required")
	}
	return got, ok
}

func (v *validator) object(at place) {
	if got, ok := v.require(at); ok && got.kind != jsontext.KindBeginObject {
		v.refuse(at, "must be a JSON object")
	}
}

// id reads a number of the platform, digit by digit; databases hand some platforms their numbers as strings. 1.0 and
// 1e5 are somebody's rounding or guessing, and an id that is nearly right is another person's.
func (v *validator) id(at place) v1alpha1.PlatformID {
	got, ok := v.require(at)
	if !ok {
		return 0
	}
	if got.kind == jsontext.KindNumber || got.kind == jsontext.KindString {
		if id, err := strconv.ParseInt(got.text, 10, 64); err == nil && id >= 1 && strconv.FormatInt(id, 10) == got.text {
			return v1alpha1.PlatformID(id)
		}
	}
	v.refuse(at,
		"must be an integer from 1 to 9223372036854775807, without fraction or exponent, or a string of its digits")
	return 0
}

func (v *validator) institution(at place, want v1alpha1.PlatformID) v1alpha1.PlatformID {
	id := v.id(at)
	if id != 0 && id != want {
		v.refuse(at, "must be the institution in the webhook URL")
	}
	return id
}

func (v *validator) slug(at place) string {
	got, ok := v.require(at)
	if ok && (got.kind != jsontext.KindString || got.text != v1alpha1.EventSlug) {
		v.refuse(at, fmt.Sprintf("must be the string %q", v1alpha1.EventSlug))
	}
	return got.text
}

// earliest is the first time that the API holds.
const earliest = "1000-01-01 00:00:00"

// when reads a date and time without a zone.
func (v *validator) when(at place) string {
	got, ok := v.require(at)
	if ok && (got.kind != jsontext.KindString || !inCalendar(time.DateTime, got.text) || got.text < earliest) {
		v.refuse(at, "must be a valid date and time as a string, yyyy-MM-dd HH:mm:ss, in the years 1000 to 9999")
	}
	return got.text
}

// midnight is what a database appends to a date that it has in a column for times.
const midnight = " 00:00:00"

// expiry reads a date, or null. Other times of a day than midnight would say more than a date can hold.
func (v *validator) expiry(at place) string {
	got, ok := v.require(at)
	if !ok || got.kind == jsontext.KindNull || isNoDate(got) {
		return ""
	}
	date := strings.TrimSuffix(got.text, midnight)
	if got.kind != jsontext.KindString || !inCalendar(time.DateOnly, date) {
		v.refuse(at, "must be null or a valid date as a string, yyyy-MM-dd, in the years 0001 to 9999")
	}
	return date
}

// isNoDate tells whether a value is what databases have in the place of a date that there is not.
func isNoDate(v value) bool {
	return v.kind == jsontext.KindString && (v.text == "" || strings.TrimSuffix(v.text, midnight) == "0000-00-00")
}

// inCalendar tells whether text is exactly in the layout; parsing alone also takes fractions and single digits.
func inCalendar(layout, text string) bool {
	parsed, err := time.Parse(layout, text)
	return err == nil && parsed.Year() >= 1 && parsed.Format(layout) == text
}

// flag reads a boolean, which the contract's example writes as a number.
func (v *validator) flag(at place) *bool {
	got, ok := v.require(at)
	if !ok {
		return nil
	}
	switch got.kind {
	case jsontext.KindTrue, jsontext.KindFalse, jsontext.KindNumber, jsontext.KindString:
		switch got.text {
		case "1", "true":
			return new(true)
		case "0", "false":
			return new(false)
		}
	}
	v.refuse(at, "must be 1, 0, true or false, or one of these as a string")
	return nil
}

// status reads what is a flag too, and is kept as the number that the contract has.
func (v *validator) status(at place) *int32 {
	switch flag := v.flag(at); {
	case flag == nil:
		return nil
	case *flag:
		return new(int32(1))
	default:
		return new(int32(0))
	}
}

// text reads a descriptive string, which may be absent or null, of at most limit characters. Some programs write what
// looks like a number as one; it is taken as it is written.
func (v *validator) text(at place, limit int) string {
	got := v.doc.values[at]
	switch {
	case got.kind == jsontext.KindInvalid || got.kind == jsontext.KindNull:
		return ""
	case got.kind != jsontext.KindString && got.kind != jsontext.KindNumber:
		v.refuse(at, "must be a string or null")
	case utf8.RuneCountInString(got.text) > limit:
		v.refuse(at, fmt.Sprintf("must have at most %d characters", limit))
	}
	return legible(got.text)
}

// cpfLength is how many digits a CPF has.
const cpfLength = 11

// cpf reads a CPF. As a number it has lost its leading zeros, which are put back.
func (v *validator) cpf(at place) string {
	text := v.text(at, v1alpha1.MaxCPFLength)
	if v.doc.values[at].kind == jsontext.KindNumber && len(text) < cpfLength && strings.Trim(text, "0123456789") == "" {
		return strings.Repeat("0", cpfLength-len(text)) + text
	}
	return text
}

// legible returns a text without what would act on whoever displays it, or hide in it: control characters, and those
// that turn the direction of what follows. White space becomes a space; the others are replaced and not left out, since
// a name or an address without them could be another one.
func legible(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= '\t' && r <= '\r', r == '\u0085', r == '\u2028', r == '\u2029':
			return ' '
		case unicode.IsControl(r), r >= '\u202a' && r <= '\u202e', r >= '\u2066' && r <= '\u2069':
			return utf8.RuneError
		default:
			return r
		}
	}, text)
}

// maxAhead is how far the time of an event may lie in the future: more than any zone and any clock that is kept.
const maxAhead = 48 * time.Hour

// ahead refuses a time that is yet to come. It would be newer than every delivery of years, and none of them would
// count.
func ahead(sentAt metav1.Time, now time.Time) *Fault {
	if sentAt.Sub(now) <= maxAhead {
		return nil
	}
	return &Fault{Pointer: string(pointers[atEventSendAt]), Detail: "must not be more than 48 hours in the future"}
}

// moment reads the sender's date and time in the zone of the institution. Where a clock was turned, it takes one of the
// two readings, on every replica the same. The fault is about the first and last hours of the calendar, whose moment
// the API cannot hold.
func moment(sendAt string, zone *time.Location) (metav1.Time, *Fault) {
	local, err := time.ParseInLocation(time.DateTime, sendAt, zone)
	if year := local.UTC().Year(); err != nil || year < 1000 || year > 9999 {
		return metav1.Time{}, &Fault{
			Pointer: string(pointers[atEventSendAt]),
			Detail:  "must also be in the years 1000 to 9999 in UTC",
		}
	}
	return metav1.NewTime(local.UTC()), nil
}

// zoneOf returns the zone in which an institution's times are meant. Two names that Go takes depend on the machine or
// stand for nothing, so they are no answer here.
func zoneOf(institution *v1alpha1.Institution) (*time.Location, error) {
	name := institution.Spec.TimeZone
	if name == "" || strings.EqualFold(name, "local") {
		return nil, fmt.Errorf("spec.timeZone of the institution is %q, which is not a time zone: use an IANA name such as "+
			"America/Sao_Paulo", name)
	}
	if zone, ok := zones.Load(name); ok {
		return zone.(*time.Location), nil
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		return nil, fmt.Errorf("spec.timeZone of the institution: %w", err)
	}
	zones.Store(name, zone)
	return zone, nil
}

// zones are those that institutions had, by name: finding one reads a file. There are no more than the database has.
var zones sync.Map
