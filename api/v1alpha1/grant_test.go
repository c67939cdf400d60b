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

func grant(name string) *unstructured.Unstructured {
	return written("Grant", name, object{
		"holder":     object{"institutionID": int64(1), "userID": int64(4)},
		"namespaces": []any{object{"name": "grad-4"}},
	})
}

func cause(i int) any {
	return object{
		"completion": fmt.Sprintf("1-2-%d-4", i), "sendAt": "2026-03-01 10:00:00", "sentAt": "2026-03-01T13:00:00Z",
		"digest": strings.Repeat("a", 64),
	}
}

func takes(name string, value any) object {
	made := cause(1).(object)
	made[name] = value
	return made
}

func causeWith(name string, value any) []edit {
	made := cause(1).(object)
	made[name] = value
	return []edit{{"spec.causes", []any{made}}}
}

func TestGrantRules(t *testing.T) {
	const (
		early, late = "2026-03-01T00:00:00Z", "2026-04-01T00:00:00Z"
		override    = "spec.override"
		exactly     = "set exactly one of approved, revoked and until"
	)
	checkCreates(t, grant("rules"), []rule{
		{"made by hand", nil, nil},
		{"planned", []edit{{"spec.policy", "lab"}, {"spec.causes", list(512, cause)}}, nil},
		{"no holder", []edit{{"spec.holder", nil}}, []string{"spec.holder", "Required"}},
		{"a holder without a user", []edit{{"spec.holder.userID", nil}}, []string{"spec.holder.userID", "Required"}},
		{"a user of 0", []edit{{"spec.holder.userID", int64(0)}}, []string{"spec.holder.userID", "greater than or equal to 1"}},
		{"more causes", []edit{{"spec.causes", list(513, cause)}}, []string{"spec.causes", "at most 512"}},
		{"one cause twice", []edit{{"spec.causes", []any{cause(1), cause(1)}}}, []string{"spec.causes[1]", "Duplicate"}},
		{"a cause that ends", []edit{{"spec.causes", []any{object{
			"completion": "1-2-3-4", "sendAt": "2026-03-01 10:00:00", "sentAt": early, "digest": strings.Repeat("a", 64),
			"endsAt": late, "end": "Withdrawn",
		}}}}, nil},
		{"a cause that ends without a why", causeWith("endsAt", late), []string{"spec.causes[0]", "endsAt and end go together"}},
		{"a cause that ends without a when", causeWith("end", "Withdrawn"), []string{"endsAt and end go together"}},
		{"another end", causeWith("end", "Bored"), []string{"spec.causes[0].end", "Unsupported value"}},
		{"a short digest", causeWith("digest", "aa"), []string{"spec.causes[0].digest", "at least 64"}},

		{"data ends with access", []edit{{"spec.accessEndsAt", early}, {"spec.dataEndsAt", early}}, nil},
		{"data ends after access", []edit{{"spec.accessEndsAt", early}, {"spec.dataEndsAt", late}}, nil},
		{"data ends before access", []edit{{"spec.accessEndsAt", late}, {"spec.dataEndsAt", early}},
			[]string{"dataEndsAt must not be before accessEndsAt"}},
		{"only data ends", []edit{{"spec.dataEndsAt", late}}, []string{"dataEndsAt needs accessEndsAt"}},

		{"that takes", []edit{{"spec.policy", "done"}, {"spec.revokes", takes("seats", list(16, seatIn))}}, nil},
		{"that takes a namespace", []edit{{"spec.policy", "done"},
			{"spec.revokes", takes("namespaces", []any{object{"name": "lab-4"}})}}, nil},
		{"that takes, made by hand", []edit{{"spec.revokes", takes("seats", list(1, seatIn))}},
			[]string{"revokes needs policy: only a completion revokes"}},
		{"that takes nothing", []edit{{"spec.policy", "done"}, {"spec.revokes", takes("sendAt", "2026-03-01 10:00:00")}},
			[]string{"spec.revokes", "set seats or namespaces"}},
		{"that takes a template", []edit{{"spec.policy", "done"},
			{"spec.revokes", takes("namespaces", []any{object{"name": "${user.id}"}})}},
			[]string{"spec.revokes.namespaces[0].name", "should match"}},

		{"revoked", []edit{{override, object{"revoked": true, "reason": "left"}}}, nil},
		{"until", []edit{{override, object{"until": late, "reason": "thesis"}}}, nil},
		{"approved", []edit{{override, object{"approved": true, "reason": "examined"}}}, nil},
		{"not approved", []edit{{override, object{"approved": false, "reason": "x"}}},
			[]string{override + ".approved", "approved can only be true: remove the override"}},
		{"approved and revoked", []edit{{override, object{"approved": true, "revoked": true, "reason": "x"}}},
			[]string{override, exactly}},
		{"approved and until", []edit{{override, object{"approved": true, "until": late, "reason": "x"}}},
			[]string{override, exactly}},
		{"all three", []edit{{override, object{"approved": true, "revoked": true, "until": late, "reason": "x"}}},
			[]string{override, exactly}},
		{"both", []edit{{override, object{"revoked": true, "until": late, "reason": "x"}}}, []string{override, exactly}},
		{"neither", []edit{{override, object{"reason": "x"}}}, []string{override, exactly}},
		{"not revoked", []edit{{override, object{"revoked": false, "reason": "x"}}},
			[]string{override + ".revoked", "revoked can only be true: remove the override"}},
		{"revoked without a reason", []edit{{override, object{"revoked": true}}}, []string{override + ".reason", "Required"}},
		{"an empty reason", []edit{{override, object{"revoked": true, "reason": ""}}}, []string{override + ".reason", "at least 1"}},
		{"a reason of 513", []edit{{override, object{"revoked": true, "reason": strings.Repeat("x", 513)}}},
			[]string{override + ".reason", "more than 512"}},
	})
	planned := grant("rules")
	planned.Object["spec"].(object)["policy"] = "lab"
	checkUpdates(t, planned, []rule{
		{"another policy", []edit{{"spec.policy", "other"}}, []string{"policy is immutable"}},
		{"no policy", []edit{{"spec.policy", nil}}, []string{"policy is immutable"}},
		{"another user", []edit{{"spec.holder.userID", int64(5)}}, []string{"holder is immutable: make another Grant"}},
		{"another institution", []edit{{"spec.holder.institutionID", int64(5)}}, []string{"holder is immutable"}},
		{"an override", []edit{{override, object{"revoked": true, "reason": "left"}}}, nil},
		{"seats", []edit{{"spec.seats", list(16, seatIn)}}, nil},
	})
	checkUpdates(t, grant("by-hand"), []rule{
		{"a policy later", []edit{{"spec.policy", "lab"}}, []string{"policy is immutable"}},
	})
}

func TestGrantResourceRules(t *testing.T) {
	with := func(name string, value any) []edit {
		return []edit{{"spec.namespaces", []any{object{"name": "grad-4", name: value}}}}
	}
	named := func(i int) any { return object{"name": fmt.Sprintf("grad-%d", i)} }
	checkCreates(t, grant("rules"), []rule{
		{"eight namespaces", []edit{{"spec.namespaces", list(8, named)}}, nil},
		{"nine namespaces", []edit{{"spec.namespaces", list(9, named)}}, []string{"spec.namespaces", "at most 8"}},
		{"one namespace twice", []edit{{"spec.namespaces", []any{named(1), named(1)}}}, []string{"Duplicate"}},
		{"a template as a name", with("name", "grad-${user.id}"), []string{"spec.namespaces[0].name", "should match"}},
		{"a name of 63", with("name", strings.Repeat("a", 63)), nil},
		{"a name of 64", with("name", strings.Repeat("a", 64)), []string{"spec.namespaces[0].name", "more than 63"}},
		{"a label of 63", with("labels", object{"a": strings.Repeat("é", 63)}), nil},
		{"a label of 64", with("labels", object{"a": "", "b": strings.Repeat("a", 64)}),
			[]string{"spec.namespaces[0].labels", "a label value has at most 63"}},
		{"an annotation of 16384", with("annotations", object{"a": strings.Repeat("a", 16384)}), nil},
		{"an annotation of 16385", with("annotations", object{"a": strings.Repeat("a", 16385)}),
			[]string{"spec.namespaces[0].annotations", "an annotation has at most 16384"}},
		{"33 annotations", with("annotations", amounts(33)), []string{"annotations", "at most 32"}},
		{"a quota of 33", with("quota", amounts(33)), []string{"quota", "at most 32"}},
		{"another pod security", with("podSecurity", "none"), []string{"podSecurity", "Unsupported value"}},
		{"17 seats", []edit{{"spec.seats", list(17, seatIn)}}, []string{"spec.seats", "at most 16"}},
		{"two seats of one pool", []edit{{"spec.seats", []any{seatIn(1), seatIn(1)}}}, []string{"spec.seats[1]", "Duplicate"}},
		{"a subject of 513", with("access", []any{object{"subjects": []any{object{"name": strings.Repeat("a", 513)}}}}),
			[]string{"subjects[0].name", "more than 512"}},
	})
}

func TestGrantDefaults(t *testing.T) {
	stored := store(t, grant("defaults"))
	g := NewWithT(t)
	for path, want := range map[string]any{
		"spec.onRevoke":                  "Delete",
		"spec.onPolicyRemoval":           "Retain",
		"spec.lifetime.enrollmentExpiry": "Follow",
		"spec.lifetime.graceDays":        int64(30),
		"status.observedGeneration":      int64(-1),
	} {
		g.Expect(field(stored, path)).To(Equal(want), path)
	}
	g.Expect(field(stored, "spec.namespaces")).To(Equal([]any{object{
		"name": "grad-4", "podSecurity": "restricted", "networkIsolation": "IngressAndEgress",
	}}))
}
