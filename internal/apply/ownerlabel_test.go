// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

// shipped returns the policy and the binding that config/admission installs.
func shipped(t *testing.T) (*admissionv1.ValidatingAdmissionPolicySpec,
	*admissionv1.ValidatingAdmissionPolicyBindingSpec) {
	t.Helper()
	g := NewWithT(t)
	text, err := os.ReadFile(filepath.Join("..", "..", "config", "admission", "owner_label.yaml"))
	g.Expect(err).NotTo(HaveOccurred())
	documents := strings.Split(string(text), "\n---\n")
	g.Expect(documents).To(HaveLen(2))
	var policy admissionv1.ValidatingAdmissionPolicy
	var binding admissionv1.ValidatingAdmissionPolicyBinding
	g.Expect(yaml.UnmarshalStrict([]byte(documents[0]), &policy)).To(Succeed())
	g.Expect(yaml.UnmarshalStrict([]byte(documents[1]), &binding)).To(Succeed())
	g.Expect([]string{policy.Name, binding.Name}).To(HaveEach(OwnerLabelPolicy))
	return &policy.Spec, &binding.Spec
}

func TestOwnerLabelIsBelievedUnderTheShippedPolicy(t *testing.T) {
	g := NewWithT(t)
	policy, binding := shipped(t)
	g.Expect(protects(policy)).To(BeTrue())
	g.Expect(denies(binding, OwnerLabelPolicy)).To(BeTrue())

	policy.MatchConditions[1].Expression = strings.ReplaceAll(policy.MatchConditions[1].Expression,
		"completion-system:completion-controller-manager", "another-system:another-name")
	g.Expect(protects(policy)).To(BeTrue(), "an installation may have another name for the ServiceAccount")
}

// Every way to make the policy let somebody else through, by mistake.
func TestOwnerLabelIsNotBelievedUnderAWeakerPolicy(t *testing.T) {
	some := &metav1.LabelSelector{MatchLabels: map[string]string{"a": "b"}}
	for name, weaken := range map[string]func(*admissionv1.ValidatingAdmissionPolicySpec){
		"failures are " +
			"ignored": func(p *admissionv1.ValidatingAdmissionPolicySpec) { p.FailurePolicy = new(admissionv1.Ignore) },
		"no rules": func(p *admissionv1.ValidatingAdmissionPolicySpec) { p.MatchConstraints = nil },
		"some namespaces only": func(p *admissionv1.ValidatingAdmissionPolicySpec) {
			p.MatchConstraints.NamespaceSelector = some
		},
		"some objects only": func(p *admissionv1.ValidatingAdmissionPolicySpec) { p.MatchConstraints.ObjectSelector = some },
		"something is excluded": func(p *admissionv1.ValidatingAdmissionPolicySpec) {
			p.MatchConstraints.ExcludeResourceRules = p.MatchConstraints.ResourceRules[:1]
		},
		"some names only": func(p *admissionv1.ValidatingAdmissionPolicySpec) {
			p.MatchConstraints.ResourceRules[0].ResourceNames = []string{"a"}
		},
		"creations only": func(p *admissionv1.ValidatingAdmissionPolicySpec) {
			p.MatchConstraints.ResourceRules[1].Operations = []admissionv1.OperationType{admissionv1.Create}
		},
		"a kind less": func(p *admissionv1.ValidatingAdmissionPolicySpec) {
			p.MatchConstraints.ResourceRules = p.MatchConstraints.ResourceRules[:2]
		},
		"a subresource less": func(p *admissionv1.ValidatingAdmissionPolicySpec) {
			p.MatchConstraints.ResourceRules[0].Resources = []string{"namespaces", "resourcequotas", "limitranges"}
		},
		"a condition more": func(p *admissionv1.ValidatingAdmissionPolicySpec) {
			p.MatchConditions = append(p.MatchConditions, admissionv1.MatchCondition{Name: "more", Expression: "false"})
		},
		"another condition": func(p *admissionv1.ValidatingAdmissionPolicySpec) {
			p.MatchConditions[1].Expression += " && request.userInfo.username != 'eve'"
		},
		"another label":  func(p *admissionv1.ValidatingAdmissionPolicySpec) { p.MatchConditions[0].Expression = "false" },
		"another rule":   func(p *admissionv1.ValidatingAdmissionPolicySpec) { p.Validations[0].Expression = "true" },
		"no rule at all": func(p *admissionv1.ValidatingAdmissionPolicySpec) { p.Validations = nil },
	} {
		t.Run(name, func(t *testing.T) {
			policy, _ := shipped(t)
			weaken(policy)
			NewWithT(t).Expect(protects(policy)).To(BeFalse())
		})
	}
	for name, weaken := range map[string]func(*admissionv1.ValidatingAdmissionPolicyBindingSpec){
		"a warning only": func(b *admissionv1.ValidatingAdmissionPolicyBindingSpec) {
			b.ValidationActions = []admissionv1.ValidationAction{admissionv1.Warn, admissionv1.Audit}
		},
		"another policy": func(b *admissionv1.ValidatingAdmissionPolicyBindingSpec) { b.PolicyName = "another" },
		"some namespaces only": func(b *admissionv1.ValidatingAdmissionPolicyBindingSpec) {
			b.MatchResources = &admissionv1.MatchResources{NamespaceSelector: some}
		},
		"some resources only": func(b *admissionv1.ValidatingAdmissionPolicyBindingSpec) {
			b.MatchResources = &admissionv1.MatchResources{ResourceRules: []admissionv1.NamedRuleWithOperations{{}}}
		},
	} {
		t.Run("binding: "+name, func(t *testing.T) {
			_, binding := shipped(t)
			weaken(binding)
			NewWithT(t).Expect(denies(binding, OwnerLabelPolicy)).To(BeFalse())
		})
	}
}

// Each that config/admission installs is looked at, and no other.
func TestAdmissionPoliciesAreThoseThatAreShipped(t *testing.T) {
	g := NewWithT(t)
	files, err := filepath.Glob(filepath.Join("..", "..", "config", "admission", "*.yaml"))
	g.Expect(err).NotTo(HaveOccurred())
	var names []string
	for _, file := range files {
		if filepath.Base(file) == "kustomization.yaml" {
			continue
		}
		text, err := os.ReadFile(file)
		g.Expect(err).NotTo(HaveOccurred())
		for document := range strings.SplitSeq(string(text), "\n---\n") {
			var object struct {
				metav1.TypeMeta   `json:",inline"`
				metav1.ObjectMeta `json:"metadata"`
			}
			g.Expect(yaml.Unmarshal([]byte(document), &object)).To(Succeed())
			if object.Kind == "ValidatingAdmissionPolicy" {
				names = append(names, object.Name)
			}
		}
	}
	g.Expect(names).To(ConsistOf(AdmissionPolicies))
}
