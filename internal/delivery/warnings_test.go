// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

func TestWarnings(t *testing.T) {
	for _, tc := range []struct {
		name   string
		oldNew []string
		want   []v1alpha1.DeliveryWarning
	}{
		{"the contract's example", nil,
			[]v1alpha1.DeliveryWarning{"CourseIDsDiffer", "CPFInvalid"}},
		{"nothing odd", []string{`"course_id": 123456789`, `"course_id": 123456`, "789-99", "789-09",
			`"uuid": null`, `"uuid": "0198c5a1-7d3e-7c11-9f2a-3b5d7e9f1a2b"`}, nil},
		{"a CPF of digits alone", []string{`"course_id": 123456789`, `"course_id": 123456`, "123.456.789-99", "12345678909"},
			nil},
		{"nothing described and something unknown", []string{
			`"name": "Atividades - Curso concluído", `, `"x": 1, `, `"Course Name"`, "null", `"Student"`, `""`,
			`"student@toolzz.com"`, "null", `"123.456.789-99"`, "null",
		}, []v1alpha1.DeliveryWarning{
			"CourseIDsDiffer", "EventNameMissing", "CourseNameMissing", "UserNameMissing", "EmailMissing", "CPFMissing",
			"UnknownFields",
		}},
		{"what a database has for no date", []string{`"date_expire": null`, `"date_expire": "0000-00-00"`},
			[]v1alpha1.DeliveryWarning{"CourseIDsDiffer", "CPFInvalid", "ExpiryEmpty"}},
		{"half an emoji in a name", []string{`"Student"`, `"Ana \ud83d"`},
			[]v1alpha1.DeliveryWarning{"CourseIDsDiffer", "CPFInvalid", "TextReplaced"}},
		{"a control character in an address", []string{`student@toolzz`, `stu\u0000dent@toolzz`},
			[]v1alpha1.DeliveryWarning{"CourseIDsDiffer", "EmailInvalid", "CPFInvalid", "TextReplaced"}},
		{"an override in a nickname", []string{`"nickname": null`, `"nickname": "\u202egnp.exe"`},
			[]v1alpha1.DeliveryWarning{"CourseIDsDiffer", "CPFInvalid", "TextReplaced"}},
		{"nothing visible in an address", []string{`student@toolzz`, `stu\u200bdent@toolzz`},
			[]v1alpha1.DeliveryWarning{"CourseIDsDiffer", "EmailInvalid", "CPFInvalid"}},
		{"a CPF as a number that has lost its zeros", []string{`"123.456.789-99"`, `191`},
			[]v1alpha1.DeliveryWarning{"CourseIDsDiffer"}},
		{"odd texts", []string{`"student@toolzz.com"`, `"student at toolzz"`, `"uuid": null`, `"uuid": "12"`},
			[]v1alpha1.DeliveryWarning{"CourseIDsDiffer", "EmailInvalid", "CPFInvalid", "UUIDInvalid"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			doc, fault := Decode([]byte(with(t, tc.oldNew...)))
			if fault != nil {
				t.Fatalf("not JSON: %v", *fault)
			}
			spec, _ := validate(doc, 12345)
			if diff := cmp.Diff(tc.want, warningsOf(&spec, doc)); diff != "" {
				t.Errorf("warnings (-want +got):\n%s", diff)
			}
		})
	}
}

func TestIsCPF(t *testing.T) {
	for text, want := range map[string]bool{
		"123.456.789-09": true, "12345678909": true, "529.982.247-25": true, "111.444.777-35": true, "00000000191": true,
		"123.456.789-99": false, "12345678919": false, "111.111.111-11": false, "00000000000": false,
		"123456789-09": false, "123.456.789.09": false, "1234567890": false, "123456789090": false,
		"１２３４５６７８９０９": false, "abc.def.ghi-jk": false, " 12345678909": false, "": false,
	} {
		if got := isCPF(text); got != want {
			t.Errorf("isCPF(%q) = %t, want %t", text, got, want)
		}
	}
}

func TestIsEmail(t *testing.T) {
	for text, want := range map[string]bool{
		"student@toolzz.com": true, "josé@exemplo.com.br": true, "a+b@c": true,
		"student": false, "@toolzz.com": false, "student@": false, "Student <student@toolzz.com>": false,
		"<student@toolzz.com>":     false,
		"stu\u202edent@toolzz.com": false, "stu\u200bdent@toolzz.com": false,
		"stu\u3164dent@toolzz.com": false, "stu\u115fdent@toolzz.com": false, "stu\u034fdent@toolzz.com": false,
		"stu\ufe0fdent@toolzz.com": false, "stu\ufffddent@toolzz.com": false,
		"stu\x00dent@toolzz.com": false, "stu\u2066dent@toolzz.com": false, "a@b, c@d": false, " student@toolzz.com": false,
	} {
		if got := isEmail(text); got != want {
			t.Errorf("isEmail(%q) = %t, want %t", text, got, want)
		}
	}
}
