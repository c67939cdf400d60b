// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

func TestMinimise(t *testing.T) {
	user := v1alpha1.CompletionUser{
		ID: 7, Name: "Ana Maria", Email: "ana.maria@exemplo.com.br", CPF: "123.456.789-09", Nickname: "Aninha",
		UUID: "0198c5a1-7d3e-7c11-9f2a-3b5d7e9f1a2b",
	}
	kept := user
	kept.CPF = "***.***.***-09"
	all := func(h v1alpha1.DataHandling) v1alpha1.PrivacySpec {
		return v1alpha1.PrivacySpec{Name: h, Email: h, CPF: h, Nickname: h, UUID: h}
	}
	for _, tc := range []struct {
		name    string
		privacy v1alpha1.PrivacySpec
		want    v1alpha1.CompletionUser
	}{
		{"nothing said: the schema's defaults", v1alpha1.PrivacySpec{}, kept},
		{"keep", all(v1alpha1.DataKeep), user},
		{"mask", all(v1alpha1.DataMask), v1alpha1.CompletionUser{
			ID: 7, Name: "A***", Email: "a***@exemplo.com.br", CPF: "***.***.***-09", Nickname: "A***",
			UUID: "********-****-****-****-********1a2b",
		}},
		{"drop", all(v1alpha1.DataDrop), v1alpha1.CompletionUser{ID: 7}},
		{"what this program does not know yet", all("Pseudonymize"), v1alpha1.CompletionUser{ID: 7}},
		{"each field for itself", v1alpha1.PrivacySpec{Name: "Drop", Email: "Mask", CPF: "Keep", Nickname: "Drop"},
			v1alpha1.CompletionUser{ID: 7, Email: "a***@exemplo.com.br", CPF: user.CPF, UUID: user.UUID}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, minimise(user, tc.privacy)); diff != "" {
				t.Errorf("user (-want +got):\n%s", diff)
			}
		})
	}
}

func TestMasks(t *testing.T) {
	for _, tc := range []struct {
		name string
		mask func(string) string
		text string
		want string
	}{
		{"text", maskText, "Student", "S***"},
		{"text of one letter", maskText, "Z", "Z***"},
		{"text that starts beyond ASCII", maskText, "Érica", "É***"},
		{"text that starts beyond the basic plane", maskText, "😀 x", "😀***"},
		{"email", maskEmail, "student@toolzz.com", "s***@toolzz.com"},
		{"email of one letter", maskEmail, "s@toolzz.com", "s***@toolzz.com"},
		{"no email", maskEmail, "student at toolzz.com", "s***"},
		{"several emails", maskEmail, "a@b.com, secret@c.com", "a***"},
		{"email with a name", maskEmail, "Student <student@toolzz.com>", "S***"},
		{"email whose domain is none", maskEmail, "s@" + strings.Repeat("a", 254), "s***"},
		{"cpf", maskCPF, "123.456.789-09", "***.***.***-09"},
		{"cpf with wrong check digits", maskCPF, "123.456.789-99", "***.***.***-99"},
		{"cpf of digits alone", maskCPF, "12345678909", "*********09"},
		{"another country's number", maskCPF, "X1234567", "***67"},
		{"six characters", maskCPF, "123456", "***56"},
		{"too short to keep anything", maskCPF, "12345", "***"},
		{"two characters", maskCPF, "12", "***"},
		{"uuid", maskUUID, "0198c5a1-7d3e-7c11-9f2a-3b5d7e9f1a2b", "********-****-****-****-********1a2b"},
		{"uuid without dashes", maskUUID, "0198c5a17d3e7c119f2a3b5d7e9f1a2b", "***1a2b"},
		{"no uuid", maskUUID, "student-number-4711", "***4711"},
		{"no uuid, too short to keep anything", maskUUID, "number-4711", "***"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := handle(tc.text, v1alpha1.DataMask, v1alpha1.DataKeep, tc.mask); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}
