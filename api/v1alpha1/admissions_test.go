// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1_test

import (
	"os"
	"path/filepath"
	"testing"

	. "github.com/onsi/gomega"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/yaml"

	"github.com/lxp-dev/course-completion-operator/test/cluster"
)

// A Grant records one admission of each type, so there has to be room for all of them.
func TestEveryTypeOfRevocationCanBeAdmitted(t *testing.T) {
	g := NewWithT(t)
	root, err := cluster.RepositoryRoot()
	g.Expect(err).NotTo(HaveOccurred())
	text, err := os.ReadFile(filepath.Join(root, "config", "crd", "bases", "completions.lxp.dev_grants.yaml"))
	g.Expect(err).NotTo(HaveOccurred())
	var crd apiextensionsv1.CustomResourceDefinition
	g.Expect(yaml.Unmarshal(text, &crd)).To(Succeed())
	admissions := crd.Spec.Versions[0].Schema.OpenAPIV3Schema.Properties["status"].Properties["admissions"]
	g.Expect(admissions.MaxItems).To(HaveValue(BeEquivalentTo(len(admissions.Items.Schema.Properties["type"].Enum))))
}
