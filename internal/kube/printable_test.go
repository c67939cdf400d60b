// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"strings"
	"testing"
	"unicode/utf8"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

func TestPrintableTextIsWhatTheAPITakes(t *testing.T) {
	for name, tc := range map[string]struct {
		text string
		most int
		want string
	}{
		"as it was":            {"namespace grad-1 exists", 100, "namespace grad-1 exists"},
		"lines become one":     {"a\nb\tc", 100, "a b c"},
		"an escape sequence":   {"\x1b[31mred", 100, "\uFFFD[31mred"},
		"a NUL":                {"a\x00b", 100, "a\uFFFDb"},
		"turned around":        {"a\u202eb\u2066c", 100, "a\uFFFDb\uFFFDc"},
		"a line of Unicode":    {"a\u2028b", 100, "a\uFFFDb"},
		"not UTF-8":            {"a\xffb", 100, "a\uFFFDb"},
		"too long":             {strings.Repeat("x", 20), 10, "xxxxxxx..."},
		"not cut in a letter":  {strings.Repeat("é", 10), 10, "ééé..."},
		"exactly as long":      {strings.Repeat("x", 10), 10, strings.Repeat("x", 10)},
		"letters of all kinds": {"São Tomé 学校 👩", 100, "São Tomé 学校 👩"},
	} {
		t.Run(name, func(t *testing.T) {
			got := printable(tc.text, tc.most)
			if got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
			if len(got) > tc.most || !utf8.ValidString(got) {
				t.Errorf("%q is %d bytes of at most %d", got, len(got), tc.most)
			}
		})
	}
}

func TestEveryMessageOfAStatusIsMadePrintable(t *testing.T) {
	g := NewWithT(t)
	conditions := func() []metav1.Condition {
		return []metav1.Condition{{Message: strings.Repeat("x", 40000)}, {Message: "a\x1bb"}}
	}
	completion := &v1alpha1.CourseCompletion{}
	completion.Status.Conditions = conditions()
	completion.Status.Policies = []v1alpha1.PolicyResult{{Message: strings.Repeat("x", 2000)}}
	institution, policy := &v1alpha1.Institution{}, &v1alpha1.CompletionPolicy{}
	grant, pool := &v1alpha1.Grant{}, &v1alpha1.SeatPool{}
	institution.Status.Conditions, policy.Status.Conditions = conditions(), conditions()
	grant.Status.Conditions, pool.Status.Conditions = conditions(), conditions()
	tidy(completion)
	tidy(institution)
	tidy(policy)
	tidy(grant)
	tidy(pool)
	for _, got := range [][]metav1.Condition{completion.Status.Conditions, institution.Status.Conditions,
		policy.Status.Conditions, grant.Status.Conditions, pool.Status.Conditions} {
		g.Expect(got[0].Message).To(HaveLen(maxConditionMessage))
		g.Expect(got[1].Message).To(Equal("a\uFFFDb"))
	}
	g.Expect(completion.Status.Policies[0].Message).To(HaveLen(maxResultMessage))
}

func TestEveryNoteOfAnEventIsMadePrintable(t *testing.T) {
	recorded := events.NewFakeRecorder(1)
	PrintableEvents{recorded}.Eventf(&v1alpha1.Grant{}, nil, "Warning", "Conflict", "Reconcile",
		"%s%s", "a\x1bb", strings.Repeat("x", 2000))
	note := strings.TrimPrefix(<-recorded.Events, "Warning Conflict ")
	NewWithT(t).Expect(note).To(And(HaveLen(maxEventNote), HavePrefix("a\uFFFDbx"), HaveSuffix("...")))
}
