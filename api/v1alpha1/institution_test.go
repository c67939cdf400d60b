// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1_test

import (
	"fmt"
	"math"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

func tokenRef(i int) any { return object{"name": fmt.Sprintf("token-%d", i)} }

func institution(name string) *unstructured.Unstructured {
	return written("Institution", name, object{
		"id":              int64(12345),
		"authentication":  object{"tokenSecretRefs": list(1, tokenRef)},
		"namespacePrefix": "grad-",
	})
}

func TestInstitutionRules(t *testing.T) {
	const (
		refs     = "spec.authentication.tokenSecretRefs"
		prefix   = "spec.namespacePrefix"
		zone     = "spec.timeZone"
		cidrs    = "spec.authentication.allowedCIDRs"
		reserved = "namespaces of the system, or of software that is trusted by the name of its namespace, start so"
	)
	checkCreates(t, institution("rules"), []rule{
		{"as it is", nil, nil},
		{"the least id", []edit{{"spec.id", int64(1)}}, nil},
		{"the greatest id", []edit{{"spec.id", int64(math.MaxInt64)}}, nil},
		{"an id of 0", []edit{{"spec.id", int64(0)}}, []string{"spec.id", "greater than or equal to 1"}},
		{"a negative id", []edit{{"spec.id", int64(-1)}}, []string{"spec.id", "greater than or equal to 1"}},
		{"an id that is text", []edit{{"spec.id", "12345"}}, []string{"spec.id", "must be of type integer"}},
		{"no id", []edit{{"spec.id", nil}}, []string{"spec.id", "Required"}},
		{"no spec", []edit{{"spec", nil}}, []string{"spec", "Required"}},
		{"no authentication", []edit{{"spec.authentication", nil}}, []string{"spec.authentication", "Required"}},
		{"no tokens", []edit{{refs, []any{}}}, []string{refs, "at least 1"}},
		{"four tokens", []edit{{refs, list(4, tokenRef)}}, nil},
		{"five tokens", []edit{{refs, list(5, tokenRef)}}, []string{refs, "at most 4"}},
		{"one token twice", []edit{{refs, []any{tokenRef(1), tokenRef(1)}}}, []string{refs + "[1]", "Duplicate"}},
		{"a token without a name", []edit{{refs, []any{object{}}}}, []string{refs + "[0].name", "Required"}},
		{"a token in another namespace", []edit{{refs, []any{object{"name": "a/b"}}}}, []string{refs + "[0].name", "match"}},
		{"a field that is not there", []edit{{"spec.tokens", "x"}}, []string{`unknown field "spec.tokens"`}},

		{"no prefix", []edit{{prefix, nil}}, []string{prefix, "Required"}},
		{"a prefix of four", []edit{{prefix, "gra-"}}, nil},
		{"a prefix of three", []edit{{prefix, "gr-"}}, []string{prefix, "at least 4"}},
		{"a prefix of forty", []edit{{prefix, strings.Repeat("g", 39) + "-"}}, nil},
		{"a prefix of forty-one", []edit{{prefix, strings.Repeat("g", 40) + "-"}}, []string{prefix, "may not be more than 40"}},
		{"a prefix that does not end", []edit{{prefix, "grad"}}, []string{prefix, "should match"}},
		{"a prefix of two words", []edit{{prefix, "school-of-law-"}}, nil},
		{"a prefix in capitals", []edit{{prefix, "Grad-"}}, []string{prefix, "should match"}},
		{"a prefix with a dot", []edit{{prefix, "grad."}}, []string{prefix, "should match"}},
		{"a prefix that starts with a digit", []edit{{prefix, "1grad-"}}, []string{prefix, "should match"}},
		{"a prefix that starts with a hyphen", []edit{{prefix, "-grad"}}, []string{prefix, "should match"}},
		{"the prefix of Kubernetes", []edit{{prefix, "kube-"}}, []string{prefix, reserved}},
		{"the prefix of OpenShift", []edit{{prefix, "openshift-"}}, []string{prefix, reserved}},
		{"the default namespace", []edit{{prefix, "default-"}}, []string{prefix, reserved}},
		{"the prefix of the operator", []edit{{prefix, "completion-"}}, []string{prefix, reserved}},
		{"the prefix of a mesh", []edit{{prefix, "istio-"}}, []string{prefix, reserved}},
		{"more than the prefix of a mesh", []edit{{prefix, "istio-grad-"}}, []string{prefix, reserved}},
		{"the start of a namespace of others", []edit{{prefix, "cert-"}}, []string{prefix, reserved}},
		{"the name of a namespace of others", []edit{{prefix, "cert-manager-"}}, []string{prefix, reserved}},
		{"monitoring", []edit{{prefix, "monitoring-"}}, []string{prefix, reserved}},
		{"Argo CD", []edit{{prefix, "argocd-"}}, []string{prefix, reserved}},
		{"a store of secrets", []edit{{prefix, "vault-"}}, []string{prefix, reserved}},
		{"another store of secrets", []edit{{prefix, "external-"}}, []string{prefix, reserved}},
		{"Rancher", []edit{{prefix, "cattle-"}}, []string{prefix, reserved}},
		{"Gatekeeper", []edit{{prefix, "gatekeeper-"}}, []string{prefix, reserved}},
		{"what only begins like one of them", []edit{{prefix, "monitors-"}}, nil},

		{"UTC", []edit{{zone, "UTC"}}, nil},
		{"a zone of three parts", []edit{{zone, "America/Argentina/Buenos_Aires"}}, nil},
		{"a zone with a sign", []edit{{zone, "Etc/GMT+3"}}, nil},
		{"the zone of a container", []edit{{zone, "Local"}}, []string{zone, "must be a zone of the IANA database"}},
		{"an offset", []edit{{zone, "-03:00"}}, []string{zone, "should match"}},
		{"a path", []edit{{zone, "../etc/passwd"}}, []string{zone, "should match"}},
		{"an absolute path", []edit{{zone, "/etc/localtime"}}, []string{zone, "should match"}},
		{"a zone that ends with a slash", []edit{{zone, "America/"}}, []string{zone, "should match"}},
		{"no text as a zone", []edit{{zone, ""}}, []string{zone}},
		{"a zone of 65", []edit{{zone, strings.Repeat("a", 65)}}, []string{zone, "may not be more than 64"}},

		{"networks", []edit{{cidrs, []any{"203.0.113.0/24", "2001:db8::/32", "192.0.2.7/32", "0.0.0.0/0", "::/0"}}}, nil},
		{"no networks", []edit{{cidrs, []any{}}}, []string{cidrs, "at least 1"}},
		{"an address", []edit{{cidrs, []any{"203.0.113.7"}}}, []string{cidrs + "[0]", "must be a network, such as"}},
		{"a network twice", []edit{{cidrs, []any{"10.0.0.0/8", "10.0.0.0/8"}}}, []string{cidrs + "[1]", "Duplicate"}},
		{"an address inside of a network", []edit{{cidrs, []any{"203.0.113.7/24"}}},
			[]string{cidrs + "[0]", "must start with the least address"}},
		{"a mapped network", []edit{{cidrs, []any{"::ffff:10.0.0.0/104"}}}, []string{cidrs + "[0]", "must be a network"}},
		{"a network with a zone", []edit{{cidrs, []any{"fe80::%eth0/64"}}}, []string{cidrs + "[0]", "must be a network"}},
		{"sixty-five networks", []edit{{cidrs, list(65, func(i int) any { return fmt.Sprintf("10.0.%d.0/24", i) })}},
			[]string{cidrs, "at most 64"}},

		{"limits", []edit{{"spec.limits", object{"deliveriesPerSecond": int64(10), "burst": int64(100)}}}, nil},
		{"a rate alone", []edit{{"spec.limits", object{"deliveriesPerSecond": int64(10)}}}, nil},
		{"no limits", []edit{{"spec.limits", object{}}}, nil},
		{"a burst alone", []edit{{"spec.limits", object{"burst": int64(10)}}},
			[]string{"spec.limits", "burst needs deliveriesPerSecond"}},
		{"a rate of 0", []edit{{"spec.limits", object{"deliveriesPerSecond": int64(0)}}},
			[]string{"spec.limits.deliveriesPerSecond", "greater than or equal to 1"}},

		{"privacy", []edit{{"spec.privacy", object{"cpf": "Keep", "email": "Drop", "name": "Mask"}}}, nil},
		{"privacy that is unknown", []edit{{"spec.privacy.cpf", "Hash"}}, []string{"spec.privacy.cpf", "Unsupported value"}},
		{"suspended", []edit{{"spec.suspend", true}}, nil},
		{"suspended in words", []edit{{"spec.suspend", "yes"}}, []string{"spec.suspend", "boolean"}},
		{"a name of 63", []edit{{"metadata.name", strings.Repeat("a", 63)}}, nil},
		{"a name of 64", []edit{{"metadata.name", strings.Repeat("a", 64)}}, []string{"must have at most 63 characters"}},
	})
	checkUpdates(t, institution("rules"), []rule{
		{"another id", []edit{{"spec.id", int64(2)}}, []string{"spec.id", "id is immutable: make another Institution"}},
		{"another prefix", []edit{{prefix, "alumni-"}}, []string{prefix, "namespacePrefix is immutable"}},
		{"another zone", []edit{{zone, "UTC"}}, nil},
		{"another token", []edit{{refs, list(2, tokenRef)}}, nil},
		{"suspended", []edit{{"spec.suspend", true}}, nil},
	})
}

func TestInstitutionDefaults(t *testing.T) {
	stored := store(t, institution("defaults"))
	for path, want := range map[string]any{
		"spec.timeZone":             "America/Sao_Paulo",
		"spec.privacy.name":         "Keep",
		"spec.privacy.email":        "Keep",
		"spec.privacy.cpf":          "Mask",
		"spec.privacy.nickname":     "Keep",
		"spec.privacy.uuid":         "Keep",
		"spec.limits":               object{"deliveriesPerSecond": int64(500), "burst": int64(10000)},
		"spec.revocationBudget":     int64(20),
		"spec.maxNamespaces":        int64(10000),
		"status.observedGeneration": int64(-1),
	} {
		NewWithT(t).Expect(field(stored, path)).To(Equal(want), path)
	}
}

func TestInstitutionPartialPrivacyKeepsTheOtherDefaults(t *testing.T) {
	base := institution("partial")
	base.Object["spec"].(object)["privacy"] = object{"email": "Drop"}
	stored := store(t, base)
	g := NewWithT(t)
	g.Expect(field(stored, "spec.privacy.email")).To(Equal("Drop"))
	g.Expect(field(stored, "spec.privacy.cpf")).To(Equal("Mask"))
}
