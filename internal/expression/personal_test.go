// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package expression

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// message returns the text of an error, "" for none.
func message(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestPersonalFields(t *testing.T) {
	const whole = "user cannot be used as a whole: select one of its fields, such as user.id"
	metadata := func(field string) string {
		return "user." + field + " is personal data, which names, namespaces, labels and other metadata must not contain: " +
			"use user.id"
	}
	lost := func(field string) string {
		return "the institution does not keep user." + field + ": remove it, or set spec.privacy." + field +
			" of the Institution to Keep"
	}
	for _, tc := range []struct {
		name, text string
		use        Use
		privacy    v1alpha1.PrivacySpec
		want       string
	}{
		{name: "the id is not personal", text: "g-${user.id}", use: UseMetadata},
		{
			name: "a name in metadata", text: "g-${user.name}", use: UseMetadata,
			want: "column 5: user.name: " + metadata("name"),
		},
		{
			name: "an email in metadata", text: "${user.email}", use: UseMetadata,
			want: "column 3: user.email: " + metadata("email"),
		},
		{name: "a cpf in metadata", text: "${user.cpf}", use: UseMetadata, want: "column 3: user.cpf: " + metadata("cpf")},
		{
			name: "a nickname in metadata, hidden in a function", text: "${dnsLabel(user.nickname)}", use: UseMetadata,
			want: "column 12: dnsLabel(user.nickname): " + metadata("nickname"),
		},
		{
			name: "a uuid in metadata, only tested", text: "${has(user.uuid) ? 'a' : 'b'}", use: UseMetadata,
			want: "column 7: has(user.uuid) ? 'a' : 'b': " + metadata("uuid"),
		},
		{
			name: "with a leading dot", text: "${.user.email}", use: UseMetadata,
			want: "column 4: .user.email: " + metadata("email"),
		},
		{
			name: "inside of a macro", text: "${['x'].map(x, x + user.email)[0]}", use: UseMetadata,
			want: "column 20: ['x'].map(x, x + user.email)[0]: " + metadata("email"),
		},
		{name: "a kept field in text", text: "${user.email} ${user.name}", use: UseText},
		{name: "a kept field as a value", text: "${user.email}", use: UseValue},
		{name: "the cpf is masked by default", text: "${user.cpf}", use: UseText, want: "column 3: user.cpf: " + lost("cpf")},
		{name: "the cpf kept", text: "${user.cpf}", use: UseText, privacy: v1alpha1.PrivacySpec{CPF: v1alpha1.DataKeep}},
		{
			name: "a dropped field, only tested", text: "${has(user.email)}", use: UseText,
			privacy: v1alpha1.PrivacySpec{Email: v1alpha1.DataDrop},
			want:    "column 7: has(user.email): " + lost("email"),
		},
		{
			name: "a masked field", text: "${user.name}", use: UseText,
			privacy: v1alpha1.PrivacySpec{Name: v1alpha1.DataMask}, want: "column 3: user.name: " + lost("name"),
		},
		{name: "a subject without personal fields", text: "u-${user.id}", use: UseSubject},
		{name: "a subject with one personal field", text: "${user.email}", use: UseSubject},
		{name: "a subject with one personal field twice", text: "${user.email}-${user.email}", use: UseSubject},
		{
			name: "a subject with two personal fields", text: "${user.email}-${user.name}", use: UseSubject,
			want: "column 17: user.name: user.name cannot be used as well: the name of a subject may contain only one " +
				"personal field, and it already contains user.email",
		},
		{
			name: "a subject with two personal fields in one expression", text: "${user.email + user.uuid}", use: UseSubject,
			want: "column 16: user.email + user.uuid: user.uuid cannot be used as well: the name of a subject may " +
				"contain only one personal field, and it already contains user.email",
		},
		{
			name: "a subject with a field that is not kept", text: "${user.cpf}", use: UseSubject,
			want: "column 3: user.cpf: " + lost("cpf"),
		},
		{name: "user alone", text: "${user}", use: UseValue, want: "column 3: user: " + whole},
		{name: "user in dyn", text: "${dyn(user)}", use: UseValue, want: "column 7: dyn(user): " + whole},
		{name: "user in a list", text: "${[user]}", use: UseValue, want: "column 4: [user]: " + whole},
		{name: "user in a map", text: "${{'u': user}}", use: UseValue, want: "column 9: {'u': user}: " + whole},
		{
			name: "user compared", text: "${user != user}", use: UseValue,
			want: "column 3: user != user: " + whole + "\ncolumn 11: user != user: " + whole,
		},
		{
			name: "user as the range of a macro", text: "${dyn([1]).exists(x, dyn(x) == dyn(user))}", use: UseValue,
			want: "column 36: dyn([1]).exists(x, dyn(x) == dyn(user)): " + whole,
		},
		{
			name: "user hidden by a macro", text: "${[{'email': 'x'}].map(user, user.email)[0]}", use: UseText,
			want: "column 23: [{'email': 'x'}].map(user, user.email)[0]: user is already a variable: rename the " +
				"variable of the macro",
		},
		{
			name: "objects", text: "${expression.User{email: 'x'}.email}", use: UseValue,
			want: "column 18: expression.User{email: 'x'}.email: message types cannot be created in expressions: use a map",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := compiler(t, Scope{Privacy: tc.privacy}).Template(tc.text, tc.use)
			if diff := cmp.Diff(tc.want, message(err)); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
		})
	}
}

func TestPersonalFieldsInPredicates(t *testing.T) {
	for _, tc := range []struct{ name, text, want string }{
		{name: "kept", text: "user.email.endsWith('@example.com') && user.name != '' && has(user.uuid)"},
		{
			name: "not kept", text: "user.cpf == '1'",
			want: "column 1: user.cpf == '1': the institution does not keep user.cpf: remove it, or set " +
				"spec.privacy.cpf of the Institution to Keep",
		},
		{
			name: "user as a whole", text: "[user].size() == 1",
			want: "column 2: [user].size() == 1: user cannot be used as a whole: select one of its fields, such as user.id",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := compiler(t, Scope{}).Predicate(tc.text)
			if diff := cmp.Diff(tc.want, message(err)); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
		})
	}
}

func TestVariablesOfGrantsPerUser(t *testing.T) {
	c := compiler(t, Scope{GrantPer: v1alpha1.GrantPerUser})
	if _, err := c.Template("${institution.id}-${user.id}", UseMetadata); err != nil {
		t.Errorf("institution and user: %v", err)
	}
	for _, name := range []string{"event.name", "course.id", "enrollment.id"} {
		variable, _, _ := strings.Cut(name, ".")
		_, err := c.Template("g-${"+name+"}", UseMetadata)
		want := "column 5: " + name + ": " + variable +
			" is not available with grantPer: User: use institution and user, or create the policy with " +
			"grantPer: Completion"
		if message(err) != want {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}
