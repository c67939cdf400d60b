// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"strings"
	"testing"
	"time"
)

// What is accepted as a moment is one that the API can hold, and says the same as the sender's text does in the zone,
// unless clocks were turned over it.
func FuzzMoment(f *testing.F) {
	f.Add("2023-07-03 12:53:41", "America/Sao_Paulo", int64(1_700_000_000))
	f.Add("1000-01-01 00:00:00", "Asia/Tokyo", int64(0))
	f.Fuzz(func(t *testing.T, sendAt, name string, now int64) {
		zone, err := time.LoadLocation(name)
		if err != nil || !inCalendar(time.DateTime, sendAt) {
			return
		}
		sentAt, fault := moment(sendAt, zone)
		if fault != nil {
			return
		}
		if again, _ := moment(sendAt, zone); !again.Equal(&sentAt) {
			t.Errorf("%s is %s and %s", sendAt, sentAt, again)
		}
		if year := sentAt.UTC().Year(); year < 1000 || year > 9999 {
			t.Errorf("%s became %s", sendAt, sentAt)
		}
		text, err := sentAt.MarshalJSON()
		if err != nil || len(text) != len(`"2006-01-02T15:04:05Z"`) {
			t.Errorf("%s became %s, %v", sendAt, text, err)
		}
		wall, _ := time.Parse(time.DateTime, sentAt.In(zone).Format(time.DateTime))
		meant, _ := time.Parse(time.DateTime, sendAt)
		if turned := wall.Sub(meant).Abs(); turned > 25*time.Hour {
			t.Errorf("%s in %s is off by %s", sendAt, name, turned)
		}
		at := time.Unix(now, 0)
		if at.Year() < 1 || at.Year() > 9999 {
			return
		}
		if late := ahead(sentAt, at) != nil; late != sentAt.After(at.Add(maxAhead)) {
			t.Errorf("%s at %s is ahead: %t", sentAt, at, late)
		}
	})
}

// A date or time that is accepted is written in one way only, and that of its type: texts are compared as they are.
func FuzzCalendar(f *testing.F) {
	f.Add("2024-02-29")
	f.Add("2023-02-29 00:00:00")
	f.Fuzz(func(t *testing.T, text string) {
		isDate, isTime := inCalendar(time.DateOnly, text), inCalendar(time.DateTime, text)
		switch {
		case isDate && isTime:
			t.Errorf("%q is a date and a time", text)
		case isDate && len(text) != len(time.DateOnly), isTime && len(text) != len(time.DateTime):
			t.Errorf("%q has an odd length", text)
		case (isDate || isTime) && strings.Trim(text, "0123456789-: ") != "":
			t.Errorf("%q has odd characters", text)
		}
	})
}
