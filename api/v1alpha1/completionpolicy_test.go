// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1_test

import (
	"fmt"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

func policy(name string) *unstructured.Unstructured {
	return written("CompletionPolicy", name, object{
		"match":      object{"courseIDs": []any{int64(123456)}},
		"namespaces": []any{object{"name": "grad-${user.id}"}},
	})
}

func seatIn(i int) any { return object{"pool": fmt.Sprintf("pool-%d", i)} }

// namespaceWith returns a list of one namespace that has one more field.
func namespaceWith(name string, value any) []any {
	return []any{object{"name": "grad-${user.id}", name: value}}
}

func amounts(n int) object {
	of := object{}
	for i := range n {
		of[fmt.Sprintf("count/things-%d", i)] = "1"
	}
	return of
}

func TestCompletionPolicyRules(t *testing.T) {
	const (
		namespaces = "spec.namespaces"
		courses    = "spec.match.courseIDs"
		revoke     = "spec.revoke"
		something  = "a policy must grant or take something: set namespaces, seats, objects or revoke"
		label      = "metadata.name must be a DNS label"
	)
	course := func(i int) any { return int64(i + 1) }
	namespace := func(i int) any { return object{"name": fmt.Sprintf("grad-%d-${user.id}", i)} }
	checkCreates(t, policy("rules"), []rule{
		{"as it is", nil, nil},
		{"seats instead of namespaces", []edit{{namespaces, nil}, {"spec.seats", list(1, seatIn)}}, nil},
		{"both", []edit{{"spec.seats", list(16, seatIn)}}, nil},
		{"nothing to grant", []edit{{namespaces, nil}}, []string{"spec", something}},
		{"an empty list of namespaces", []edit{{namespaces, []any{}}}, []string{namespaces, "at least 1"}},
		{"eight namespaces", []edit{{namespaces, list(8, namespace)}}, nil},
		{"nine namespaces", []edit{{namespaces, list(9, namespace)}}, []string{namespaces, "at most 8"}},
		{"one namespace twice", []edit{{namespaces, []any{namespace(1), namespace(1)}}}, []string{namespaces + "[1]", "Duplicate"}},
		{"seventeen seats", []edit{{"spec.seats", list(17, seatIn)}}, []string{"spec.seats", "at most 16"}},
		{"two seats of one pool", []edit{{"spec.seats", []any{seatIn(1), seatIn(1)}}}, []string{"spec.seats[1]", "Duplicate"}},

		{"only to revoke a seat", []edit{{namespaces, nil}, {revoke, object{"seats": list(16, seatIn)}}}, nil},
		{"only to revoke a namespace", []edit{{namespaces, nil}, {revoke, object{"namespaces": list(8, namespace)}}}, nil},
		{"nothing to revoke", []edit{{revoke, object{}}}, []string{revoke, "at least 1 properties"}},
		{"no seats to revoke", []edit{{revoke, object{"seats": []any{}}}}, []string{revoke + ".seats", "at least 1"}},
		{"seventeen seats to revoke", []edit{{revoke, object{"seats": list(17, seatIn)}}}, []string{revoke + ".seats", "at most 16"}},
		{"two seats of one pool to revoke", []edit{{revoke, object{"seats": []any{seatIn(1), seatIn(1)}}}},
			[]string{revoke + ".seats[1]", "Duplicate"}},
		{"nine namespaces to revoke", []edit{{revoke, object{"namespaces": list(9, namespace)}}},
			[]string{revoke + ".namespaces", "at most 8"}},

		{"no match", []edit{{"spec.match", nil}}, []string{"spec.match", "Required"}},
		{"an empty match", []edit{{"spec.match", object{}}}, []string{"spec.match", "set courseIDs, expression or both"}},
		{"an expression", []edit{{"spec.match", object{"expression": "course.id == 1"}}}, nil},
		{"an empty expression", []edit{{"spec.match", object{"expression": ""}}}, []string{"spec.match.expression", "at least 1"}},
		{"an expression of 4097", []edit{{"spec.match.expression", strings.Repeat("1", 4097)}},
			[]string{"spec.match.expression", "more than 4096"}},
		{"no courses", []edit{{courses, []any{}}}, []string{courses, "at least 1"}},
		{"1024 courses", []edit{{courses, list(1024, course)}}, nil},
		{"1025 courses", []edit{{courses, list(1025, course)}}, []string{courses, "at most 1024"}},
		{"a course twice", []edit{{courses, []any{int64(1), int64(1)}}}, []string{courses + "[1]", "Duplicate"}},
		{"all of the courses, for the user", []edit{{"spec.match.require", "All"}, {"spec.grantPer", "User"}}, nil},
		{"all of the courses, for each completion", []edit{{"spec.match.require", "All"}, {"spec.grantPer", "Completion"}},
			[]string{"match.require All needs grantPer User"}},
		{"all of no courses", []edit{{"spec.match", object{"expression": "true", "require": "All"}}, {"spec.grantPer", "User"}},
			[]string{"spec.match", "require All needs courseIDs"}},
		{"all of 64 courses", []edit{{courses, list(64, course)}, {"spec.match.require", "All"}, {"spec.grantPer", "User"}}, nil},
		{"all of 65 courses", []edit{{courses, list(65, course)}, {"spec.match.require", "All"}, {"spec.grantPer", "User"}},
			[]string{"spec.match", "at most 64"}},
		{"some of the courses", []edit{{"spec.match.require", "Some"}}, []string{"spec.match.require", "Unsupported value"}},
		{"a course of 0", []edit{{courses, []any{int64(0)}}}, []string{courses + "[0]", "greater than or equal to 1"}},

		{"per user", []edit{{"spec.grantPer", "User"}}, nil},
		{"per course", []edit{{"spec.grantPer", "Course"}}, []string{"spec.grantPer", "Unsupported value"}},
		{"another end", []edit{{"spec.onRevoke", "Keep"}}, []string{"spec.onRevoke", "Unsupported value"}},
		{"another removal", []edit{{"spec.onPolicyRemoval", "Keep"}}, []string{"spec.onPolicyRemoval", "Unsupported value"}},
		{"no grace", []edit{{"spec.lifetime.graceDays", int64(0)}}, nil},
		{"a grace of ten years", []edit{{"spec.lifetime.graceDays", int64(3650)}}, nil},
		{"more grace", []edit{{"spec.lifetime.graceDays", int64(3651)}}, []string{"spec.lifetime.graceDays", "3650"}},
		{"a negative grace", []edit{{"spec.lifetime.graceDays", int64(-1)}}, []string{"spec.lifetime.graceDays", "to 0"}},
		{"no days", []edit{{"spec.lifetime.maxDays", int64(0)}}, []string{"spec.lifetime.maxDays", "to 1"}},
		{"a century", []edit{{"spec.lifetime.maxDays", int64(36500)}}, nil},
		{"more than a century", []edit{{"spec.lifetime.maxDays", int64(36501)}}, []string{"spec.lifetime.maxDays", "36500"}},
		{"until a day", []edit{{"spec.lifetime.until", "9999-12-31"}}, nil},
		{"until a moment", []edit{{"spec.lifetime.until", "2026-12-18T18:00:00-03:00"}}, nil},
		{"until a moment in UTC", []edit{{"spec.lifetime.until", "2026-12-18T18:00:00Z"}}, nil},
		{"until no day", []edit{{"spec.lifetime.until", "2026-02-30"}}, []string{"spec.lifetime.until"}},
		{"until no hour", []edit{{"spec.lifetime.until", "2026-12-18T25:00:00Z"}}, []string{"spec.lifetime.until"}},
		{"until a moment without a zone", []edit{{"spec.lifetime.until", "2026-12-18T18:00:00"}}, []string{"spec.lifetime.until"}},
		{"until the year 10000 in UTC", []edit{{"spec.lifetime.until", "9999-12-31T23:00:00-03:00"}}, []string{"spec.lifetime.until"}},
		{"another expiry", []edit{{"spec.lifetime.enrollmentExpiry", "Never"}},
			[]string{"spec.lifetime.enrollmentExpiry", "Unsupported value"}},

		{"a name of 63", []edit{{"metadata.name", strings.Repeat("a", 63)}}, nil},
		{"a name of 64", []edit{{"metadata.name", strings.Repeat("a", 64)}}, []string{label}},
		{"a name with a dot", []edit{{"metadata.name", "lab.one"}}, []string{label}},
	})
	checkUpdates(t, policy("rules"), []rule{
		{"per completion", []edit{{"spec.grantPer", "Completion"}}, []string{"spec", "grantPer is immutable"}},
		{"other courses", []edit{{courses, []any{int64(2)}}}, nil},
		{"suspended", []edit{{"spec.suspend", true}}, nil},
		{"nothing to grant", []edit{{namespaces, nil}}, []string{something}},
	})
}

func TestCompletionPolicyNamespaceRules(t *testing.T) {
	const path = "spec.namespaces"
	with := func(name string, value any) []edit { return []edit{{path, namespaceWith(name, value)}} }
	limit := func(kind string) any { return object{"type": kind, "max": amounts(1)} }
	access := func(i int) any {
		return object{"clusterRole": fmt.Sprintf("role-%d", i), "subjects": []any{object{"name": "ana"}}}
	}
	subject := func(i int) any { return object{"name": fmt.Sprintf("user-%d", i)} }
	checkCreates(t, policy("rules"), []rule{
		{"no name", []edit{{path, []any{object{"podSecurity": "baseline"}}}}, []string{path + "[0].name", "Required"}},
		{"a name of 2049", with("name", strings.Repeat("a", 2049)), []string{path + "[0].name", "more than 2048"}},
		{"32 labels", with("labels", amounts(32)), nil},
		{"33 labels", with("labels", amounts(33)), []string{path + "[0].labels", "at most 32"}},
		{"33 annotations", with("annotations", amounts(33)), []string{path + "[0].annotations", "at most 32"}},
		{"another pod security", with("podSecurity", "none"), []string{path + "[0].podSecurity", "Unsupported value"}},
		{"another isolation", with("networkIsolation", "Egress"), []string{path + "[0].networkIsolation", "Unsupported value"}},
		{"a quota", with("resourceQuota", object{"hard": amounts(32)}), nil},
		{"a quota in numbers", with("resourceQuota", object{"hard": object{"pods": int64(2)}}), nil},
		{"a quota of nothing", with("resourceQuota", object{"hard": object{}}), []string{"resourceQuota.hard", "at least 1"}},
		{"a quota of 33", with("resourceQuota", object{"hard": amounts(33)}), []string{"resourceQuota.hard", "at most 32"}},
		{"limits of each type", with("limits", []any{limit("Container"), limit("Pod"), limit("PersistentVolumeClaim")}), nil},
		{"limits of one type twice", with("limits", []any{limit("Pod"), limit("Pod")}), []string{"limits[1]", "Duplicate"}},
		{"limits of another type", with("limits", []any{limit("Node")}), []string{"limits[0].type", "Unsupported value"}},
		{"limits of nothing", with("limits", []any{object{"type": "Pod"}}), []string{"limits[0]", "at least 2 properties"}},
		{"17 maximums", with("limits", []any{object{"type": "Pod", "max": amounts(17)}}), []string{"limits[0].max", "at most 16"}},
		{"access by eight roles", with("access", list(8, access)), nil},
		{"access by nine roles", with("access", list(9, access)), []string{path + "[0].access", "at most 8"}},
		{"access by one role twice", with("access", []any{access(1), access(1)}), []string{"access[1]", "Duplicate"}},
		{"access for nobody", with("access", []any{object{"subjects": []any{}}}), []string{"subjects", "at least 1"}},
		{"access for 32", with("access", []any{object{"subjects": list(32, subject)}}), nil},
		{"access for 33", with("access", []any{object{"subjects": list(33, subject)}}), []string{"subjects", "at most 32"}},
		{"another kind of subject", with("access", []any{object{"subjects": []any{object{"kind": "Team", "name": "a"}}}}),
			[]string{"subjects[0].kind", "Unsupported value"}},
		{"a role with a slash", with("access", []any{object{"clusterRole": "a/b", "subjects": list(1, subject)}}),
			[]string{"access[0].clusterRole", "should match"}},
		{"a role with a colon", with("access", []any{object{"clusterRole": "a:b", "subjects": list(1, subject)}}), nil},
	})
}

func TestCompletionPolicyDefaults(t *testing.T) {
	base := policy("defaults")
	base.Object["spec"].(object)["namespaces"] = namespaceWith("access",
		[]any{object{"subjects": []any{object{"name": "${user.email}"}}}})
	stored := store(t, base)
	g := NewWithT(t)
	for path, want := range map[string]any{
		"spec.grantPer":                  "User",
		"spec.match.require":             "Any",
		"spec.onRevoke":                  "Delete",
		"spec.onPolicyRemoval":           "Retain",
		"spec.lifetime.enrollmentExpiry": "Follow",
		"spec.lifetime.graceDays":        int64(30),
		"status.observedGeneration":      int64(-1),
	} {
		g.Expect(field(stored, path)).To(Equal(want), path)
	}
	g.Expect(field(stored, "spec.namespaces")).To(Equal([]any{object{
		"name": "grad-${user.id}", "podSecurity": "restricted", "networkIsolation": "IngressAndEgress",
		"access": []any{object{
			"clusterRole": "completion-learner", "subjects": []any{object{"kind": "User", "name": "${user.email}"}},
		}},
	}}))
}
