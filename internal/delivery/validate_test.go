// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// What the sender is told.
const (
	saysObject   = "must be a JSON object"
	saysRequired = "is required"
	saysID       = "must be an integer from 1 to 9223372036854775807, without fraction or exponent, or a string of its " +
		"digits"
	saysSlug   = `must be the string "activities.course.completed"`
	saysSendAt = "must be a valid date and time as a string, yyyy-MM-dd HH:mm:ss, in the years 1000 to 9999"
	saysDate   = "must be null or a valid date as a string, yyyy-MM-dd, in the years 0001 to 9999"
	saysFlag   = "must be 1, 0, true or false, or one of these as a string"
	saysText   = "must be a string or null"
)

func TestValidateReadsTheContractsExample(t *testing.T) {
	doc, fault := Decode([]byte(contractExample))
	if fault != nil {
		t.Fatalf("refused: %v", *fault)
	}
	got, faults := validate(doc, 12345)
	if len(faults) > 0 {
		t.Fatalf("refused: %v", faults)
	}
	want := v1alpha1.CourseCompletionSpec{
		Event: v1alpha1.CompletionEvent{
			Name: "Atividades - Curso concluído", Slug: "activities.course.completed", SendAt: "2023-07-03 12:53:41",
		},
		Institution: v1alpha1.CompletionInstitution{ID: 12345},
		Course:      v1alpha1.CompletionCourse{ID: 123456, Name: "Course Name"},
		Enrollment: v1alpha1.CompletionEnrollment{
			ID: 11, CourseID: 123456789, Activated: new(true), Status: new(int32(1)),
		},
		User: v1alpha1.CompletionUser{
			ID: 987654321, Name: "Student", Email: "student@toolzz.com", CPF: "123.456.789-99",
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("spec (-want +got):\n%s", diff)
	}
}

// sample is a field of the contract as it stands in the example, and what to say where it is refused.
type sample struct {
	pointer, text, says string
}

func TestValidateRefusesValues(t *testing.T) {
	var (
		institutionID = sample{"/data/institution/id", `"id": 12345 }`, saysID}
		courseID      = sample{"/data/course/id", `"id": 123456,`, saysID}
		enrollmentID  = sample{"/data/enrollment/id", `"id": 11,`, saysID}
		courseIDAgain = sample{"/data/enrollment/course_id", `"course_id": 123456789`, saysID}
		userID        = sample{"/data/user/id", `"id": 987654321`, saysID}
		slug          = sample{"/event/slug", `"slug": "activities.course.completed"`, saysSlug}
		sendAt        = sample{"/event/send_at", `"send_at": "2023-07-03 12:53:41"`, saysSendAt}
		dateExpire    = sample{"/data/enrollment/date_expire", `"date_expire": null`, saysDate}
		actived       = sample{"/data/enrollment/actived", `"actived": 1`, saysFlag}
		status        = sample{"/data/enrollment/status", `"status": 1`, saysFlag}
		eventName     = sample{"/event/name", `"name": "Atividades - Curso concluído"`, saysText}
		courseName    = sample{"/data/course/name", `"name": "Course Name"`, saysText}
		userName      = sample{"/data/user/name", `"name": "Student"`, saysText}
		email         = sample{"/data/user/email", `"email": "student@toolzz.com"`, saysText}
		cpf           = sample{"/data/user/cpf", `"cpf": "123.456.789-99"`, saysText}
		nickname      = sample{"/data/user/nickname", `"nickname": null`, saysText}
		uuid          = sample{"/data/user/uuid", `"uuid": null`, saysText}
	)
	ids := []sample{institutionID, courseID, enrollmentID, courseIDAgain, userID}
	texts := []sample{eventName, courseName, userName, email, cpf, nickname, uuid}
	for _, tc := range []struct {
		name   string
		fields []sample
		// values are refused in each of the fields.
		values []string
	}{
		{"ids", ids, []string{
			"0", "-1", "-0", "1.0", "1e5", "1.5", "9223372036854775808", "123456789012345678901234567890",
			`"0"`, `"-7"`, `"+7"`, `"07"`, `" 7"`, `"7 "`, `"7.0"`, `"7e2"`, `"0x7"`, `"٧"`, `"9223372036854775808"`, `""`,
			`"7\ud800"`, `"` + planted + `"`, "null", "true", "{}", "[7]",
		}},
		{"slug", []sample{slug}, []string{
			`"activities.course.Completed"`, `" activities.course.completed"`, `"` + planted + `"`, `""`, "null", "1", "[]",
		}},
		{"send_at", []sample{sendAt}, []string{
			`"2023-02-29 12:00:00"`, `"2023-13-01 12:00:00"`, `"2023-00-10 12:00:00"`, `"0000-01-01 00:00:00"`,
			`"0999-12-31 23:59:59"`,
			`"2023-07-03 24:00:00"`, `"2023-07-03 23:59:60"`, `"2023-07-03 1:53:41"`, `"2023-07-03T12:53:41"`,
			`"2023-07-03 12:53:41.5"`, `"2023-07-03 12:53:41Z"`, `"2023-07-03"`, `"10000-01-01 00:00:00"`,
			`" 2023-07-03 12:53:41"`, `"` + planted + `"`, `""`, "null", "1688388821", "{}",
		}},
		{"date_expire", []sample{dateExpire}, []string{
			`"2023-02-29"`, `"2023-7-3"`, `"0000-01-01"`, `"2023-07-03 00:00:01"`, `"2023-07-03T00:00:00"`,
			`"2023-07-03 00:00"`, `"2023-02-29 00:00:00"`, `"0000-00-00 12:00:00"`, `"0000-00-01"`, `" 00:00:00"`, `" "`,
			`"03/07/2023"`, `"` + planted + `"`, "0", "false", "[]",
		}},
		{"actived", []sample{actived}, []string{
			"2", "-0", "1.0", `"yes"`, `"True"`, `""`, `"` + planted + `"`, "null", "{}", "[1]",
		}},
		{"status", []sample{status}, []string{"2", "-1", "-0", "1.0", `"2"`, `"active"`, `""`, "null", "{}"}},
		{"texts", texts, []string{"true", "false", `{"` + planted + `":1}`, `["` + planted + `"]`}},
	} {
		for _, field := range tc.fields {
			name, _, _ := strings.Cut(field.text, ":")
			end := ""
			switch field {
			case courseID, enrollmentID:
				end = ","
			case institutionID:
				end = " }"
			}
			for _, bad := range tc.values {
				t.Run(field.pointer+" "+bad, func(t *testing.T) {
					got := faultsOf(t, with(t, field.text, name+": "+bad+end))
					if diff := cmp.Diff([]Fault{{field.pointer, field.says}}, got); diff != "" {
						t.Errorf("faults (-want +got):\n%s", diff)
					}
				})
			}
		}
	}
}

// faultsOf returns what is wrong with a delivery of the institution 12345 that is JSON.
func faultsOf(t *testing.T, body string) []Fault {
	t.Helper()
	doc, fault := Decode([]byte(body))
	if fault != nil {
		t.Fatalf("not JSON: %v", *fault)
	}
	_, faults := validate(doc, 12345)
	return faults
}

func TestValidateAcceptsValues(t *testing.T) {
	long := func(length int) string { return `"` + strings.Repeat("ç", length) + `"` }
	for _, tc := range []struct {
		name   string
		oldNew []string
		want   func(*v1alpha1.CourseCompletionSpec)
	}{
		{"the greatest id", []string{`"id": 987654321`, `"id": 9223372036854775807`},
			func(s *v1alpha1.CourseCompletionSpec) { s.User.ID = 9223372036854775807 }},
		{"the least id", []string{`"id": 987654321`, `"id": 1`}, func(s *v1alpha1.CourseCompletionSpec) { s.User.ID = 1 }},
		{"actived 0", []string{`"actived": 1`, `"actived": 0`}, inactive},
		{"actived false", []string{`"actived": 1`, `"actived": false`}, inactive},
		{`actived "0"`, []string{`"actived": 1`, `"actived": "0"`}, inactive},
		{`actived "false"`, []string{`"actived": 1`, `"actived": "false"`}, inactive},
		{"actived true", []string{`"actived": 1`, `"actived": true`}, unchanged},
		{`actived "1"`, []string{`"actived": 1`, `"actived": "1"`}, unchanged},
		{`actived "true"`, []string{`"actived": 1`, `"actived": "true"`}, unchanged},
		{"status 0", []string{`"status": 1`, `"status": 0`},
			func(s *v1alpha1.CourseCompletionSpec) { s.Enrollment.Status = new(int32(0)) }},
		{`status "0"`, []string{`"status": 1`, `"status": "0"`},
			func(s *v1alpha1.CourseCompletionSpec) { s.Enrollment.Status = new(int32(0)) }},
		{`status "1"`, []string{`"status": 1`, `"status": "1"`}, unchanged},
		{"status true", []string{`"status": 1`, `"status": true`}, unchanged},
		{"ids as strings", []string{`"id": 12345 }`, `"id": "12345" }`, `"id": 123456,`, `"id": "123456",`, `"id": 11,`,
			`"id": "11",`, `"course_id": 123456789`, `"course_id": "123456789"`, `"id": 987654321`, `"id": "987654321"`},
			unchanged},
		{"an id as a string that no double holds", []string{`"id": 987654321`, `"id": "9007199254740993"`},
			func(s *v1alpha1.CourseCompletionSpec) { s.User.ID = 9007199254740993 }},
		{"an id that no double holds", []string{`"id": 987654321`, `"id": 9007199254740993`},
			func(s *v1alpha1.CourseCompletionSpec) { s.User.ID = 9007199254740993 }},
		{"a date of zeros", []string{`null, "course_id"`, `"0000-00-00", "course_id"`}, unchanged},
		{"a date of zeros with a time", []string{`null, "course_id"`, `"0000-00-00 00:00:00", "course_id"`}, unchanged},
		{"an empty date", []string{`null, "course_id"`, `"", "course_id"`}, unchanged},
		{"a date at midnight", []string{`null, "course_id"`, `"2027-01-31 00:00:00", "course_id"`},
			func(s *v1alpha1.CourseCompletionSpec) { s.Enrollment.DateExpire = "2027-01-31" }},
		{"a CPF as a number", []string{`"123.456.789-99"`, "12345678909"},
			func(s *v1alpha1.CourseCompletionSpec) { s.User.CPF = "12345678909" }},
		{"a CPF as a number that has lost its zeros", []string{`"123.456.789-99"`, "191"},
			func(s *v1alpha1.CourseCompletionSpec) { s.User.CPF = "00000000191" }},
		{"a longer number as CPF", []string{`"123.456.789-99"`, "123456789012345678901"},
			func(s *v1alpha1.CourseCompletionSpec) { s.User.CPF = "123456789012345678901" }},
		{"a number as CPF that is none", []string{`"123.456.789-99"`, "-1.5e3"},
			func(s *v1alpha1.CourseCompletionSpec) { s.User.CPF = "-1.5e3" }},
		{"names that look like numbers", []string{`"Course Name"`, "1984", `"nickname": null`, `"nickname": 7.0`},
			func(s *v1alpha1.CourseCompletionSpec) { s.Course.Name, s.User.Nickname = "1984", "7.0" }},
		{"halves of surrogate pairs", []string{`"Student"`, `"Ana \ud83d!"`, `"Course Name"`, `"\ude00\ud83d\ude00"`},
			func(s *v1alpha1.CourseCompletionSpec) { s.User.Name, s.Course.Name = "Ana \ufffd!", "\ufffd😀" }},
		{"control characters", []string{
			`"Student"`, `"A\u0000n\u001b[31ma\u007f\u009b"`, `student@toolzz`, `stu\u202edent@toolzz`,
		},
			func(s *v1alpha1.CourseCompletionSpec) {
				s.User.Name, s.User.Email = "A\ufffdn\ufffd[31ma\ufffd\ufffd", "stu\ufffddent@toolzz.com"
			}},
		{"white space that is no space", []string{`"Student"`, `"Ana\tMaria\r\n\u2028Souza"`},
			func(s *v1alpha1.CourseCompletionSpec) { s.User.Name = "Ana Maria   Souza" }},
		{"marks and joiners that languages need", []string{`"Student"`, `"می\u200cخواهم \u200f👩\u200d🎓"`},
			func(s *v1alpha1.CourseCompletionSpec) { s.User.Name = "می\u200cخواهم \u200f👩\u200d🎓" }},
		{"a leap day", []string{`null, "course_id"`, `"2024-02-29", "course_id"`},
			func(s *v1alpha1.CourseCompletionSpec) { s.Enrollment.DateExpire = "2024-02-29" }},
		{"the last day", []string{`null, "course_id"`, `"9999-12-31", "course_id"`},
			func(s *v1alpha1.CourseCompletionSpec) { s.Enrollment.DateExpire = "9999-12-31" }},
		{"no descriptions at all", []string{
			`"name": "Atividades - Curso concluído", `, "", `, "name": "Course Name"`, "",
			`, "name": "Student", "email": "student@toolzz.com", "cpf": "123.456.789-99", "nickname": null, "uuid": null`, "",
		}, undescribed},
		{"null descriptions", []string{
			`"Atividades - Curso concluído"`, "null", `"Course Name"`, "null", `"Student"`, "null",
			`"student@toolzz.com"`, "null", `"123.456.789-99"`, "null",
		}, undescribed},
		{"empty descriptions", []string{
			`"Atividades - Curso concluído"`, `""`, `"Course Name"`, `""`, `"Student"`, `""`,
			`"student@toolzz.com"`, `""`, `"123.456.789-99"`, `""`, `"nickname": null`, `"nickname": ""`,
			`"uuid": null`, `"uuid": ""`,
		}, undescribed},
		{"texts as long as they may be, counted in characters", []string{
			`"Atividades - Curso concluído"`, long(256), `"Course Name"`, long(512), `"Student"`, long(256),
			`"student@toolzz.com"`, long(320), `"123.456.789-99"`, long(32), `"nickname": null`, `"nickname": ` + long(256),
			`"uuid": null`, `"uuid": ` + long(128),
		}, func(s *v1alpha1.CourseCompletionSpec) {
			s.Event.Name, s.Course.Name = strings.Repeat("ç", 256), strings.Repeat("ç", 512)
			s.User.Name, s.User.Email = strings.Repeat("ç", 256), strings.Repeat("ç", 320)
			s.User.CPF, s.User.Nickname = strings.Repeat("ç", 32), strings.Repeat("ç", 256)
			s.User.UUID = strings.Repeat("ç", 128)
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			want := read(t, "\ufeff"+contractExample)
			tc.want(&want)
			if diff := cmp.Diff(want, read(t, with(t, tc.oldNew...))); diff != "" {
				t.Errorf("spec (-want +got):\n%s", diff)
			}
		})
	}
}

func unchanged(*v1alpha1.CourseCompletionSpec) {}

func inactive(s *v1alpha1.CourseCompletionSpec) { s.Enrollment.Activated = new(false) }

func undescribed(s *v1alpha1.CourseCompletionSpec) {
	s.Event.Name, s.Course.Name = "", ""
	s.User = v1alpha1.CompletionUser{ID: s.User.ID}
}

// read returns the spec of a delivery of the institution 12345 that is right.
func read(t *testing.T, body string) v1alpha1.CourseCompletionSpec {
	t.Helper()
	doc, fault := Decode([]byte(body))
	if fault != nil {
		t.Fatalf("not JSON: %v", *fault)
	}
	spec, faults := validate(doc, 12345)
	if len(faults) > 0 {
		t.Fatalf("refused: %v", faults)
	}
	return spec
}

func TestValidateNamesEveryFaultAtOnce(t *testing.T) {
	long := `"` + strings.Repeat(planted, 60) + `"`
	for _, tc := range []struct {
		name string
		body string
		want []Fault
	}{
		{"not an object", `["` + planted + `"]`, []Fault{{"", saysObject}}},
		{"null", `null`, []Fault{{"", saysObject}}},
		{"empty", `{}`, []Fault{{"/event", saysRequired}, {"/data", saysRequired}}},
		{"objects of another type", `{"event":"` + planted + `","data":{"institution":12345,"course":null,"enrollment":[],` +
			`"user":true}}`, []Fault{
			{"/event", saysObject}, {"/data/institution", saysObject}, {"/data/course", saysObject},
			{"/data/enrollment", saysObject}, {"/data/user", saysObject},
		}},
		{"empty objects", `{"event":{},"data":{"institution":{},"course":{},"enrollment":{},"user":{}}}`, []Fault{
			{"/event/slug", saysRequired}, {"/event/send_at", saysRequired},
			{"/data/institution/id", saysRequired}, {"/data/course/id", saysRequired},
			{"/data/enrollment/id", saysRequired}, {"/data/enrollment/date_expire", saysRequired},
			{"/data/enrollment/course_id", saysRequired}, {"/data/enrollment/actived", saysRequired},
			{"/data/enrollment/status", saysRequired}, {"/data/user/id", saysRequired},
		}},
		{"another institution", with(t, `"id": 12345 }`, `"id": 12346 }`), []Fault{
			{"/data/institution/id", "must be the institution in the webhook URL"},
		}},
		{"everything wrong", `{"event":{"name":` + long + `,"slug":"` + planted + `","send_at":"` + planted + `"},` +
			`"data":{"institution":{"id":7},"course":{"id":"` + planted + `","name":` + long + `},` +
			`"enrollment":{"id":0,"date_expire":"` + planted + `","course_id":1.5,"actived":"` + planted + `","status":3},` +
			`"user":{"id":null,"name":` + long + `,"email":` + long + `,"cpf":` + long + `,"nickname":` + long + `,"uuid":` +
			long + `}}}`, []Fault{
			{"/event/name", "must have at most 256 characters"}, {"/event/slug", saysSlug}, {"/event/send_at", saysSendAt},
			{"/data/institution/id", "must be the institution in the webhook URL"},
			{"/data/course/id", saysID}, {"/data/course/name", "must have at most 512 characters"},
			{"/data/enrollment/id", saysID}, {"/data/enrollment/date_expire", saysDate},
			{"/data/enrollment/course_id", saysID}, {"/data/enrollment/actived", saysFlag},
			{"/data/enrollment/status", saysFlag},
			{"/data/user/id", saysID}, {"/data/user/name", "must have at most 256 characters"},
			{"/data/user/email", "must have at most 320 characters"}, {"/data/user/cpf", "must have at most 32 characters"},
			{"/data/user/nickname", "must have at most 256 characters"},
			{"/data/user/uuid", "must have at most 128 characters"},
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, faultsOf(t, tc.body)); diff != "" {
				t.Errorf("faults (-want +got):\n%s", diff)
			}
		})
	}
}

func TestMoment(t *testing.T) {
	for _, tc := range []struct {
		name      string
		sendAt    string
		zone      string
		want      string
		wantFault bool
	}{
		{"west of Greenwich", "2023-07-03 12:53:41", "America/Sao_Paulo", "2023-07-03T15:53:41Z", false},
		{"when the zone still had summer time", "2018-12-01 12:00:00", "America/Sao_Paulo", "2018-12-01T14:00:00Z", false},
		{"an hour that the clock left out", "2018-11-04 00:30:00", "America/Sao_Paulo", "2018-11-04T02:30:00Z", false},
		{"east of Greenwich", "2024-01-01 00:00:00", "Asia/Tokyo", "2023-12-31T15:00:00Z", false},
		{"UTC", "2024-01-01 00:00:00", "UTC", "2024-01-01T00:00:00Z", false},
		{"the first", "1000-01-01 00:00:00", "UTC", "1000-01-01T00:00:00Z", false},
		{"before the first", "0999-12-31 23:59:59", "UTC", "", true},
		{"before the first in UTC", "1000-01-01 00:00:00", "Asia/Tokyo", "", true},
		{"after the calendar in UTC", "9999-12-31 23:59:59", "America/Sao_Paulo", "", true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			institution := &v1alpha1.Institution{}
			institution.Spec.TimeZone = tc.zone
			zone, err := zoneOf(institution)
			if err != nil {
				t.Fatal(err)
			}
			got, fault := moment(tc.sendAt, zone)
			if (fault != nil) != tc.wantFault {
				t.Fatalf("fault: %v, want one: %t", fault, tc.wantFault)
			}
			if fault == nil && got.Format(time.RFC3339) != tc.want {
				t.Errorf("got %s, want %s", got.Format(time.RFC3339), tc.want)
			}
		})
	}
}

func TestZoneOfRefusesWhatNamesNoZone(t *testing.T) {
	for _, zone := range []string{"", "Local", "local", "America/Nowhere", "../etc/passwd"} {
		institution := &v1alpha1.Institution{}
		institution.Spec.TimeZone = zone
		if got, err := zoneOf(institution); err == nil {
			t.Errorf("%q is taken for %s", zone, got)
		}
	}
}

func TestAhead(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	for name, tc := range map[string]struct {
		sentAt time.Time
		want   bool
	}{
		"in the past":                  {time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC), false},
		"two days ahead":               {now.Add(48 * time.Hour), false},
		"more than two days ahead":     {now.Add(48*time.Hour + time.Second), true},
		"at the end of all time":       {time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC), true},
		"at the beginning of all time": {time.Date(1, 1, 1, 0, 0, 1, 0, time.UTC), false},
	} {
		t.Run(name, func(t *testing.T) {
			fault := ahead(metav1.NewTime(tc.sentAt), now)
			if (fault != nil) != tc.want {
				t.Fatalf("got %v, want a fault: %v", fault, tc.want)
			}
			if fault != nil && fault.Pointer != "/event/send_at" {
				t.Errorf("pointer %q", fault.Pointer)
			}
		})
	}
}
