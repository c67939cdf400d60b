// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1_test

import (
	"fmt"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
)

// configMap is an object of any kind, with anything in it.
func configMap(name string) object {
	return object{
		"apiVersion": "v1", "kind": "ConfigMap",
		"metadata": object{"name": name, "namespace": "grad-4", "labels": object{"example.org/a": "b"}},
		"data":     object{"text": "hello", "more": "<&> é"},
		"deep":     object{"list": []any{int64(1), 1.5, true, "x", object{"a": "b"}}},
	}
}

func TestPolicyObjectRules(t *testing.T) {
	const together = "objects and serviceAccountName go together"
	entry := func(i int) any {
		template := configMap("welcome-${user.id}")
		template["metadata"].(object)["namespace"] = "grad-${user.id}"
		template["metadata"].(object)["labels"] = object{"course": "${string(course.id)}"}
		template["data"] = object{"number": "${user.id}"}
		return object{"name": fmt.Sprintf("entry-%d", i), "template": template}
	}
	objects := func(n int) edit { return edit{"spec.objects", list(n, entry)} }
	account := edit{"spec.serviceAccountName", "policies"}
	named := func(name string) []edit {
		made := entry(1).(object)
		made["name"] = name
		return []edit{{"spec.objects", []any{made}}, account}
	}
	template := func(value any) []edit {
		return []edit{{"spec.objects", []any{object{"name": "a", "template": value}}}, account}
	}
	checkCreates(t, policy("rules"), []rule{
		{"an object beside namespaces", []edit{objects(1), account}, nil},
		{"objects alone", []edit{objects(16), account, {"spec.namespaces", nil}}, nil},
		{"seventeen objects", []edit{objects(17), account}, []string{"spec.objects", "at most 16"}},
		{"no objects", []edit{{"spec.objects", []any{}}, account}, []string{"spec.objects", "at least 1"}},
		{"objects without an account", []edit{objects(1)}, []string{"spec", together}},
		{"an account without objects", []edit{account}, []string{"spec", together}},
		{"an account of another namespace", []edit{objects(1), {"spec.serviceAccountName", "kube-system:default"}},
			[]string{"spec.serviceAccountName", "should match"}},
		{"an account without a name", []edit{objects(1), {"spec.serviceAccountName", ""}},
			[]string{"spec.serviceAccountName", "at least 1"}},
		{"one entry twice", []edit{{"spec.objects", []any{entry(1), entry(1)}}, account}, []string{"spec.objects[1]", "Duplicate"}},
		{"an entry without a name", []edit{{"spec.objects", []any{object{"template": configMap("a")}}}, account},
			[]string{"spec.objects[0].name", "Required"}},
		{"an entry with dots", named("a.b"), []string{"spec.objects[0].name", "should match"}},
		{"an entry of 63", named(strings.Repeat("a", 63)), nil},
		{"an entry of 64", named(strings.Repeat("a", 64)), []string{"spec.objects[0].name", "more than 63"}},
		{"no template", []edit{{"spec.objects", []any{object{"name": "a"}}}, account}, []string{"spec.objects[0].template", "Required"}},
		{"a template that is text", template("x"), []string{"spec.objects[0].template", "must be of type object"}},
		{"a template of nothing", template(object{}), []string{"spec.objects[0].template", "at least 3"}},
		{"a template of 33 fields", template(amounts(33)), []string{"spec.objects[0].template", "at most 32"}},
	})
}

func TestGrantObjectRules(t *testing.T) {
	account := edit{"spec.serviceAccountName", "policies"}
	with := func(field string, value any) []edit {
		made := configMap("welcome")
		if field != "" {
			made[field] = value
		}
		return []edit{{"spec.objects", []any{object{"name": "a", "object": made}}}, account}
	}
	const at = "spec.objects[0].object"
	checkCreates(t, grant("rules"), []rule{
		{"an object", with("", nil), nil},
		{"objects without an account", with("", nil)[:1], []string{"objects and serviceAccountName go together"}},
		{"an account without objects", []edit{account}, []string{"objects and serviceAccountName go together"}},
		{"no kind", with("kind", nil), []string{at + ".kind"}},
		{"a kind that is none", with("kind", "a b"), []string{at + ".kind"}},
		{"no version", with("apiVersion", nil), []string{at + ".apiVersion"}},
		{"a name that is a path", with("metadata", object{"name": "a/b"}), []string{at + ".metadata.name"}},
		{"a namespace that is none", with("metadata", object{"name": "a", "namespace": "A"}), []string{at + ".metadata.namespace"}},
		{"a label with a space", with("metadata", object{"name": "a", "labels": object{"a": "b c"}}),
			[]string{at + ".metadata.labels"}},
	})
}

// Whatever is in an object is stored as it was written.
func TestObjectsAreStoredWhole(t *testing.T) {
	g := NewWithT(t)
	wanted := configMap("welcome")
	base := grant("objects")
	base.Object["spec"].(object)["objects"] = []any{object{"name": "a", "object": wanted}}
	base.Object["spec"].(object)["serviceAccountName"] = "policies"
	g.Expect(field(store(t, base), "spec.objects")).To(Equal([]any{object{"name": "a", "object": wanted}}))

	template := configMap("${user.id}")
	template["metadata"].(object)["anything"] = object{"a": []any{object{"b": "${user.name}"}}}
	made := policy("objects")
	made.Object["spec"].(object)["objects"] = []any{object{"name": "a", "template": template}}
	made.Object["spec"].(object)["serviceAccountName"] = "policies"
	g.Expect(field(store(t, made), "spec.objects")).To(Equal([]any{object{"name": "a", "template": template}}))
}
