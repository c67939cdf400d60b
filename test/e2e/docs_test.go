// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	"sigs.k8s.io/yaml"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/test/cluster"
)

var yamlBlock = regexp.MustCompile("(?ms)^```yaml\n(.*?)^```$")

// policyOf makes a whole policy of an example, which may be a part of one.
func policyOf(t *testing.T, example string) *v1alpha1.CompletionPolicy {
	t.Helper()
	switch {
	case strings.HasPrefix(example, "  namespaces:"):
		example = "spec:\n  match:\n    courseIDs: [1]\n" + example
	case strings.HasPrefix(example, "  lifetime:"):
		example = "spec:\n  match:\n    courseIDs: [1]\n  namespaces:\n  - name: grad-${user.id}\n" + example
	case strings.HasPrefix(example, "spec:"), strings.HasPrefix(example, "apiVersion:"):
	default:
		t.Fatalf("an example is neither a policy nor a part of one:\n%s", example)
	}
	policy := &v1alpha1.CompletionPolicy{}
	if err := yaml.UnmarshalStrict([]byte(example), policy); err != nil {
		t.Fatalf("%v in:\n%s", err, example)
	}
	return policy
}

// The prefix of the examples is that of the sample institution, which is in the same cluster.
func TestPoliciesInTheDocsAreReady(t *testing.T) {
	s := openSchool(t)
	root, err := cluster.RepositoryRoot()
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	for document, want := range map[string]int{"README.md": 1, "docs/user-guide.md": 9} {
		text, err := os.ReadFile(filepath.Join(root, document))
		NewWithT(t).Expect(err).NotTo(HaveOccurred())
		blocks := yamlBlock.FindAllStringSubmatch(string(text), -1)
		if len(blocks) < want {
			t.Fatalf("%s has %d examples, want at least %d", document, len(blocks), want)
		}
		for i, block := range blocks {
			t.Run(fmt.Sprintf("%s %d", document, i+1), func(t *testing.T) {
				policy := policyOf(t, strings.ReplaceAll(block[1], "grad-", s.prefix))
				policy.Namespace, policy.Name = s.namespace, fmt.Sprintf("example-%d-%d", len(document), i)
				s.apply(t, policy)
			})
		}
	}
}
