// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package gitops has Argo CD's Lua, Flux's health checks and kstatus judge our objects in every state. It is a module
// of its own, which keeps these tools out of the product's dependencies.
package gitops

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

const (
	root     = "../.."
	examples = root + "/config/examples/gitops"
	// customizations has the layout of Argo CD's folder resource_customizations, to which it can be contributed.
	customizations = examples + "/argocd/resource_customizations/" + v1alpha1.GroupName
)

// kinds are those with a status, each with a folder of customizations, and a function that makes an empty object.
var kinds = map[string]func() any{
	"Institution":      func() any { return &v1alpha1.Institution{} },
	"CompletionPolicy": func() any { return &v1alpha1.CompletionPolicy{} },
	"SeatPool":         func() any { return &v1alpha1.SeatPool{} },
	"Grant":            func() any { return &v1alpha1.Grant{} },
	"CourseCompletion": func() any { return &v1alpha1.CourseCompletion{} },
}

func sortedKinds() []string { return slices.Sorted(maps.Keys(kinds)) }

func text(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func readYAML(t *testing.T, path string, into any) {
	t.Helper()
	if err := yaml.UnmarshalStrict([]byte(text(t, path)), into); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

// object reads an object, which has to be one that our types know.
func object(t *testing.T, kind, path string) *unstructured.Unstructured {
	t.Helper()
	readYAML(t, path, kinds[kind]())
	return parse(t, text(t, path))
}

func parse(t *testing.T, content string) *unstructured.Unstructured {
	t.Helper()
	encoded, err := yaml.YAMLToJSON([]byte(content))
	if err != nil {
		t.Fatal(err)
	}
	// As the API server's answers are decoded: integers stay integers.
	o := &unstructured.Unstructured{}
	if err := o.UnmarshalJSON(encoded); err != nil {
		t.Fatal(err)
	}
	return o
}

// states returns the objects of a kind in each of its states, by the state's name.
func states(t *testing.T, kind string) map[string]*unstructured.Unstructured {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(customizations, kind, "testdata", "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%s has no states: %v", kind, err)
	}
	found := map[string]*unstructured.Unstructured{}
	for _, file := range files {
		found[strings.TrimSuffix(filepath.Base(file), ".yaml")] = object(t, kind, file)
	}
	return found
}
