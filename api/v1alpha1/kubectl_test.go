// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1_test

import (
	"strings"
	"testing"

	. "github.com/onsi/gomega"
)

func kubectl(t *testing.T, args ...string) string {
	t.Helper()
	out, err := plane.Kubectl(t.Context(), args...)
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	return out
}

func TestSelectableFields(t *testing.T) {
	store(t, completion(1, 2, 3, 4))
	store(t, completion(11, 12, 13, 14))
	store(t, institution("selected"))
	planned := grant("planned")
	planned.Object["spec"].(object)["policy"] = "lab"
	store(t, planned)
	store(t, seat("room", 3))
	for _, tc := range []struct{ kind, selector, want string }{
		{"cc", "spec.institution.id=1", "coursecompletion.completions.lxp.dev/1-2-3-4"},
		{"cc", "spec.course.id=2", "coursecompletion.completions.lxp.dev/1-2-3-4"},
		{"cc", "spec.enrollment.id=3", "coursecompletion.completions.lxp.dev/1-2-3-4"},
		{"cc", "spec.user.id=14", "coursecompletion.completions.lxp.dev/11-12-13-14"},
		{"cc", "spec.user.id=99", ""},
		{"inst", "spec.id=12345", "institution.completions.lxp.dev/selected"},
		{"grants", "spec.policy=lab", "grant.completions.lxp.dev/planned"},
		{"grants", "spec.holder.userID=4", "grant.completions.lxp.dev/planned"},
		{"grants", "spec.holder.institutionID=2", ""},
		{"grants", "status.phase=Active", ""},
		{"seats", "spec.pool=room", "seat.completions.lxp.dev/room-3"},
		{"seats", "spec.grant=lab.1-2-3-4", "seat.completions.lxp.dev/room-3"},
	} {
		t.Run(tc.kind+"/"+tc.selector, func(t *testing.T) {
			got := strings.TrimSpace(kubectl(t, "get", tc.kind, "--field-selector", tc.selector, "-o", "name"))
			NewWithT(t).Expect(got).To(Equal(tc.want))
		})
	}
}

func TestCategoryAndShortNames(t *testing.T) {
	g := NewWithT(t)
	made := map[string]string{
		"Institution": store(t, institution("listed")).GetName(), "CourseCompletion": store(t, completion(1, 2, 3, 4)).GetName(),
		"CompletionPolicy": store(t, policy("listed")).GetName(), "Grant": store(t, grant("listed")).GetName(),
		"SeatPool": store(t, pool("listed")).GetName(), "Seat": store(t, seat("room", 3)).GetName(),
		"ErasureRegister": store(t, register()).GetName(),
	}
	all := kubectl(t, "get", "completions", "-o", "name")
	for _, kind := range kinds() {
		if !kind.listed() {
			g.Expect(all).NotTo(ContainSubstring(strings.ToLower(kind.name)), "kubectl get completions")
			continue
		}
		name := strings.ToLower(kind.name) + ".completions.lxp.dev/" + made[kind.name]
		g.Expect(all).To(ContainSubstring(name+"\n"), "kubectl get completions")
		if kind.short != "" {
			g.Expect(kubectl(t, "get", kind.short, "-o", "name")).To(ContainSubstring(name), "kubectl get %s", kind.short)
		}
	}
}

// Columns end up on screens, in tickets and in logs. The wide ones too.
func TestColumnsShowWhatHelpsAndNothingPersonal(t *testing.T) {
	g := NewWithT(t)
	store(t, completion(1, 2, 3, 4))
	lines := strings.Split(kubectl(t, "get", "cc"), "\n")
	g.Expect(strings.Fields(lines[0])).To(Equal(
		[]string{"NAME", "INSTITUTION", "COURSE", "USER", "READY", "REASON", "AGE"}))
	g.Expect(strings.Fields(lines[1])[:4]).To(Equal([]string{"1-2-3-4", "1", "2", "4"}))

	lab := grant("shown")
	lab.Object["spec"].(object)["namespaces"] = []any{object{"name": "grad-4", "access": []any{
		object{"subjects": []any{object{"name": "graciliano@example.org"}}}}}}
	store(t, lab)
	for _, kind := range []string{"cc", "grants"} {
		wide := strings.ToLower(kubectl(t, "get", kind, "-o", "wide"))
		for _, personal := range []string{"ramos", "graci", "example.org", "***", "1c7e3b1e"} {
			g.Expect(wide).NotTo(ContainSubstring(personal), "kubectl get %s -o wide", kind)
		}
	}
}

func TestExplain(t *testing.T) {
	g := NewWithT(t)
	for _, kind := range kinds() {
		for _, path := range []string{kind.plural, kind.plural + ".spec"} {
			explained := kubectl(t, "explain", path)
			g.Expect(explained).To(ContainSubstring("VERSION:    v1alpha1"), path)
			g.Expect(explained).NotTo(ContainSubstring("<empty>"), path)
		}
	}
	g.Expect(kubectl(t, "explain", "cc.spec.enrollment.dateExpire")).To(ContainSubstring("last day of the enrollment"))
}
