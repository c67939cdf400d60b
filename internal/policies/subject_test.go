// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package policies

import (
	"strings"
	"testing"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// A name of which a part is missing is the name of somebody else, or of nobody.
func TestSubjectWithAnEmptyPart(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		subject     v1alpha1.Template
		email, want string
	}{
		"a name":                    {"oidc:${user.email}", "ada@example.com", ""},
		"no address":                {"${user.email}", "", "yields an empty name"},
		"a prefix and no address":   {"oidc:${user.email}", "", "yields an empty name"},
		"no address before the end": {"${user.email}#platform", "", "yields an empty name"},
		"blanks":                    {"oidc:${user.email}", "  ", "yields an empty name"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			policy := &v1alpha1.CompletionPolicy{}
			policy.Spec.Namespaces = []v1alpha1.NamespaceTemplate{{Name: "grad-${user.id}",
				Access: []v1alpha1.AccessTemplate{{Subjects: []v1alpha1.SubjectTemplate{{Name: tc.subject}}}}}}
			compiled := Compile(policy, allKept, ordinary)
			if !compiled.Ready() {
				t.Fatal(compiled.Message())
			}
			completion := deliveredTo("Ada")
			completion.User.Email = tc.email
			_, err := compiled.Render(completion)
			if (err == nil) != (tc.want == "") || err != nil && !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
		})
	}
}

// What can be known when a policy is written is said then, also where it is put together of constants.
func TestConstantNamesAreCheckedWhenThePolicyIsWritten(t *testing.T) {
	t.Parallel()
	for subject, want := range map[v1alpha1.Template]string{
		"${'system:' + 'masters'}":     "names that start with system:",
		"system:${'masters'}":          "names that start with system:",
		"${'oidc'}${':'}":              "only a prefix",
		"${'oidc:' + 'a@example.edu'}": "",
	} {
		t.Run(string(subject), func(t *testing.T) {
			t.Parallel()
			policy := &v1alpha1.CompletionPolicy{}
			policy.Spec.Namespaces = []v1alpha1.NamespaceTemplate{{Name: "grad-${user.id}",
				Access: []v1alpha1.AccessTemplate{{Subjects: []v1alpha1.SubjectTemplate{{Name: subject}}}}}}
			message := Compile(policy, allKept, ordinary).Message()
			if (message == "") != (want == "") || !strings.Contains(message, want) {
				t.Errorf("got %q, want %q", message, want)
			}
		})
	}
}
