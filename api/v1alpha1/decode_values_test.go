// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1_test

import (
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// beside is what an object of the schema needs beside what it requires, by the path of the object.
var beside = map[string]object{
	"completionpolicies:spec":                                 {"seats": []any{object{"pool": "room"}}},
	"completionpolicies:spec.match":                           {"courseIDs": []any{2}},
	"completionpolicies:spec.namespaces[].resourceQuota.hard": {"pods": "1"},
	"completionpolicies:spec.namespaces[].limits[]":           {"max": object{"cpu": "1"}},
	"grants:spec":                      {"policy": "lab", "accessEndsAt": "2026-03-02T00:00:00Z"},
	"grants:spec.causes[]":             {"endsAt": "2026-03-02T00:00:00Z", "end": "Withdrawn"},
	"grants:spec.override":             {"until": "2026-03-02T00:00:00Z"},
	"grants:spec.revokes":              {"seats": []any{object{"pool": "room"}}},
	"institutions:spec.limits":         {"deliveriesPerSecond": 1},
	"completionpolicies:status":        {"observedGeneration": 1},
	"completionpolicies:status.grants": {"pending": 1},
	"institutions:status":              {"observedGeneration": 1},
	"institutions:status.grants":       {"pending": 1},
}

// together are fields that go with others: what is beside them when they are there, instead of the above.
var together = map[string]object{
	"completionpolicies:spec.objects":            {"serviceAccountName": "maker"},
	"completionpolicies:spec.serviceAccountName": {"objects": []any{object{"name": "a", "template": plainObject}}},
	"grants:spec.objects":                        {"serviceAccountName": "maker"},
	"grants:spec.serviceAccountName":             {"objects": []any{object{"name": "a", "object": plainObject}}},
	"grants:spec.override.approved":              {},
	"grants:spec.override.revoked":               {},
}

var plainObject = object{"apiVersion": "v1", "kind": "ConfigMap", "metadata": object{"name": "a"}}

// samples are texts that a pattern, or the format of a field, takes.
var samples = []string{
	"a", "A", "institution-1", "grad-", "2026-03-01 10:00:00", "2026-03-01",
	"2026-03-01T13:00:00Z", "2026-03-01T13:00:00.000000Z",
	"Europe/Berlin", strings.Repeat("g", 22), strings.Repeat("g", 43), strings.Repeat("a", 64), "00-" + strings.Repeat("a", 32) + "-" + strings.Repeat("b", 16) + "-01",
}

// rules are samples of what a rule demands of a text, by its path.
var rules = map[string]string{"institutions:spec.authentication.allowedCIDRs[]": "10.0.0.0/8"}

// odd are the values that are tried everywhere, as JSON.
var odd = []string{`null`, `""`, `"a"`, `0`, `1`, `true`, `[]`, `{}`, `[null]`, `{"":null}`, `1.0`, `"\ud800"`}

// oddNumbers, oddTimes and oddTexts are tried in addition, by the type of the field.
var (
	oddNumbers = []string{
		`-1`, `1.5`, `10e-1`, `3.0e1`, `1e15`, `1e18`, `1e21`, `1e400`, `-0`, `2147483647`, `2147483648`,
		`-2147483648`, `-2147483649`,
		`8589934592`, `9007199254740993`, `9223372036854775807`, `9223372036854775808`, `-9223372036854775808`,
		`18446744073709551616`, `"1"`, `"9223372036854775808"`,
	}
	oddTimes = []string{
		`"2026-11-01T03:00:00Z"`, `"2026-11-01T03:00:00.000000Z"`, `"2026-11-01T03:00:00.1Z"`,
		`"2026-11-01T03:00:00.123456789Z"`,
		`"2026-11-01T03:00:00.1234567891234567Z"`, `"2026-11-01T03:00:00.123456-03:00"`, `"2026-11-01T03:00:00-03:00"`,
		`"2026-11-01t03:00:00z"`, `"2026-11-01T03:00:00z"`, `"2026-11-01t03:00:00Z"`, `"2026-11-01t03:00:00.000000z"`,
		`"2026-11-01T03:00:00+99:99"`, `"2026-11-01T03:00:00+24:00"`, `"2026-11-01T03:00:00-23:59"`,
		`"2026-11-01T03:00:00,123456Z"`,
		`"2026-11-01T03:00:00x123456Z"`, `"2026-11-01T03:00:00ZTrest"`, `"2026-11-01T03:00:60Z"`, `"2026-11-01T24:00:00Z"`,
		`"2026-02-30T00:00:00Z"`, `"0000-01-01T00:00:00Z"`, `"0001-01-01T00:00:00Z"`, `"0001-01-01T00:00:00.000000Z"`,
		`"9999-12-31T23:59:59Z"`, `"9999-12-31T23:59:59.999999Z"`, `"9999-12-31T23:59:59-12:00"`,
		`"9999-12-31T23:59:59.999999-12:00"`,
		`"0001-01-01T00:00:00+12:00"`, `"2026-11-01T03:00:00"`, `"2026-11-01"`, `"+2026-11-01T03:00:00Z"`,
	}
	oddTexts = []string{`"\u0000"`, `"é\u2028😀"`, `"${1}"`, `"0001-01-01"`, `"0000-00-00 00:00:00"`}
)

// trial is one field of one kind.
type trial struct {
	plural, kind string
	root         schema
	path         []string
	leaf         schema
}

func (tr trial) name() string { return tr.plural + ":" + pathOf(tr.path) }

func pathOf(path []string) string {
	joined := strings.Join(path, ".")
	return strings.NewReplacer(".[]", "[]", ".{}", "{}").Replace(joined)
}

// trials are all fields of a kind, the standard ones of every object left out.
func trials(crd definition) []trial {
	root := crd.Spec.Versions[0].Schema.OpenAPI
	var found []trial
	var visit func(path []string, s schema)
	visit = func(path []string, s schema) {
		if len(path) > 0 {
			found = append(found, trial{crd.Spec.Names.Plural, crd.Spec.Names.Kind, root, slices.Clone(path), s})
		}
		for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
			if len(path) > 0 || name == "spec" || name == "status" {
				visit(append(path, name), s.Properties[name])
			}
		}
		if s.Items != nil {
			visit(append(path, "[]"), *s.Items)
		}
		if s.AdditionalProperties != nil {
			visit(append(path, "{}"), *s.AdditionalProperties)
		}
	}
	visit(nil, root)
	return found
}

// values are what is tried for a field, a plain value first.
func (tr trial) values() []string {
	sample, err := json.Marshal(tr.build(tr.path, tr.leaf, nil, nil))
	if err != nil {
		panic(err)
	}
	all := append([]string{string(sample)}, odd...)
	if tr.leaf.IntOrString || tr.leaf.Type == "integer" || tr.leaf.Type == "number" {
		all = append(all, oddNumbers...)
	}
	if tr.leaf.Type != "string" {
		return all
	}
	all = append(all, oddTexts...)
	if tr.leaf.Format == "date-time" {
		return append(all, oddTimes...)
	}
	if tr.leaf.MaxLength != nil {
		for _, letter := range []string{"a", "é", "😀"} {
			all = append(all, `"`+strings.Repeat(letter, int(*tr.leaf.MaxLength))+`"`)
		}
	}
	return all
}

// object is an object of the kind in which the field has the value, and whatever the schema demands beside it. Without
// a field it is the least that the schema takes.
func (tr trial) object(value string) object {
	var raw any
	if len(tr.path) > 0 {
		raw = json.RawMessage(value)
	}
	made := tr.build(nil, tr.root, tr.path, raw).(object)
	made["apiVersion"], made["kind"] = v1alpha1.GroupVersion.String(), tr.kind
	if _, found := made["spec"]; !found {
		made["spec"] = tr.build([]string{"spec"}, tr.root.Properties["spec"], nil, nil)
	}
	made["metadata"] = object{"name": nameOf(tr.plural, made)}
	return made
}

// build makes a value of the schema at the path, that has the given value at the end of the way that is left.
func (tr trial) build(path []string, s schema, left []string, value any) any {
	if len(left) == 0 && value != nil {
		return value
	}
	at := tr.plural + ":" + pathOf(path)
	next := func(name string, s schema) any {
		below := append(slices.Clone(path), name)
		if len(left) > 0 && left[0] == name {
			return tr.build(below, s, left[1:], value)
		}
		return tr.build(below, s, nil, nil)
	}
	switch {
	case s.Items != nil:
		return []any{next("[]", *s.Items)}
	case s.AdditionalProperties != nil:
		return object{"a": next("{}", *s.AdditionalProperties)}
	case s.PreserveUnknown:
		return plainObject
	case s.Type == "object":
		made := object{}
		for name, property := range s.Properties {
			if slices.Contains(s.Required, name) || len(left) > 0 && left[0] == name {
				made[name] = next(name, property)
			}
		}
		others, found := object(nil), false
		if len(left) > 0 {
			others, found = together[at+"."+left[0]]
		}
		fill(made, others)
		if !found {
			fill(made, beside[at])
		}
		return made
	}
	if text, found := rules[at]; found {
		return text
	}
	return s.sample()
}

// fill adds what is not there.
func fill(made, others object) {
	for name, value := range others {
		if _, found := made[name]; !found {
			made[name] = value
		}
	}
}

// sample is a plain value of a schema that has no parts.
func (s schema) sample() any {
	switch {
	case len(s.Enum) > 0:
		return s.Enum[0]
	case s.Type == "boolean":
		return true
	case s.Type == "integer" && s.Minimum != nil:
		return max(1, *s.Minimum)
	case s.Type == "integer":
		return 1
	}
	for _, text := range samples {
		long := s.MaxLength != nil && int64(len(text)) > *s.MaxLength || s.MinLength != nil && int64(len(text)) < *s.MinLength
		if !long && regexp.MustCompile(s.Pattern).MatchString(text) &&
			(s.Format != "date-time" || strings.Contains(text, "T")) {
			return text
		}
	}
	return "no sample fits " + s.Pattern
}
