// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1_test

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	"sigs.k8s.io/yaml"

	"github.com/lxp-dev/course-completion-operator/test/cluster"
)

// unbounded are texts whose schema sets no greatest length, with what bounds them instead. Nothing else may lack one.
var unbounded = map[string]string{
	"grants:spec.namespaces[].labels{}":      "label values have at most 63 characters, which the grant loop checks",
	"grants:spec.namespaces[].annotations{}": "the API server bounds the annotations of an object in all",
}

// open are the fields that hold an object of any kind, and so any field. They are checked in Go.
var open = map[string]bool{
	"completionpolicies:spec.objects[].template": true,
	"grants:spec.objects[].object":               true,
}

// schema is what is read of a CRD's schema.
type schema struct {
	Type                 string            `json:"type"`
	Description          string            `json:"description"`
	Format               string            `json:"format"`
	Enum                 []any             `json:"enum"`
	MinLength            *int64            `json:"minLength"`
	MaxLength            *int64            `json:"maxLength"`
	Pattern              string            `json:"pattern"`
	Minimum              *int64            `json:"minimum"`
	Maximum              *int64            `json:"maximum"`
	IntOrString          bool              `json:"x-kubernetes-int-or-string"`
	Required             []string          `json:"required"`
	MaxItems             *int64            `json:"maxItems"`
	MaxProperties        *int64            `json:"maxProperties"`
	ListType             string            `json:"x-kubernetes-list-type"`
	PreserveUnknown      bool              `json:"x-kubernetes-preserve-unknown-fields"`
	Items                *schema           `json:"items"`
	AdditionalProperties *schema           `json:"additionalProperties"`
	Properties           map[string]schema `json:"properties"`
}

// definition is what is read of a CRD.
type definition struct {
	Spec struct {
		Names struct {
			Kind, Plural string
			ShortNames   []string
			Categories   []string
		} `json:"names"`
		Scope    string `json:"scope"`
		Versions []struct {
			Name   string `json:"name"`
			Schema struct {
				OpenAPI schema `json:"openAPIV3Schema"`
			} `json:"schema"`
			AdditionalPrinterColumns []struct {
				Name     string `json:"name"`
				JSONPath string `json:"jsonPath"`
			} `json:"additionalPrinterColumns"`
		} `json:"versions"`
	} `json:"spec"`
}

func definitions(t *testing.T) map[string]definition {
	t.Helper()
	g := NewWithT(t)
	root, err := cluster.RepositoryRoot()
	g.Expect(err).NotTo(HaveOccurred())
	files, err := filepath.Glob(filepath.Join(root, "config", "crd", "bases", "*.yaml"))
	g.Expect(err).NotTo(HaveOccurred())
	read := map[string]definition{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		g.Expect(err).NotTo(HaveOccurred())
		var crd definition
		g.Expect(yaml.Unmarshal(text, &crd)).To(Succeed(), file)
		g.Expect(crd.Spec.Versions).To(HaveLen(1), file)
		read[crd.Spec.Names.Plural] = crd
	}
	return read
}

// walk visits every field of our own: not the standard ones of every object.
func walk(path string, s schema, visit func(path string, s schema)) {
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		below := name
		if path != "" {
			below = path + "." + name
		} else if name == "apiVersion" || name == "kind" || name == "metadata" {
			continue
		}
		visit(below, s.Properties[name])
		walk(below, s.Properties[name], visit)
	}
	if s.Items != nil {
		visit(path+"[]", *s.Items)
		walk(path+"[]", *s.Items, visit)
	}
	if s.AdditionalProperties != nil {
		visit(path+"{}", *s.AdditionalProperties)
		walk(path+"{}", *s.AdditionalProperties, visit)
	}
}

func TestEveryKindIsDefined(t *testing.T) {
	g := NewWithT(t)
	read := definitions(t)
	g.Expect(read).To(HaveLen(len(kinds())))
	for _, kind := range kinds() {
		crd := read[kind.plural].Spec
		g.Expect(crd.Names.Kind).To(Equal(kind.name))
		g.Expect(slices.Contains(crd.Names.Categories, "completions")).To(Equal(kind.listed()), kind.name)
		g.Expect(crd.Scope).To(Equal("Namespaced"), kind.name)
		g.Expect(strings.Join(crd.Names.ShortNames, " ")).To(Equal(kind.short), kind.name)
	}
}

func TestEveryFieldIsDescribedAndBounded(t *testing.T) {
	for plural, crd := range definitions(t) {
		fields := 0
		walk("", crd.Spec.Versions[0].Schema.OpenAPI, func(path string, s schema) {
			fields++
			at := plural + ":" + path
			element := strings.HasSuffix(path, "[]") || strings.HasSuffix(path, "{}")
			if s.Description == "" && !element {
				t.Errorf("%s has no description", at)
			}
			if s.PreserveUnknown != open[at] {
				t.Errorf("%s takes any field: %t, want %t", at, s.PreserveUnknown, open[at])
			}
			switch {
			case s.Type == "string" && s.MaxLength == nil && s.Enum == nil && s.Format == "" && unbounded[at] == "":
				t.Errorf("%s is a text of any length", at)
			case s.Type == "array" && s.MaxItems == nil:
				t.Errorf("%s is a list of any length", at)
			case s.Type == "array" && s.ListType == "":
				t.Errorf("%s does not say how lists are merged", at)
			case s.AdditionalProperties != nil && s.MaxProperties == nil:
				t.Errorf("%s is a map of any size", at)
			}
		})
		if fields < 3 {
			t.Errorf("%s has %d fields: the schema was not read", plural, fields)
		}
	}
}

// What is personal stands nowhere in a column, whatever the values are.
func TestNoColumnIsPersonal(t *testing.T) {
	g := NewWithT(t)
	for plural, crd := range definitions(t) {
		columns := crd.Spec.Versions[0].AdditionalPrinterColumns
		g.Expect(columns).NotTo(BeEmpty(), plural)
		for _, column := range columns {
			if strings.HasPrefix(column.JSONPath, ".spec.user") {
				g.Expect(column.JSONPath).To(Equal(".spec.user.id"), plural)
			}
			g.Expect(column.JSONPath).NotTo(ContainSubstring("subjects"), plural)
		}
	}
}
