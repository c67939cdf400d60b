/*
Copyright 2026 The Course Completion Operator Authors.

Licensed under the Apache License, Version 2.0 (the "License");
you may not use this file except in compliance with the License.
You may obtain a copy of the License at

    http://www.apache.org/licenses/LICENSE-2.0

Unless required by applicable law or agreed to in writing, software
distributed under the License is distributed on an "AS IS" BASIS,
WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
See the License for the specific language governing permissions and
limitations under the License.
*/

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
